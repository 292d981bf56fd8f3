"""Undo against a model of it: random paints, placements, prompts, runs, and the way back from all of them.

5,000 of them; TOPOSEG_ACTIONS=400 for a look between.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from napari_toposeg.errors import ToposegError
from napari_toposeg.session import Session
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

ACTIONS = int(os.environ.get("TOPOSEG_ACTIONS", "5000"))


def counted(session) -> None:
    """Wait until the compute thread has done all that was ordered before."""
    done = threading.Event()
    session.later(done.set, lambda _: None)
    assert done.wait(30)


class Hand(RuleBasedStateMachine):
    """A person who paints, places, prompts, runs and undoes; beside it a model that keeps copies of everything."""

    def __init__(self) -> None:
        super().__init__()
        grid = np.meshgrid(*[np.arange(size) - (size - 1) / 2 for size in (22, 22, 14)], indexing="ij")
        self.ring = (np.hypot(grid[0], grid[1]) - 5.5) ** 2 + grid[2] ** 2 < 6
        self.volume = Volume.from_stored(self.ring.astype(np.float32), np.eye(4))
        self.session = Session()
        self.session.set_volume(self.volume)
        self.session.choose_prior("torus")
        self.session.take_result(self.made(self.volume, self.ring, "torus"))
        self.session.history.clear()
        self.states = [self.seen()]
        self.position = 0

    def teardown(self) -> None:
        self.session.close()

    def seen(self):
        session = self.session
        placement = None if session.placement is None else session.placement.matrix.copy()
        return (
            None if session.mask is None else session.mask.copy(),
            session.result, placement, session.site, session.prompts.marks, session.edited,
        )  # fmt: skip

    def did(self) -> None:
        """Whatever was done is one change, or none at all."""
        count = len(self.session.history.names)
        if self.session.history.position == self.position and count == len(self.states) - 1:
            return
        assert self.session.history.position == count == self.position + 1
        self.states[self.position + 1 :] = [self.seen()]
        self.position += 1

    @rule(
        at=st.tuples(st.integers(0, 21), st.integers(0, 21), st.integers(0, 13)), erase=st.booleans(),
        locked=st.sampled_from([True, True, False]), axis=st.sampled_from([None, 0, 1, 2]), radius=st.floats(0, 4),
        way=st.tuples(st.integers(-6, 6), st.integers(-6, 6), st.integers(-3, 3)),
    )  # fmt: skip
    def paint(self, at, erase, locked, axis, radius, way) -> None:
        if self.session.mask is None:
            return
        self.session.brush.radius = radius
        betti = betti_numbers(self.session.mask)
        stroke = self.session.brush.erase if erase else self.session.brush.paint
        stroke([at, np.add(at, way)], axis=axis, locked=locked)
        assert not locked or betti_numbers(self.session.mask) == betti
        self.did()

    @rule(low=st.tuples(*[st.integers(0, 6)] * 3), size=st.integers(6, 9))
    def place(self, low, size) -> None:
        self.session.place_in_box(tuple((start, start + size) for start in low))
        self.did()

    @precondition(lambda self: self.session.placement is not None)
    @rule(by=st.tuples(*[st.integers(-2, 2)] * 3))
    def move(self, by) -> None:
        # Moved far enough, it would lie outside of the image: refused, and nothing has changed.
        with suppress(ToposegError):
            self.session.move_placement(np.array(by, float))
        self.did()

    @rule(at=st.tuples(*[st.integers(-2, 24)] * 3), include=st.booleans())
    def prompt(self, at, include) -> None:
        self.session.prompts.add(at, include=include)
        self.did()

    @precondition(lambda self: self.session.prompts.marks)
    @rule(which=st.integers(0, 9))
    def unprompt(self, which) -> None:
        self.session.prompts.remove(which % len(self.session.prompts.marks))
        self.did()

    @rule(shift=st.integers(-2, 2))
    def run(self, shift) -> None:
        made = self.made(self.volume, np.roll(self.ring, shift, axis=0), "torus")
        self.session.take_result(made, name="Run: torus")
        self.did()

    @precondition(lambda self: self.position > 0)
    @rule()
    def undo(self) -> None:
        self.session.history.undo()
        self.position -= 1

    @precondition(lambda self: self.position < len(self.states) - 1)
    @rule()
    def redo(self) -> None:
        self.session.history.redo()
        self.position += 1

    @rule(share=st.floats(0, 1))
    def go_to(self, share) -> None:
        self.position = round(share * (len(self.states) - 1))
        self.session.history.go_to(self.position)

    @invariant()
    def everything_is_as_it_was_and_the_certificate_is_true(self) -> None:
        mask, result, placement, site, marks, edited = self.seen()
        was = self.states[self.position]
        assert result is was[1]
        assert np.array_equal(mask, was[0])
        assert (placement is None) == (was[2] is None)
        assert placement is None or np.array_equal(placement, was[2])
        assert site is was[3]
        assert marks == was[4]
        assert edited == was[5]
        counted(self.session)
        assert self.session.certificate.betti_mask == betti_numbers(mask)
        assert self.session.history.position == self.position


def test_undo_is_exact_and_the_certificate_true_after_every_one_of_many_random_actions(made_outcome) -> None:
    runs = max(ACTIONS // 40, 1)
    checked = settings(
        max_examples=runs, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    machine = type("Checked", (Hand,), {"made": staticmethod(made_outcome)})
    machine.TestCase.settings = checked
    machine.TestCase("runTest").runTest()
