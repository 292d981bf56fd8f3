"""The objects of a session: each has its name, label, colour, prior, place, prompts and mask; one of them is chosen.

All that a session does is done to the chosen one: it is placed, corrected, measured. The others are kept aside as they
stand, and come back as they were when they are chosen. A run segments all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.frame import Box, box_slices
from napari_toposeg.inference import MultiSegmentation, ObjectTask, part_objects
from napari_toposeg.priors import Prior
from napari_toposeg.session.session_object import NOWHERE, ObjectsState, SessionObject, labels_of, outlines_of
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session

COLOURS = ("#2ec4b6", "#b388ff", "#ff6b8b", "#a3d94e", "#4da6ff", "#ffb347", "#f2e863", "#e0a3c8")
"""One after the other for objects that are added; none is the orange of a run's preview."""

MOST_OBJECTS = 255


class Objects:
    """The part of a session that holds several objects."""

    def __init__(self) -> None:
        super().__init__()
        self._begin_objects()

    def _begin_objects(self) -> None:
        """One object, of which nothing is known yet."""
        self._objects: tuple[SessionObject, ...] = (SessionObject(0, "Object 1", 1, COLOURS[0], NOWHERE),)
        self._chosen = 0
        self._others: tuple[SessionObject, ...] = ()
        self._claimed: NDArray[np.bool_] | None = None

    # What there is

    @property
    def objects(self) -> tuple[SessionObject, ...]:
        """All objects as they stand, in the order in which they were added; at least one."""
        session = self._session()
        with session.history.lock:
            return tuple(self._standing_object() if one.number == self._chosen else one for one in self._objects)

    @property
    def several(self) -> bool:
        """Whether there is more than one object."""
        return len(self._objects) > 1

    @property
    def chosen_number(self) -> int:
        """The number of the chosen object."""
        return self._chosen

    @property
    def chosen_colour(self) -> str:
        """Its colour."""
        return self._entry().colour

    @property
    def chosen_object(self) -> SessionObject:
        """The one that everything else of the session is about."""
        with self._session().history.lock:
            return self._standing_object()

    def other_voxels(self, box: Box) -> NDArray[np.bool_] | None:
        """(*box) bool: what belongs to the objects that are not chosen; None where there are no such voxels."""
        others = tuple(one for one in self._others_kept() if one.result is not None)
        if [id(one) for one in others] != [id(one) for one in self._others]:
            # A brush asks at every move: what is kept aside does not change meanwhile.
            self._others, self._claimed = others, None
            for one in others:
                voxels = one.voxels()
                self._claimed = voxels if self._claimed is None or voxels is None else self._claimed | voxels
        return None if self._claimed is None else self._claimed[box_slices(box)]

    def other_outlines(self) -> tuple[NDArray[np.uint8], Box] | None:
        """`outlines_of` the placed templates of the objects that are not chosen. Not for a window's thread."""
        return outlines_of(self._others_kept(), self._session().opened())

    def other_labels(self) -> tuple[NDArray[np.uint8], Box] | None:
        """`labels_of` their masks."""
        return labels_of(self._others_kept(), self._session().opened())

    # What a person does

    def add_object(
        self,
        name: str | None = None,
        *,
        prior: Prior | str | None = None,
        label: int | None = None,
        colour: str | None = None,
    ) -> SessionObject:
        """Add an object, and choose it.

        Parameters
        ----------
        name : str, optional
            Default: "Object 2" and so on.
        prior : Prior or str, optional
            As `Session.choose_prior` takes it.
        label : int, optional
            1 to 255. Default: one above the highest.
        colour : str, optional
            "#rrggbb".

        Raises
        ------
        ToposegError
            If a name or a label is taken, a label is none, a run is under way, or as `Session.choose_prior`.
        """
        session = self._session()
        self._refuse_while_running()
        if session.labelling.folder is not None:
            raise ToposegError("A folder is being labelled, with one object.", todo="Close the folder first.")
        count = len(self._objects)
        if label is None:
            label = _least_free({one.label for one in self._objects})
        if name is None:
            taken = {one.name for one in self._objects}
            name = next(name for name in (f"Object {number}" for number in range(label, label + count + 2))
                        if name not in taken)  # fmt: skip
        number = max(one.number for one in self._objects) + 1
        made = SessionObject(number, name, label, colour or COLOURS[number % len(COLOURS)], NOWHERE)
        self._check(made)
        with session.history.lock, self._one_change(f"Added: {name}"):
            self._objects = (*self.objects, made)
            self._choose_number(number)
            if prior is not None:
                session.choose_prior(prior)
        self._tell()
        return self.chosen_object

    def remove_object(self, which: int | str) -> None:
        """Take an object away, with its mask; where it was the chosen one, its neighbour is chosen.

        Parameters
        ----------
        which : int or str
            Its label or its name.

        Raises
        ------
        ToposegError
            If there is no such object, it is the only one, or a run is under way.
        """
        self._refuse_while_running()
        one = self._found(which)
        if not self.several:
            raise ToposegError(f"{one.name} is the only object.", todo="Choose another prior for it.")
        with self._session().history.lock, self._one_change(f"Removed: {one.name}"):
            left = tuple(other for other in self.objects if other.number != one.number)
            if one.number == self._chosen:
                place = [other.number for other in self._objects].index(one.number)
                self._choose_number(left[max(place - 1, 0)].number)
                left = tuple(other for other in self._objects if other.number != one.number)
            self._objects = left
        self._tell()

    def choose_object(self, which: int | str) -> SessionObject:
        """Work on this object from now on. See `remove_object`; it is no change, and cannot be undone."""
        one = self._found(which)
        if one.number != self._chosen:
            self._refuse_while_running()
            with self._session().history.resting():
                self._choose_number(one.number)
            self._tell()
        return self.chosen_object

    def change_object(
        self, which: int | str, *, name: str | None = None, label: int | None = None, colour: str | None = None
    ) -> SessionObject:
        """Call an object something else, or give it another label or colour. See `add_object`."""
        one = self._found(which)
        changed = replace(
            one, name=one.name if name is None else name.strip(), label=one.label if label is None else label,
            colour=colour or one.colour,
        )  # fmt: skip
        self._check(changed)
        with self._session().history.lock, self._one_change(f"Changed: {changed.name}"):
            self._objects = tuple(changed if other.number == one.number else other for other in self.objects)
        self._tell()
        return next(other for other in self.objects if other.number == one.number)

    def part_objects(self) -> MultiSegmentation:
        """All masks as they stand, as one label map.

        A hand, prompts or fine-tuning may have made one object claim what another one has: it is given to one of them
        (`napari_toposeg.inference.part_objects`), which is a change that can be undone. Not for a window's thread.

        Raises
        ------
        ToposegError
            If no object has a mask.
        """
        with self._session().history.lock:
            objects = [one for one in self.objects if one.result is not None]
            outcomes = {one.number: outcome for one in objects if (outcome := one.outcome()) is not None}
        if not objects:
            raise ToposegError("There is no segmentation to save.", todo="Press Run first.")
        labels, names = [one.label for one in objects], [one.name for one in objects]
        # Who shares nothing is the same afterwards, whoever is surer.
        made = part_objects(list(outcomes.values()), labels=labels, names=names)
        if made.contested_voxels:
            self.take_objects(made, tuple(outcomes), "Overlaps given to one object each")
        return made

    # How it does that

    def tasks(self, volume: Volume) -> tuple[tuple[int, ...], list[ObjectTask]]:
        """What a run of all objects does, and their numbers.

        Raises
        ------
        ToposegError
            If one of them is not placed.
        """
        session = self._session()
        objects, settings = self.objects, session.settings
        nowhere = [one.name for one in objects if one.prior is None or one.site is None]
        if nowhere:
            raise ToposegError(
                f"{listed(nowhere)} {'has' if len(nowhere) == 1 else 'have'} no place yet.",
                why="All objects are segmented together.",
                todo="Choose its shape and place it, or remove it from the list.",
            )
        tasks = []
        for one in objects:
            prior, site = one.prior, one.site
            assert prior is not None
            assert site is not None
            prompts = tuple(prompt for mark in one.marks for prompt in mark.prompts)
            begin = session.beginning(volume, prior, site, settings, one.network, prompts)
            tasks.append(ObjectTask(one.name, one.label, site.region, begin))
        return tuple(one.number for one in objects), tasks

    def take_objects(self, made: MultiSegmentation, numbers: tuple[int, ...], name: str) -> None:
        """Make several outcomes the results of the objects of these numbers, as one change."""
        session = self._session()
        with session.history.lock, self._one_change(name):
            outcomes = dict(zip(numbers, made.objects, strict=True))
            self._objects = tuple(
                replace(
                    one, mask=session.working_mask.state_of(outcomes[one.number]),
                    certificate=outcomes[one.number].certificate,
                )
                if one.number in outcomes else one
                for one in self.objects
            )  # fmt: skip
            if self._chosen in outcomes:
                session.working_mask.take(outcomes[self._chosen], None, name)
        self._tell()

    def objects_state(self) -> ObjectsState:
        """All of them, for the history."""
        return ObjectsState(self.objects, self._chosen)

    def objects_for_file(self) -> ObjectsState:
        """The same without what the file keeps of the chosen one anyway."""
        chosen = self._entry()
        bare = SessionObject(chosen.number, chosen.name, chosen.label, chosen.colour, NOWHERE)
        return ObjectsState(tuple(bare if one is chosen else one for one in self._objects), self._chosen)

    def load_objects(self, state: ObjectsState | None) -> None:
        """Bring back what `objects_for_file` gave, but for the chosen one; None: a file of one object."""
        if state is None:
            self._begin_objects()
        else:
            self._objects, self._chosen = state.objects, state.chosen
        self._tell()

    def choose_number(self, number: int) -> None:
        """Choose the object of this number, for the history; that is no change of its own."""
        if number != self._chosen and any(one.number == number for one in self._objects):
            with self._session().history.resting():
                self._choose_number(number)
            self._tell()

    def restore_objects(self, state: ObjectsState) -> None:
        """Bring back what the history kept."""
        self._objects, self._chosen = state.objects, state.chosen
        self._bring(self._entry())
        self._tell()

    def forget_places(self) -> None:
        """Another volume: names, labels, colours and priors stay where they fit; places and masks are gone."""
        volume = self._session().volume
        fits = all(one.prior is None or volume is None or one.prior.ndim == volume.ndim for one in self._objects)
        if self.several and fits:
            self._objects = tuple(
                replace(
                    SessionObject(one.number, one.name, one.label, one.colour, replace(NOWHERE, prior=one.prior)),
                    network=one.network,
                )
                for one in self._objects
            )
        else:
            self._begin_objects()
        self._tell()

    def _choose_number(self, number: int) -> None:
        self._objects = self.objects
        self._chosen = number
        self._bring(self._entry())

    def _others_kept(self) -> tuple[SessionObject, ...]:
        return tuple(one for one in self._objects if one.number != self._chosen)

    def _entry(self) -> SessionObject:
        return next(one for one in self._objects if one.number == self._chosen)

    def _standing_object(self) -> SessionObject:
        """The chosen one as it stands."""
        session = self._session()
        return replace(
            self._entry(),
            placing=session.placing_state(),
            network=session.network,
            marks=session.prompts.marks,
            mask=session.working_mask.state(),
            certificate=session.certificate,
        )

    def _bring(self, one: SessionObject) -> None:
        """Let the session work on an object that was kept aside."""
        session = self._session()
        session.stand(one.placing, one.network)
        session.prompts.load_marks(one.marks)
        session.working_mask.bring_back(one.mask)

    def _found(self, which: int | str) -> SessionObject:
        found = [one for one in self.objects if which in (one.label, one.name)]
        if not found:
            raise ToposegError(
                f"There is no object {which}.", why=f"There are {listed([one.name for one in self._objects])}."
            )
        return found[0]

    def _check(self, made: SessionObject) -> None:
        """Refuse what cannot be told from another object, or written."""
        if not made.name:
            raise ToposegError("An object has to have a name.")
        if not 1 <= made.label <= MOST_OBJECTS:
            raise ToposegError(f"{made.label} is no label.", todo=f"Choose one from 1 to {MOST_OBJECTS}.")
        for other in self._objects:
            if other.number != made.number and other.name == made.name:
                raise ToposegError(f"Another object is called {made.name} already.", todo="Choose another name.")
            if other.number != made.number and other.label == made.label:
                raise ToposegError(f"{other.name} has the label {made.label} already.", todo="Choose another one.")

    def _refuse_while_running(self) -> None:
        session = self._session()
        if session.running or session.tuning.running:
            raise ToposegError("A run is under way.", todo="Wait for it, or cancel it.")

    def _one_change(self, name: str) -> Any:
        session = self._session()
        return session.history.one_change(name, "objects", self.objects_state)

    def _tell(self) -> None:
        session = self._session()
        session.events.objects.emit(len(self._objects))

    def _session(self) -> Session:
        return cast("Session", self)


def _least_free(taken: set[int]) -> int:
    highest = max(taken)
    if highest < MOST_OBJECTS:
        return highest + 1
    free = [label for label in range(1, MOST_OBJECTS) if label not in taken]
    if not free:
        raise ToposegError("A label map cannot hold more objects.", why=f"There are {MOST_OBJECTS} of them.")
    return free[0]
