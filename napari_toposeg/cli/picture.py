"""One picture of a segmentation: the mask's outline on the image, and where the deformation stretches and squeezes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.cli.show import betti_sentence
from napari_toposeg.formats import replacing
from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.priors import signed_distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_toposeg.inference import Segmentation

# Orange and sky blue stay apart for colour-blind eyes, and both stand out on grey.
_MASK, _TEMPLATE, _FOLD = "#f5a300", "#4fb3ef", "#d400d4"
_ENDS = (("L", "R"), ("P", "A"), ("F", "H"))
_SURROUNDINGS = 10.0  # mm shown round the mask and the template
_VIEWS = {2: ((0, 1),), 3: ((0, 1), (0, 2), (1, 2))}
_NAMES = {(0, 1): "axial", (0, 2): "coronal", (1, 2): "sagittal"}


@dataclass(frozen=True)
class _Cut:
    """A plane through the arrays: the axes that it spans, and where it cuts the third."""

    across: int
    up: int
    at: tuple[int | slice, ...]

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """The plane, its first axis up."""
        return array[self.at].T


def draw(result: Segmentation, truth: NDArray[np.bool_], path: Path) -> None:
    """Draw a segmentation: three views of a volume, one of a 2-D image.

    Parameters
    ----------
    result : Segmentation
        What is drawn.
    truth : (*volume.shape) bool
        The right answer; the views go through its middle.
    path : Path
        .png; appears whole or not at all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    volume = result.volume
    arrays = _arrays(result, truth)
    cuts = _cuts(arrays["truth"])
    spacing = volume.spacing
    sizes = [(arrays["image"].shape[cut.across] * spacing[cut.across]) for cut in cuts]
    heights = [(arrays["image"].shape[cut.up] * spacing[cut.up]) for cut in cuts]
    # Every view in one scale: as wide as its millimetres, in two rows.
    scale = 9.6 / sum(sizes) if volume.ndim == 3 else 4.6 / sum(sizes)
    figure = Figure(figsize=(sum(sizes) * scale + 1.5, 2 * max(heights) * scale + 1.5), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2,
        len(cuts) + 1,
        width_ratios=[*sizes, 0.035 * sum(sizes)],
        wspace=0.06,
        hspace=0.12,
        left=0.03,
        right=0.93,
        top=1 - 0.75 / figure.get_figheight(),
        bottom=0.4 / figure.get_figheight(),
    )
    # Symmetric in the logarithm: half the size is as far from 1 as twice the size.
    seen = arrays["jacobian"][arrays["jacobian"] > 0]
    most = float(np.clip(np.exp(np.abs(np.log(np.percentile(seen, (0.5, 99.5)))).max()), 1.5, 8.0))
    colours: Any = None
    for column, cut in enumerate(cuts):
        upper, lower = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        aspect = spacing[cut.up] / spacing[cut.across]
        grey = np.percentile(arrays["image"], (0.5, 99.8))
        upper.imshow(cut.of(arrays["image"]), cmap="gray", vmin=grey[0], vmax=grey[1], origin="lower", aspect=aspect)
        colours = lower.imshow(
            cut.of(arrays["jacobian"]),
            cmap="RdBu_r",
            norm=LogNorm(1 / most, most),
            origin="lower",
            aspect=aspect,
            interpolation="nearest",
        )
        colours.cmap.set_bad(_FOLD)
        upper.contour(cut.of(arrays["template"]), [0.0], colors=_TEMPLATE, linestyles="dashed", linewidths=1.4)
        upper.contour(cut.of(arrays["mask"]), [0.5], colors=_MASK, linewidths=1.6)
        lower.contour(cut.of(arrays["mask"]), [0.5], colors="black", linewidths=1.0)
        if volume.ndim == 3:
            upper.set_title(_NAMES[cut.across, cut.up], fontsize=10, color="0.3", pad=4)
        for axes in (upper, lower):
            _label_ends(axes, cut)
    bar = figure.colorbar(colours, cax=figure.add_subplot(grid[1, -1]))
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if 1 / most <= tick <= most]
    bar.set_ticks(ticks, labels=[f"1/{round(1 / tick)}" if tick < 1 else f"{tick:.0f}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.set_label("Jacobian determinant", fontsize=9)
    lines = [
        Line2D([], [], color=_TEMPLATE, linestyle="dashed", linewidth=1.4, label="template, as placed and scaled"),
        Line2D([], [], color=_MASK, linewidth=1.6, label="segmentation"),
    ]
    figure.legend(handles=lines, loc="lower left", ncols=2, frameon=False, fontsize=9, bbox_to_anchor=(0.02, 0.0))
    figure.text(0.03, 1 - 0.30 / figure.get_figheight(), _title(result), fontsize=11, va="center")
    with replacing(path) as part:
        figure.savefig(part, dpi=140)


def _title(result: Segmentation) -> str:
    certificate = result.certificate
    right = "the prior's topology" if certificate.topology_ok else "NOT the prior's topology"
    return (
        f"{result.prior.title}: {betti_sentence(certificate.betti_mask)} - {right}, {certificate.folding_voxels} folds"
    )


def _arrays(result: Segmentation, truth: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Everything that is drawn, on the box that is shown."""
    volume = result.volume
    mask = result.full_mask()
    template = signed_distance(result.prior, result.placement, volume.frame).numpy()
    box = box_of(mask | truth | (template > 0))
    assert box is not None  # the template alone has voxels
    shown = box_slices(clip_box(grow_box(box, _SURROUNDINGS / volume.spacing), volume.shape))
    frame = result.displacement.frame
    start = np.round(frame.index_in(volume.frame)[: volume.ndim, 3]).astype(int)
    place = tuple((int(low), int(low) + size) for low, size in zip(start, frame.shape, strict=True))
    inside = clip_box(place, volume.shape)
    part = tuple(slice(low - first, high - first) for (low, high), (first, _) in zip(inside, place, strict=True))
    jacobian = np.ones(volume.shape, np.float32)
    jacobian[box_slices(inside)] = result.jacobian.at_voxels[part]
    arrays = {"image": volume.voxels, "mask": mask, "truth": truth, "template": template, "jacobian": jacobian}
    return {name: array[shown] for name, array in arrays.items()}


def _cuts(truth: NDArray[np.bool_]) -> Sequence[_Cut]:
    """The planes through the middle of an object."""
    middle = np.argwhere(truth).mean(axis=0).round().astype(int)
    return [
        _Cut(
            across, up, tuple(slice(None) if axis in (across, up) else int(middle[axis]) for axis in range(truth.ndim))
        )
        for across, up in _VIEWS[truth.ndim]
    ]


def _label_ends(axes: Axes, cut: _Cut) -> None:
    """Say which way is which, and leave out what says nothing."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    style: dict[str, Any] = {
        "transform": axes.transAxes, "fontsize": 8, "color": "white", "ha": "center", "va": "center",
        "bbox": {"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.45, "linewidth": 0},
    }  # fmt: skip
    for end, place in enumerate((0.03, 0.97)):
        axes.text(place, 0.5, _ENDS[cut.across][end], **style)
        axes.text(0.5, place, _ENDS[cut.up][end], **style)
