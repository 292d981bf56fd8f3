"""Pictures of barcodes for papers and slides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.topology.persistence.bars import Barcode
from napari_toposeg.topology.persistence.scale import Scale
from napari_toposeg.topology.words import FEATURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

DIMENSION_COLOURS = ("#0f6fc6", "#e07b00", "#12937f")
"""Blue, orange and green-blue, of the app's own hues; apart for colour-blind eyes, and in grey by their lightness."""

_MARKERS = ("o", "s", "^")
_INK, _FAINT = "#2b2f36", "#9aa1ab"
_ROWS_OF_ONE_POINT = 60
"""Bars up to which each has room for a thick line."""


def plot_barcode(
    barcode: Barcode,
    axes: Axes | None = None,
    *,
    level: float | None = 0.5,
    most: int = 100,
    shortest: float = 0.01,
    title: str = "",
    scale: Scale | None = None,
) -> Figure:
    """Draw a barcode: one line for each bar, the level falling from 1 on the left to 0 on the right.

    Parameters
    ----------
    barcode : Barcode
        What is drawn. Within a dimension the longest bar is on top.
    axes : matplotlib Axes, optional
        Where to draw. Default: on a new figure.
    level : float, optional
        Where a dashed line stands; the legend counts the bars that it crosses. None: no line.
    most : int
        Of each dimension only so many of the longest are drawn; the legend says how many were left out.
    shortest : float
        Nor are bars that are shorter, which would be specks; a network's map has hundreds of them close to 0.
    title : str
        Stands above.
    scale : Scale, optional
        What is written beside the axis instead of the levels.

    Returns
    -------
    matplotlib Figure
        Save it with ``figure.savefig``. It belongs to no window, so that any thread may draw.

    Notes
    -----
    As in Fig. 1 of J. R. Clough et al., A topological loss function for deep-learning based image segmentation using
    persistent homology. The component that never dies ends in an arrow.
    """
    from matplotlib.collections import LineCollection

    visible = barcode.select((barcode.length >= shortest) | barcode.everlasting)
    shown = [_longest(visible, dimension, most) for dimension in range(barcode.ndim)]
    count = sum(len(bars) for bars in shown)
    if axes is None:
        axes = _new_axes((6.4, float(np.clip(1.6 + 0.075 * count, 2.6, 7.5))))
    thickness = 2.2 if count <= _ROWS_OF_ONE_POINT else max(0.5, 2.2 * _ROWS_OF_ONE_POINT / count)
    # A gap between the dimensions, of rows, so that they stay groups where there are many bars.
    gap = max(1.0, 0.03 * count)
    row = 0.0
    for bars, colour in zip(shown, DIMENSION_COLOURS, strict=False):
        rows = row + np.arange(len(bars))
        ends = np.stack([np.stack([bars.birth, rows], axis=1), np.stack([bars.death, rows], axis=1)], axis=1)
        axes.add_collection(LineCollection(list(ends), colors=colour, linewidths=thickness, capstyle="butt"))
        for number in np.flatnonzero(bars.everlasting):
            axes.plot(
                [0.0], [rows[number]], marker=(3, 0, -90), color=colour, markersize=3.5 + 2 * thickness, clip_on=False,
                linestyle="none", zorder=5,
            )  # fmt: skip
        row += len(bars) + (gap if len(bars) else 0.0)
    axes.set_xlim(1.0, 0.0)
    axes.set_ylim(max(row - gap, 1.0), -0.6)
    axes.set_yticks([])
    _measure(axes.xaxis, scale)
    axes.set_xlabel("level" if scale is None else scale.name)
    if level is not None:
        axes.axvline(level, color=_INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.5)
    _finish(axes, barcode, shown, level, title, scale, hidden=("left", "right", "top"), style={"linewidth": 2.2})
    return _figure_of(axes)


def plot_diagram(
    barcode: Barcode,
    axes: Axes | None = None,
    *,
    level: float | None = 0.5,
    most: int = 5000,
    title: str = "",
    scale: Scale | None = None,
) -> Figure:
    """Draw a persistence diagram: a point for each bar, its birth across and its death up.

    Parameters
    ----------
    barcode : Barcode
        What is drawn.
    axes : matplotlib Axes, optional
        Where to draw. Default: on a new figure.
    level : float, optional
        The corner of bars that are alive at this level, those of the Betti numbers there, is shaded. None: nothing is.
    most : int
        Of each dimension only so many of the longest are drawn; the legend says how many were left out.
    title : str
        Stands above.
    scale : Scale, optional
        What is written beside both axes instead of the levels.

    Returns
    -------
    matplotlib Figure
        As of `plot_barcode`.

    Notes
    -----
    Both axes run from 1 to 0, as the level does: the longer a bar, the farther its point lies above the diagonal. The
    component that never dies is a point with a ring, on the edge where the level is 0.
    """
    shown = [_longest(barcode, dimension, most) for dimension in range(barcode.ndim)]
    if axes is None:
        axes = _new_axes((5.2, 5.4))
    count = sum(len(bars) for bars in shown)
    size, opacity = (26.0, 0.85) if count <= 300 else (9.0, 0.55)
    axes.plot([1, 0], [1, 0], color=_FAINT, linewidth=1.0, zorder=0.5)
    if level is not None:
        axes.fill_between([1, level], 0.0, level, color=_FAINT, alpha=0.16, linewidth=0, zorder=0.2)
        axes.plot([1, level, level], [level, level, 0], color=_INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.5)
    for bars, colour, marker in zip(shown, DIMENSION_COLOURS, _MARKERS, strict=False):
        axes.scatter(
            bars.birth, bars.death, s=size, color=colour, marker=marker, alpha=opacity, linewidths=0, clip_on=False,
            zorder=3,
        )  # fmt: skip
        lasting = bars.select(bars.everlasting)
        axes.scatter(
            lasting.birth, lasting.death, s=4 * size, facecolors="none", edgecolors=colour, linewidths=1.2,
            clip_on=False, zorder=4,
        )  # fmt: skip
    axes.set_xlim(1.0, 0.0)
    axes.set_ylim(1.0, 0.0)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        _measure(axis, scale)
    measured = "" if scale is None else f": {scale.name}"
    axes.set_xlabel(f"birth{measured}")
    axes.set_ylabel(f"death{measured}")
    style = {"linestyle": "none", "markersize": 6}
    _finish(axes, barcode, shown, level, title, scale, hidden=("right", "top"), style=style)
    return _figure_of(axes)


def _new_axes(inches: tuple[float, float]) -> Axes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not pyplot: its list of figures is shared between threads, and it may open a window.
    figure = Figure(figsize=inches, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def _figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _measure(axis: Axis, scale: Scale | None) -> None:
    """Write a scale's round numbers beside an axis of levels."""
    from matplotlib.ticker import MaxNLocator

    if scale is not None:
        values = np.asarray(MaxNLocator(6).tick_values(scale.low, scale.high))
        inside = [value for value in values.tolist() if scale.low <= value <= scale.high]
        axis.set_ticks([scale.level(value) for value in inside], [f"{value:g}" for value in inside])


def _longest(barcode: Barcode, dimension: int, most: int) -> Barcode:
    """The longest bars of a dimension, longest first."""
    bars = barcode.of_dimension(dimension)
    order: NDArray[Any] = np.argsort(-bars.length, kind="stable")
    return bars.select(order[:most])


def _finish(
    axes: Axes,
    barcode: Barcode,
    shown: Sequence[Barcode],
    level: float | None,
    title: str,
    scale: Scale | None,
    *,
    hidden: Sequence[str],
    style: dict[str, Any],
) -> None:
    """Legend, title and the look of the axes."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    betti = barcode.betti(level) if level is not None else (0,) * barcode.ndim
    handles = []
    names = [many for _, many in FEATURES[barcode.ndim]]
    for dimension, (bars, colour, name) in enumerate(zip(shown, DIMENSION_COLOURS, names, strict=False)):
        count = int(np.count_nonzero(barcode.dimension == dimension))
        label = f"{name}: {count:,}"
        if len(bars) < count:
            label += f" ({count - len(bars):,} shortest not drawn)"
        if level is not None:
            label += f", {betti[dimension]:,} at {f'{level:g}' if scale is None else scale.text(level)}"
        marker = _MARKERS[dimension] if "markersize" in style else ""
        handles.append(Line2D([], [], color=colour, marker=marker, label=label, **style))
    # Below the axis by inches, whatever the height of the figure.
    below = axes.transAxes + ScaledTranslation(0.0, -0.55, _figure_of(axes).dpi_scale_trans)
    legend = axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=below, frameon=False, fontsize=9,
        labelcolor=_INK, handletextpad=0.6, borderpad=0.2, borderaxespad=0.0, alignment="left", title_fontsize=9,
    )  # fmt: skip
    if barcode.min_persistence:
        # Else the counts would be taken for those of all bars, and of the mask.
        legend.set_title(f"bars longer than {barcode.min_persistence:g}")
        legend.get_title().set_color(_INK)
    for side in hidden:
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_FAINT)
    axes.tick_params(colors=_INK, labelsize=9, color=_FAINT)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    if title:
        axes.set_title(title, loc="left", fontsize=11, color=_INK, pad=12)
