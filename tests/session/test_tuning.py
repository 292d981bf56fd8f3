"""Fine-tuning in a session: what is proposed, accepted, reverted, paused, cancelled and refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import gudhi
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of, grow_box
from napari_toposeg.inference import PixelwiseSegmentation, Segmentation, Settings, TuningSettings
from napari_toposeg.session import Session
from napari_toposeg.steps import Step
from napari_toposeg.volume import Volume

SIZE = 64


def ring_map() -> NDArray[np.float32]:
    """(64, 64) the probability map of a ring with a gap in it, and an island beside it."""
    y, x = np.mgrid[:SIZE, :SIZE] - 31.5
    ring = np.abs(np.hypot(x, y) - 18.0) < 4.0
    ring &= ~((np.abs(x) < 2.0) & (y > 0))
    island = np.hypot(x - 24, y - 24) < 3.0
    return np.clip(0.9 * gaussian_filter((ring | island).astype(np.float32), 1.2), 0.0, 1.0).astype(np.float32)


def ring_image() -> Volume:
    noise = np.random.default_rng(0).normal(0.0, 0.05, (SIZE, SIZE)).astype(np.float32)
    y, x = np.mgrid[:SIZE, :SIZE] - 31.5
    image = gaussian_filter((np.abs(np.hypot(x, y) - 18.0) < 4.0).astype(np.float32), 0.7) + noise
    return Volume.from_stored(image.astype(np.float32), np.eye(4), name="ring")


def betti_by_gudhi(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Betti numbers of a mask as a closed cubical complex: pixels that share a corner are connected, as 8 are."""
    complex_ = gudhi.CubicalComplex(top_dimensional_cells=np.where(np.pad(mask, 1), 0.0, 1.0))
    complex_.compute_persistence()
    numbers = complex_.persistent_betti_numbers(0.5, 0.5)
    return tuple(numbers[: mask.ndim])


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    session.set_volume(ring_image())
    session.choose_prior("annulus")
    yield session
    session.close()


@pytest.fixture
def segmented(session: Session) -> Session:
    session.network = "none"
    session.settings = Settings(iterations=30)
    session.place_in_box(((8, 56), (8, 56)))
    session.run()
    assert session.wait(60)
    assert session.result is not None
    return session


def tuned(session: Session, **source: object) -> Session:
    session.tuning.start(**source)  # type: ignore[arg-type]
    assert session.tuning.wait(120)
    return session


def test_the_map_of_the_tests_is_wrong() -> None:
    assert betti_by_gudhi(ring_map() > 0.5) == (2, 0)


@pytest.mark.parametrize("loss", ["ph", "ph-dense"])
def test_a_broken_ring_becomes_a_ring_and_is_only_the_result_once_it_is_accepted(session: Session, loss: str) -> None:
    session.tuning.settings = TuningSettings(loss=loss)  # type: ignore[arg-type]
    tuned(session, source=ring_map(), name="the net's map")
    proposal = session.tuning.proposal
    assert proposal is not None
    assert session.result is None
    assert (proposal.betti_before, proposal.betti_after) == ((2, 0), (1, 1))
    assert betti_by_gudhi(proposal.after.full_mask()) == (1, 1)
    assert np.array_equal(proposal.before, ring_map() > 0.5)
    assert 0 < proposal.changed_voxels < 200
    session.tuning.accept()
    assert session.tuning.accepted
    assert session.result is proposal.after
    assert isinstance(session.result, PixelwiseSegmentation)
    report = session.result.report()
    assert report["method"] == "map"
    assert report["tuned"][0]["loss"] == loss
    assert report["tuned"][0]["source"] == "the net's map"
    assert report["tuned"][0]["changed_voxels"] == proposal.changed_voxels


def test_what_was_accepted_is_reverted_voxel_for_voxel_and_can_be_accepted_again(segmented: Session) -> None:
    first = segmented.result
    mask = np.array(segmented.mask)
    tuned(segmented, source=ring_map())
    said: list[bool] = []
    segmented.tuning.events.accepted.connect(said.append)
    segmented.tuning.accept()
    assert not np.array_equal(segmented.mask, mask)
    segmented.tuning.revert()
    assert segmented.result is first
    assert np.array_equal(segmented.mask, mask)
    segmented.tuning.accept()
    assert segmented.tuning.proposal is not None
    assert segmented.result is segmented.tuning.proposal.after
    assert said == [True, False, True]


def test_a_mask_that_was_cut_by_hand_is_mended_and_comes_back_as_it_was_edited(segmented: Session) -> None:
    cut = np.array(segmented.mask) != 0
    cut[30:33, 32:] = False
    segmented.edit(cut)
    assert betti_by_gudhi(cut) != (1, 1)
    tuned(segmented)
    proposal = segmented.tuning.proposal
    assert proposal is not None
    assert betti_by_gudhi(proposal.after.full_mask()) == (1, 1)
    segmented.tuning.accept()
    assert not segmented.edited
    assert isinstance(segmented.result, Segmentation)
    assert segmented.result.certificate.topology_ok
    segmented.tuning.revert()
    assert segmented.edited
    assert np.array_equal(segmented.mask, cut)


def test_a_velocity_keeps_the_topology_and_brings_the_energy_down(segmented: Session) -> None:
    segmented.tuning.settings = TuningSettings(loss="chan-vese", moves="velocity", iterations=12)
    tuned(segmented)
    proposal = segmented.tuning.proposal
    assert proposal is not None
    assert betti_by_gudhi(proposal.after.full_mask()) == (1, 1)
    assert proposal.after.certificate.folding_voxels == 0
    total = segmented.tuning.curves["total"]
    assert len(total) == proposal.after.iterations == 12
    assert min(total) < total[0]
    assert {"chan_vese", "jacobian", "laplacian", "gradient"} <= segmented.tuning.curves.keys()
    assert segmented.tuning.betti == (1, 1)


def test_nothing_is_stepped_during_a_pause_and_all_goes_on_after_it(session: Session) -> None:
    session.tuning.settings = TuningSettings(loss="ph", iterations=60)
    steps: list[Step[object]] = []
    third = threading.Event()

    def take(step: Step[object]) -> None:
        steps.append(step)
        if len(steps) == 3:
            session.tuning.pause()
            third.set()

    session.tuning.events.step.connect(take)
    session.tuning.start(ring_map())
    assert third.wait(60)
    # Whatever was ordered before these has been done when they are.
    for _ in range(5):
        barrier = threading.Event()
        session.later(lambda: None, lambda _, done=barrier: done.set())  # type: ignore[misc]
        assert barrier.wait(10)
    assert session.tuning.paused
    assert session.tuning.running
    assert len(steps) == 3
    session.tuning.resume()
    assert session.tuning.wait(120)
    assert len(steps) > 3
    assert session.tuning.proposal is not None
    assert session.tuning.proposal.after.certificate.topology_ok


@pytest.mark.parametrize("paused", [False, True])
def test_cancel_keeps_the_best_so_far(segmented: Session, paused: bool) -> None:
    segmented.tuning.settings = TuningSettings(loss="chan-vese", moves="velocity", iterations=400)

    def take(step: Step[object]) -> None:
        if step.number == 4 and step.stage == "tune":
            if paused:
                segmented.tuning.pause()
            segmented.tuning.cancel()

    segmented.tuning.events.step.connect(take)
    tuned(segmented)
    proposal = segmented.tuning.proposal
    assert proposal is not None
    assert proposal.after.iterations == 4
    assert proposal.after.certificate.topology_ok


def test_another_result_makes_a_proposal_stale_and_another_volume_does_too(segmented: Session) -> None:
    tuned(segmented, source=ring_map())
    assert segmented.tuning.proposal is not None
    segmented.run()
    assert segmented.wait(60)
    assert segmented.tuning.proposal is None
    with pytest.raises(ToposegError, match="Nothing is proposed"):
        segmented.tuning.accept()
    tuned(segmented, source=ring_map())
    segmented.set_volume(ring_image())
    assert segmented.tuning.proposal is None


def test_a_run_that_asks_for_a_second_tuning_drops_the_first(session: Session) -> None:
    session.tuning.settings = TuningSettings(loss="ph", iterations=200)
    session.tuning.start(ring_map(), name="first")
    session.tuning.start(ring_map(), name="second")
    assert session.tuning.wait(120)
    assert session.tuning.proposal is not None
    assert session.tuning.proposal.after.tuned[0]["source"] == "second"


def failure_of(session: Session, **source: object) -> str:
    said: list[str] = []
    session.events.failed.connect(said.append)
    try:
        tuned(session, **source)
    except ToposegError as error:
        return str(error)
    assert session.tuning.proposal is None
    return said[0]


def test_what_makes_no_sense_is_refused_in_words(session: Session) -> None:
    assert "no segmentation" in failure_of(session)
    assert "from 0 to 7" in failure_of(session, source=np.arange(SIZE**2).reshape(SIZE, SIZE) % 8)
    assert "3 x 3" in failure_of(session, source=np.zeros((3, 3)))
    for moves, missing in (("velocity", "velocity field"), ("network", "weights")):
        session.tuning.settings = TuningSettings(moves=moves)  # type: ignore[arg-type]
        assert f"has no {missing}" in failure_of(session, source=ring_map())
    with pytest.raises(ToposegError, match="voxel by voxel"):
        TuningSettings(loss="chan-vese", moves="map")


def test_a_map_that_is_right_already_has_nothing_to_tune(segmented: Session) -> None:
    assert "nothing to tune" in failure_of(segmented)


def test_a_fitted_result_has_no_network_to_tune(segmented: Session) -> None:
    segmented.tuning.settings = TuningSettings(moves="network")
    assert "no network to tune" in failure_of(segmented)


def test_an_accepted_map_has_no_velocity_field(session: Session) -> None:
    tuned(session, source=ring_map())
    session.tuning.accept()
    session.place_in_box(grow_box(box_of(ring_map() > 0.5), (1, 1)))  # type: ignore[arg-type]
    session.tuning.settings = TuningSettings(loss="chan-vese", moves="velocity")
    assert "no velocity field" in failure_of(session)
