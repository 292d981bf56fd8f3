"""One picture of a segmentation: the mask's outline on the image, and where the deformation stretches and squeezes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.formats import replacing
from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.priors import signed_distance
from napari_toposeg.topology import betti_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_toposeg.inference import Segmentation

# Orange and sky blue stay apart for colour-blind eyes, and both stand out on grey.
_MASK, _TEMPLATE, _FOLD = "#f5a300", "#4fb3ef", "#d400d4"
_ENDS = (("L", "R"), ("P", "A"), ("F", "H"))
_SURROUNDINGS = 10.0  # mm shown round the mask and the template
_VIEWS = {2: ((0, 1),), 3: ((0, 1), (0, 2), (1, 2))}
# Inches round the views and between them.
_LEFT, _RIGHT, _BELOW, _ABOVE, _GAP = 0.3, 0.95, 0.45, 0.5, 0.12


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
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    arrays = _arrays(result, truth)
    cuts = _cuts(arrays["truth"])
    spacing = result.volume.spacing
    extents = spacing * arrays["image"].shape  # mm
    # Every view in one scale, in two rows of which the higher view sets the height.
    widths = [float(extents[cut.across]) for cut in cuts]
    inches = (10.0 if len(cuts) > 1 else 5.0) / sum(widths)
    height = inches * float(max(extents[cut.up] for cut in cuts))
    across = sum(widths) * inches + _GAP * (len(cuts) - 1)
    size = (_LEFT + across + _RIGHT, _BELOW + 2 * height + _GAP + _ABOVE)
    figure = Figure(figsize=size, facecolor="white")
    FigureCanvasAgg(figure)

    def place(left: float, bottom: float, width: float, tall: float) -> Axes:
        return figure.add_axes((left / size[0], bottom / size[1], width / size[0], tall / size[1]))

    # Symmetric in the logarithm: half the size is as far from 1 as twice the size.
    seen = arrays["jacobian"][arrays["jacobian"] > 0]
    most = float(np.clip(np.exp(np.abs(np.log(np.percentile(seen, (1, 99)))).max()), 1.5, 8.0))
    # As in the window: red below 1, blue above.
    shades = colormaps["RdBu"].with_extremes(bad=_FOLD)
    darkest, brightest = np.percentile(arrays["image"], (0.5, 99.8))
    left = _LEFT
    for cut, width in zip(cuts, widths, strict=True):
        tall = inches * float(extents[cut.up])
        middle = (height - tall) / 2.0
        upper = place(left, _BELOW + height + _GAP + middle, width * inches, tall)
        lower = place(left, _BELOW + middle, width * inches, tall)
        left += width * inches + _GAP
        shown: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
        upper.imshow(cut.of(arrays["image"]), cmap="gray", vmin=darkest, vmax=brightest, **shown)
        map_ = lower.imshow(cut.of(arrays["jacobian"]), cmap=shades, norm=LogNorm(1 / most, most), **shown)
        upper.contour(cut.of(arrays["template"]), [0.0], colors=_TEMPLATE, linestyles="dashed", linewidths=1.4)
        upper.contour(cut.of(arrays["mask"]), [0.5], colors=_MASK, linewidths=1.6)
        lower.contour(cut.of(arrays["mask"]), [0.5], colors="black", linewidths=1.0)
        for axes in (upper, lower):
            if _towards_the_right(cut, result):
                # As in the window, and on a light box: the patient's right is on the viewer's left.
                axes.invert_xaxis()
            _label_ends(axes, cut, mirrored=_towards_the_right(cut, result))
    bar = figure.colorbar(map_, cax=place(_LEFT + across + 0.15, _BELOW, 0.16, height), extend="both")
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if 1 / most <= tick <= most]
    bar.set_ticks(ticks, labels=[f"1/{round(1 / tick)}" if tick < 1 else f"{tick:.0f}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.set_label("Jacobian determinant", fontsize=9)
    lines = [
        Line2D([], [], color=_TEMPLATE, linestyle="dashed", linewidth=1.4, label="template, after the affine stage"),
        Line2D([], [], color=_MASK, linewidth=1.6, label="segmentation"),
    ]
    figure.legend(
        handles=lines,
        loc="center left",
        ncols=2,
        frameon=False,
        fontsize=9,
        borderpad=0.0,
        borderaxespad=0.0,
        bbox_to_anchor=(_LEFT / size[0], 0.5 * _BELOW / size[1]),
    )
    figure.text(_LEFT / size[0], 1 - 0.5 * _ABOVE / size[1], _title(result), fontsize=11, va="center")
    with replacing(path) as part:
        figure.savefig(part, dpi=140)


def _title(result: Segmentation) -> str:
    certificate = result.certificate
    counted = f"{result.prior.title}: {betti_words(certificate.betti_mask)}"
    right = "as the prior" if certificate.topology_ok else "NOT as the prior"
    return f"{counted} ({right}); {certificate.folding_voxels} folds"


def _arrays(result: Segmentation, truth: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Everything that is drawn, on the box that is shown."""
    volume = result.volume
    mask = result.full_mask()
    template = signed_distance(result.prior, result.placement, volume.frame).numpy()
    box = box_of(mask | truth | (template > 0))
    assert box is not None  # the template alone has voxels
    shown = box_slices(clip_box(grow_box(box, list(_SURROUNDINGS / volume.spacing)), volume.shape))
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


def _towards_the_right(cut: _Cut, result: Segmentation) -> bool:
    """Whether a view's horizontal axis runs to the patient's right."""
    return cut.across == 0 and result.volume.stored.dropped != 0


def _label_ends(axes: Axes, cut: _Cut, *, mirrored: bool) -> None:
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
        axes.text(place, 0.5, _ENDS[cut.across][1 - end if mirrored else end], **style)
        axes.text(0.5, place, _ENDS[cut.up][end], **style)
