"""Pictures of a result's deformation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation import Histogram
from napari_toposeg.formats import replacing
from napari_toposeg.frame import Box, box_slices, clip_box
from napari_toposeg.inference.result_field import ResultField, TemplateLevel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MASK, _FOLD = "#f5a300", "#d400d4"
_DOTS = 140
_GRID_LINES = 24
"""Of the warped grid, along the longer side."""


def draw_histogram(
    histogram: Histogram, path: str | os.PathLike[str], *, folding: int, before: Histogram | None = None
) -> None:
    """Draw how many cells have which least determinant.

    Parameters
    ----------
    histogram : Histogram
        As the deformation stands.
    path : path
        .png; appears whole or not at all.
    folding : int
        Cells that fold.
    before : Histogram, optional
        Before the repair.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Below 1 it is squeezed, above stretched: red and blue, as on the map.
    middles = (histogram.edges[:-1] + histogram.edges[1:]) / 2
    tones = np.where(middles <= 0, _FOLD, np.where(middles < 1, "#cc2f55", "#2a70c8"))
    axes.bar(
        histogram.edges[:-1], histogram.counts, np.diff(histogram.edges), align="edge", color=list(tones), linewidth=0
    )
    if before is not None:
        axes.stairs(before.counts, before.edges, color="black", linewidth=0.9, label="before the repair")
        axes.legend(frameon=False, fontsize=9)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.axvline(1.0, color="0.4", linewidth=0.8)
    if histogram.edges[0] < 0 or (before is not None and before.edges[0] < 0):
        axes.axvline(0.0, color="0.4", linewidth=0.8, linestyle="dashed")
    axes.set_xlabel("least Jacobian determinant of a cell")
    axes.set_ylabel("cells")
    axes.set_title(f"{int(histogram.counts.sum()):,} cells; {'none folds' if not folding else f'{folding:,} fold'}")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with replacing(path) as part:
        figure.savefig(part, dpi=_DOTS)


def draw_field(
    field: ResultField,
    levels: Sequence[TemplateLevel],
    through: Sequence[float] | None,
    path: str | os.PathLike[str],
) -> None:
    """Draw a slice: the template's way, the warped grid, the determinants.

    Parameters
    ----------
    field : ResultField
        What is drawn.
    levels : sequence of TemplateLevel
        The template after each stage.
    through : sequence of float or None
        The slice of a volume goes through this canonical voxel; None: where the mask is largest.
    path : path
        .png; appears whole or not at all.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    result = field.result
    volume = result.volume
    displacement, jacobian = field.on_voxels()
    start = np.round(displacement.frame.index_in(volume.frame)[: volume.ndim, 3]).astype(int)
    region = tuple((int(low), int(low) + size) for low, size in zip(start, displacement.frame.shape, strict=True))
    shown = clip_box(region, volume.shape)
    at = () if volume.ndim == 2 else (_slice_number(shown[2], through, field),)

    def cut(values: NDArray[Any], box: Box, fill: float) -> NDArray[Any]:
        """The slice of what covers a box, on the part that is shown; rows up, columns to the right."""
        inside = clip_box(box, volume.shape)
        plane = np.full([high - low for low, high in shown[:2]], fill, np.float32)
        if at and not inside[2][0] <= at[0] < inside[2][1]:
            return plane.T
        both = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(shown[:2], inside[:2], strict=True)]
        if any(low >= high for low, high in both):
            return plane.T
        to = tuple(slice(low - first, high - first) for (low, high), (first, _) in zip(both, shown, strict=False))
        source = tuple(slice(low - first, high - first) for (low, high), (first, _) in zip(both, box, strict=False))
        flat = values[source] if not at else values[source][:, :, at[0] - box[2][0]]
        plane[to] = flat
        return plane.T

    image = cut(volume.voxels[box_slices(shown)], shown, 0.0)
    mask = cut(result.mask, result.box, 0.0)
    figure = Figure(figsize=(12.6, 4.9), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    views: Sequence[Axes] = figure.subplots(1, 3)
    darkest, brightest = np.percentile(image, (0.5, 99.8))
    aspect = float(volume.spacing[1] / volume.spacing[0])
    way, grid, determinants = views
    for axes in (way, grid):
        axes.imshow(image, cmap="gray", vmin=darkest, vmax=brightest, origin="lower", interpolation="nearest")
    tones = colormaps["viridis"](np.linspace(0.25, 1.0, len(levels)))
    handles = []
    for level, tone in zip(levels, tones, strict=True):
        distance = cut(level.distance, result.box, -1.0)
        if distance.max() > 0:
            way.contour(distance, [0.0], colors=[tone], linewidths=1.4)
        handles.append(Line2D([], [], color=tone, label=level.name))
    way.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, frameon=False, fontsize=8)
    way.set_title("template")
    stride = max(1, round(max(image.shape) / _GRID_LINES))
    for axis in (0, 1):
        along = np.arange(*shown[axis], dtype=np.float32).reshape((1, -1) if axis == 0 else (-1, 1))
        place = along + cut(displacement.values[axis], region, 0.0)
        lines = np.arange(np.ceil(place.min() / stride), np.floor(place.max() / stride) + 1) * stride
        if len(lines):
            grid.contour(place, lines, colors="#7fe7d4", linewidths=0.6, linestyles="solid")
    grid.set_title("warped grid")
    values = cut(jacobian.at_voxels, region, 1.0)
    most = 2.0 ** field.reach(log=True)
    shades = colormaps["RdBu"].with_extremes(bad=_FOLD)
    drawn = determinants.imshow(
        np.ma.masked_less_equal(values, 0.0),
        cmap=shades,
        norm=LogNorm(1 / most, most),
        origin="lower",
        interpolation="nearest",
    )
    bar = figure.colorbar(drawn, ax=determinants, extend="both", shrink=0.85)
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if 1 / most <= tick <= most]
    bar.set_ticks(ticks, labels=[f"1/{round(1 / tick)}" if tick < 1 else f"{tick:.0f}" for tick in ticks])
    bar.ax.minorticks_off()
    determinants.set_title("Jacobian determinant")
    for axes in views:
        if mask.max() > 0 and axes is not way:
            axes.contour(mask, [0.5], colors=_MASK if axes is grid else "black", linewidths=1.2)
        axes.set_aspect(aspect)
        axes.set_xticks([])
        axes.set_yticks([])
        # As in the window, and on a light box: the patient's right is on the viewer's left.
        axes.invert_xaxis()
    where = "" if not at else f", slice {at[0]} of {volume.shape[2]} from the feet"
    figure.suptitle(
        f"{result.prior.title} on {volume.name}{where}; {field.jacobian.folding:,} folding cells", fontsize=11
    )
    with replacing(path) as part:
        figure.savefig(part, dpi=_DOTS)


def _slice_number(side: tuple[int, int], through: Sequence[float] | None, field: ResultField) -> int:
    if through is None:
        mask, box = field.result.mask, field.result.box
        number = box[2][0] + int(mask.sum(axis=(0, 1)).argmax())
    else:
        number = round(through[2])
    return int(np.clip(number, side[0], side[1] - 1))
