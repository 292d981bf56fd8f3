"""How long a run will take, and how much memory, before it is started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.grids import WORKING_VOXELS, field_box, working_frame
from napari_toposeg.inference.onto_logits import ITERATIONS
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.weights.card import Card
from napari_toposeg.inference.window import window_frame
from napari_toposeg.networks import UNetSettings, WUNetSettings
from napari_toposeg.volume import Volume


@dataclass(frozen=True)
class Estimate:
    """What a run will be like.

    Attributes
    ----------
    shape : tuple of int
        Of the grid on which the deformation is found.
    spacing : tuple of float
        Of that grid, in mm.
    seconds : float or None
        On a core that nothing else uses, once compiled; None on a device on which nothing was measured.
    memory : int
        Bytes above what the program holds already.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    seconds: float | None
    memory: int


@dataclass(frozen=True)
class _Cost:
    """Linear in the voxels: what each costs, in microseconds and bytes, and what there is at least."""

    seconds: float
    microseconds: float
    megabytes: float
    bytes: float

    def of(self, voxels: float, times: float = 1.0) -> tuple[float, float]:
        return (
            times * (self.seconds + self.microseconds * 1e-6 * voxels),
            self.megabytes * 1e6 + self.bytes * voxels,
        )


# Processor seconds and peak memory above what was held before, PyTorch 2.13 with one thread on a core with AVX-512, on
# phantoms of seed 3. An mltpsn of 8 features in 96x96x64 voxels, up to its preview and after it: through a window of 48
# .19 and .20 s, 45 MB; of 64 .33 and .24 s, 63 MB; of 48 with 16 features .31 and .37 s, 63 MB. Of 96 in 256x256 pixels
# .03 and .02 s, 17 MB. Forty iterations of the fit: .98 s, and .93 s after them, 221 MB, in a region of 1.1 million
# voxels; .58 s and 10 MB in one of 26,815 pixels, .43 s and 2 MB in one of 4,970.
_NETWORK = _Cost(0.0, 0.95, 15.0, 170.0)
_FINISHING = _Cost(0.02, 0.6, 0.0, 120.0)
_ITERATION = _Cost(0.009, 0.24, 5.0, 200.0)

_FEATURES = 8
"""Of the network that was measured: more take in proportion."""


def estimate(volume: Volume, site: Site, settings: Settings, card: Card | None) -> Estimate:
    """What a run will be like.

    Parameters
    ----------
    volume, site
        The image, and where the run takes place.
    settings : Settings
        Iterations and device.
    card : Card or None
        Of the network that will be asked; None for the fit.

    Returns
    -------
    Estimate
        Within about a factor of two: folds that have to be repaired take longer, and the figures are those of one
        processor.

    Raises
    ------
    ToposegError
        If there is no such device, or the network cannot be asked there.
    """
    ndim = volume.ndim
    if card is None:
        field = volume.frame.crop(field_box(volume.frame, site.region))
        grid = working_frame(field, WORKING_VOXELS[ndim][-1])
        seconds, memory = _ITERATION.of(float(np.prod(grid.shape)), settings.iterations)
    else:
        grid = window_frame(card.window, volume.frame, site.within)
        field = grid
        share = getattr(card.settings, "features", _FEATURES) / _FEATURES
        seconds, memory = _NETWORK.of(share * float(np.prod(grid.shape)))
        if isinstance(card.settings, UNetSettings | WUNetSettings):
            # The template is then fitted to its map.
            finest = working_frame(grid, WORKING_VOXELS[ndim][-1])
            seconds += _ITERATION.of(float(np.prod(finest.shape)), ITERATIONS)[0]
    voxels = float(np.prod(field.shape) * np.prod(field.spacing) / np.prod(volume.spacing))
    last, held = _FINISHING.of(voxels)
    device = choose_device(settings.device, ndim=ndim)
    return Estimate(
        grid.shape,
        tuple(float(step) for step in grid.spacing),
        seconds + last if device.type == "cpu" else None,
        round(max(memory, held)),
    )
