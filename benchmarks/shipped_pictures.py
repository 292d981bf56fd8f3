"""The five worst cases of a task, drawn: where the mask, the label and the template run.

Images of patients are nobody's to publish here, whatever their licence: what goes into docs/ are outlines on plain
ground, where tables are documented. The same with the images goes to .benchmarks/, which git ignores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from halves import Subject
from numpy.typing import NDArray
from shipped_runs import OUT, Measured

from napari_toposeg.formats import replacing
from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box

WORST = 5
DOCS = Path(__file__).parents[1] / "docs" / "pictures"
# Orange and sky blue stay apart for colour-blind eyes.
LABEL, MASK, TEMPLATE = "#1a9850", "#f5a300", "#4fb3ef"
SURROUNDINGS = 0.15
"""What is shown round everything that is drawn, as a share of the longest side."""


def draw_worst(
    name: str, measured: Sequence[Measured], subjects: Mapping[tuple[str, str], Subject], *, document: bool
) -> None:
    """Draw the worst of these cases, by the Dice of the last way in which they were measured."""
    methods = list(dict.fromkeys(one.method for one in measured))
    if not methods[-1].startswith("network"):
        return
    found = sorted((one for one in measured if one.method == methods[-1]), key=lambda one: one.metrics.dice)[:WORST]
    templates = {
        (one.task, one.name): one.mask for one in measured if one.method.startswith("template, as the network")
    }
    tiles = [(one, subjects[one.task, one.name], templates[one.task, one.name]) for one in found]
    for folder, pale in ((OUT, False), (DOCS, True)) if document else ((OUT, False),):
        folder.mkdir(parents=True, exist_ok=True)
        _draw(tiles, folder / f"worst-{name}.png", pale)


def _draw(tiles: Sequence[tuple[Measured, Subject, NDArray[np.bool_] | None]], path: Path, pale: bool) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    places = max(len(tiles), 3)  # the legend's width
    figure = Figure(figsize=(2.1 * places, 2.75), facecolor="white")
    FigureCanvasAgg(figure)
    for place, (one, subject, template) in enumerate(tiles):
        axes = figure.add_axes(((place + 0.03) / places, 0.12, 0.94 / places, 0.76))
        assert one.mask is not None
        assert template is not None
        cut, aspect = worst_cut(one.mask, subject.label, template, subject.volume.spacing)
        image, label, mask, stood = (
            array[cut].T.astype(float) for array in (subject.volume.voxels, subject.label, one.mask, template)
        )
        if pale:
            axes.set_xlim(-0.5, image.shape[1] - 0.5)
            axes.set_ylim(-0.5, image.shape[0] - 0.5)
            axes.set_aspect(aspect)
            axes.contourf(label, levels=[0.5, 2.0], colors=[LABEL], alpha=0.12)
        else:
            axes.imshow(image, cmap="gray", origin="lower", aspect=aspect)
        for array, colour, style in ((stood, TEMPLATE, "dashed"), (label, LABEL, "solid"), (mask, MASK, "solid")):
            if array.any():
                axes.contour(array, [0.5], colors=colour, linestyles=style, linewidths=1.3)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#bbbbbb")
        axes.set_title(f"Dice {one.metrics.dice:.2f}", fontsize=9, pad=3)
    lines = [
        Line2D([], [], color=LABEL, label="label"),
        Line2D([], [], color=MASK, label="mask"),
        Line2D([], [], color=TEMPLATE, linestyle="dashed", label="template, as the network is shown it"),
    ]
    figure.legend(handles=lines, loc="lower center", ncols=3, frameon=False, fontsize=8, borderaxespad=0.2)
    with replacing(path) as part:
        figure.savefig(part, dpi=100, format="png")


def worst_cut(
    mask: NDArray[np.bool_], label: NDArray[np.bool_], template: NDArray[np.bool_], spacing: NDArray[np.float64]
) -> tuple[tuple[slice | int, ...], float]:
    """Of a volume the slice, along any axis, with the largest wrong area; cut to what is to be seen.

    Returns
    -------
    cut : tuple of slice and int
        Into arrays like the mask.
    aspect : float
        Height of a voxel over its width, the first axis that is left running to the right.
    """
    box = box_of(mask | label | template)
    assert box is not None
    around = SURROUNDINGS * max((high - low) * step for (low, high), step in zip(box, spacing, strict=True))
    cut: list[slice | int] = list(box_slices(clip_box(grow_box(box, list(around / spacing)), mask.shape)))
    axes = list(range(mask.ndim))
    if mask.ndim == 3:
        wrong = mask ^ label
        areas = [
            wrong.sum(axis=tuple(k for k in axes if k != axis)) * np.prod(np.delete(spacing, axis)) for axis in axes
        ]
        axis = int(np.argmax([area.max() for area in areas]))
        cut[axis] = int(areas[axis].argmax())
        axes.remove(axis)
    return tuple(cut), float(spacing[axes[1]] / spacing[axes[0]])
