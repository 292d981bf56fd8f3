"""Multi-level TPSN: coarse to fine, each level deforming what the coarser ones made of the template."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_toposeg.deformation import compose, resize
from napari_toposeg.errors import ToposegError
from napari_toposeg.networks.deformed import DeformationNetwork, Deformed, warp_templates
from napari_toposeg.networks.pose import Pose
from napari_toposeg.networks.settings import Answer, NetworkSettings
from napari_toposeg.networks.tpsn import TPSN, TPSNSettings

_MOST_LEVELS = 4


@dataclass(frozen=True)
class MLTPSNSettings(NetworkSettings):
    """Size of a multi-level TPSN.

    Attributes
    ----------
    ndim : int
        2 or 3.
    levels : int
        1 to 4. The finest sees the image's own grid, each coarser one half of the next finer one's.
    features, resolutions, objects, answer, integration_steps, border, edges
        Of each level, as for the TPSN; `border` in voxels of the image's own grid. From a quarter of the grid
        down, each level has one resolution less than the one before, and never less than two.
    halvings : int
        How often the grid of what the finest level predicts is halved. No coarser level predicts on a finer grid than
        that, or than its own.
    pose : bool
        Whether the templates are first moved, turned and stretched as a whole (`Pose`), before any level deforms them.

    Notes
    -----
    Published (Zhang and Lui; the preset of that name): three levels of displacements, no border. On synthetic rings of
    96x96 and 400 iterations of Adam at 1e-3 with 100 times the mean ReLU-Jacobian, that gave Dice .913 and .915 (two
    seeds), 100 % right topologies, and no fold at any corner of a cell in 7 % of the test images. Velocities, with a
    border of 4 voxels and the Jacobian term at the corners and with a margin of .1, gave .904 and .906, 100 % and 90 %:
    the default. Levels: Dice rises from 1 to 3 and hardly from 3 to 4 in the paper's Tab. I.
    """

    levels: int = 3
    features: int = 8
    resolutions: int = 4
    objects: int = 1
    answer: Answer = "velocity"
    halvings: int = 1
    integration_steps: int = 7
    border: float = 4.0
    edges: bool = False
    pose: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(levels=1, halvings=0)
        if self.levels > _MOST_LEVELS:
            raise ToposegError(
                f"A network of {self.levels} levels would look at an image {2 ** (self.levels - 1)} times too coarse.",
                todo=f"Ask for at most {_MOST_LEVELS} levels.",
            )
        for level in range(self.levels):
            self.level(level)

    def level(self, number: int) -> TPSNSettings:
        """Settings of one level: 0 sees the image's own grid, 1 half of it, and so on."""
        return TPSNSettings(
            self.ndim,
            self.features,
            max(min(self.resolutions, 2), self.resolutions - max(0, number - 1)),
            self.objects,
            self.answer,
            max(0, self.halvings - number),
            self.integration_steps,
            self.border,
            self.edges,
        )


class MLTPSN(DeformationNetwork):
    """Multi-level topology-preserving segmentation network.

    Parameters
    ----------
    settings : MLTPSNSettings
        Its size.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Sec. III-B and Fig. 2, with one departure. There each
    level's warped mask is brought to the next finer grid and warped again, so that masks are resampled as often as
    there are levels, and no single deformation leads from the template to the answer. Here each level sees that same
    mask, but what is kept is the composition of the levels' deformations: it warps the template once, on the image's
    own grid, and what is said of folds and topology is said of it, as for the TPSN.
    """

    def __init__(self, settings: MLTPSNSettings) -> None:
        super().__init__(settings.ndim, settings.objects)
        self.settings = settings
        # Coarsest first: the order in which they act.
        self.levels = nn.ModuleList(TPSN(settings.level(number)) for number in reversed(range(settings.levels)))
        self.pose = Pose(settings) if settings.pose else None

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        """Deform templates on to images; see `DeformationNetwork.forward`."""
        template = self.fitting(image, template)
        grid = image.shape[2:]
        mask = template
        displacement: Tensor | None = None
        velocities: list[Tensor] = []
        levels: list[Tensor] = []
        if self.pose is not None:
            velocity, level = self.pose(image, template)
            velocities.append(velocity)
            levels.append(level)
            displacement = resize(level, grid)
            mask = warp_templates(template, displacement)
        for number, network in zip(reversed(range(self.settings.levels)), self.levels, strict=True):
            assert isinstance(network, TPSN)
            own, level = network.deform(_coarser(image, number), _coarser(mask, number), grid)
            velocities += own
            levels.append(level)
            moved = resize(level, grid)
            displacement = moved if displacement is None else compose(displacement, moved)
            mask = warp_templates(template, displacement)
        assert displacement is not None
        return Deformed(displacement, mask, tuple(velocities), tuple(levels))


def _coarser(image: Tensor, halvings: int) -> Tensor:
    """An image (N, C, *grid) on a grid halved so often, by averages."""
    if halvings == 0:
        return image
    shape = [max(2, -(-size // 2**halvings)) for size in image.shape[2:]]
    return interpolate(image, size=shape, mode="area")
