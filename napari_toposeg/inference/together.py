"""Several objects of one volume, each with its own template and place: one job, one label map."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_slices, clip_box, grow_box
from napari_toposeg.inference.multiple import Claims, MultiSegmentation, parted
from napari_toposeg.inference.segmentation import Outcome
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.steps import Finish, Step, Steps, announced
from napari_toposeg.topology import signed_distance
from napari_toposeg.volume import Volume

_SUREST = 1e6

_STAGE = "part"

_SHARE = 1000
"""Steps of the whole job that each object counts as, however many its own run has."""


@dataclass(frozen=True, eq=False)
class ObjectTask:
    """One of several objects that are segmented in one job.

    Attributes
    ----------
    name : str
        As the person calls it; said beside each stage of its run.
    label : int
        Its number in the label map, 1 to 255.
    region : Box
        What its run looks at, in canonical voxels: its previews cover that.
    begin : callable
        Makes the steps of its run, and says why it is done so.
    """

    name: str
    label: int
    region: Box
    begin: Callable[[], tuple[Steps[Any], str]]


def region_of(regions: Sequence[Box]) -> Box:
    """The least box that holds all of them."""
    sides = zip(*regions, strict=True)
    return tuple((min(low for low, _ in side), max(high for _, high in side)) for side in sides)


def segment_together(
    volume: Volume, tasks: Sequence[ObjectTask], *, keep_topology: bool = True
) -> Steps[MultiSegmentation]:
    """Segment several objects, one after the other, and give every voxel one owner.

    Parameters
    ----------
    volume : Volume
        The image.
    tasks : sequence of ObjectTask
        At least one.
    keep_topology : bool
        As in `part_objects`.

    Yields
    ------
    Step[MultiSegmentation]
        Those of the objects' own runs: the stage names the object ("Kidney: fit"), and each object has the same share
        of the whole. Previews cover the box of all regions: the objects that are done, and how the one that runs is
        going. The last step carries the result. Throwing `Finish` ends the run of that object early, and leaves out
        those that would come after it.

    Raises
    ------
    ToposegError
        As the objects' own runs, with the name of the object.
    """
    watch = Stopwatch()
    box = region_of([task.region for task in tasks])
    seen = np.zeros(volume.shape, bool)
    done: list[tuple[ObjectTask, Outcome]] = []
    cancelled = False
    for place, task in enumerate(tasks):
        made: Outcome | None = None
        why = ""
        try:
            steps, why = task.begin()
            with contextlib.closing(steps), contextlib.suppress(StopIteration, Finish):
                step = next(steps)
                while True:
                    made = step.result
                    try:
                        yield _of_all(step, place, tasks, seen, box)
                    except Finish:
                        cancelled = True
                        step = steps.throw(Finish())
                    else:
                        step = next(steps)
        except ToposegError as error:
            raise ToposegError(f"{task.name}: {error.what}", why=error.why, todo=error.todo) from error
        watch.lap(task.name)
        if made is not None:
            done.append((task, replace(made, why=why)))
            seen[box_slices(made.box)] |= made.mask
        if cancelled:
            break
    if not done:
        return
    total = _SHARE * len(tasks) + 1
    yield from announced(Step(_STAGE, total - 1, total))
    result = part_objects(
        [one for _, one in done],
        labels=[task.label for task, _ in done],
        names=[task.name for task, _ in done],
        keep_topology=keep_topology,
    )
    watch.lap(_STAGE)
    yield Step(_STAGE, total, total, result=replace(result, seconds=watch.total()))


def part_objects(
    objects: Sequence[Outcome], *, labels: Sequence[int], names: Sequence[str], keep_topology: bool = True
) -> MultiSegmentation:
    """Let outcomes of one volume share no voxel.

    Parameters
    ----------
    objects : sequence of Outcome
        At least one; they may overlap.
    labels : sequence of int
        Each one's number in the label map.
    names : sequence of str
        What each is called.
    keep_topology : bool
        Whether voxels are given up by simple points where that can be (`resolve_overlaps`).

    Notes
    -----
    What made the objects differs (a fit, networks, a hand), so that nothing they say of themselves can be set side by
    side. Each one's sureness is the signed distance to its own surface, in mm: what two claim goes to the one that it
    lies deeper in.
    """
    volume = objects[0].volume
    box = clip_box(grow_box(region_of([one.box for one in objects]), [1] * volume.ndim), volume.shape)
    masks = np.stack([one.full_mask()[box_slices(box)] for one in objects])
    spacing = tuple(map(float, volume.spacing))
    # A body that fills the box has no surface in it, and an infinite distance.
    sureness = np.stack([np.clip(signed_distance(mask, spacing), -_SUREST, _SUREST) for mask in masks])
    made = parted(Claims(tuple(objects), box, sureness), strict=keep_topology)
    return replace(made, labels=tuple(labels), names=tuple(names))


def _of_all(
    step: Step[Outcome], place: int, tasks: Sequence[ObjectTask], seen: NDArray[np.bool_], box: Box
) -> Step[Any]:
    """A step of one object's run as one of the whole job."""
    task = tasks[place]
    preview = None
    if step.preview is not None:
        whole = seen.copy()
        whole[box_slices(task.region)] |= np.asarray(step.preview, bool)
        preview = whole[box_slices(box)]
    number = round(_SHARE * (place + step.number / step.total))
    return Step(f"{task.name}: {step.stage}", number, _SHARE * len(tasks) + 1, step.losses, preview)
