"""A map that never saw such images hears how bright its inside and its outside are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from napari_toposeg.evaluation import dice
from napari_toposeg.inference import trained_network
from napari_toposeg.inference.brightness import BRIGHTNESS, heeding_brightness
from napari_toposeg.inference.weights import SYNTHETIC, Card, TrainedPrior
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import build, settings_from_dict

KINDS = {"unet": {"ndim": 3, "inputs": 1, "outputs": 1}, "mltpsn": {"ndim": 3}}
GRID = np.indices((24, 24, 24), dtype=np.float32)


def ball(centre: float, radius: float) -> np.ndarray:
    """Above 0 in a ball."""
    return np.asarray(
        radius - np.sqrt(((GRID - np.array([centre, 12, 12])[:, None, None, None]) ** 2).sum(0)), np.float32
    )


def image(seed: int) -> np.ndarray:
    """A ball of radius 7, a little brighter than the noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, (24, 24, 24))
    return ((ball(12, 7) > 0) + noise).astype(np.float32)


@settings(deadline=None)
@given(some.integers(0, 1000), some.floats(1.0, 3.0))
def test_a_map_that_lies_beside_the_object_comes_nearer_to_it(seed: int, aside: float) -> None:
    said = 3.0 * ball(12 + aside, 6)
    heeded = heeding_brightness(said, image(seed))
    assert heeded.shape == said.shape
    assert heeded.dtype == np.float32
    assert dice(heeded > 0, ball(12, 7) > 0) > dice(said > 0, ball(12, 7) > 0) + 0.02


def test_what_is_as_bright_and_far_away_stays_out() -> None:
    far = np.zeros((24, 24, 24), bool)
    far[20:, :4, :4] = True
    heeded = heeding_brightness(3.0 * ball(12, 6), np.where(far, 1.0, image(0)).astype(np.float32))
    assert not (heeded[far] > 0).any()


def test_an_order_of_intensities_is_all_that_counts() -> None:
    seen = image(1)
    plain = heeding_brightness(3.0 * ball(13, 6), seen)
    np.testing.assert_array_equal(plain, heeding_brightness(3.0 * ball(13, 6), np.exp(2.0 * seen) + 5.0))


def test_an_image_that_says_nothing_changes_little() -> None:
    noise = np.random.default_rng(3).normal(size=(24, 24, 24)).astype(np.float32)
    said = 3.0 * ball(12, 7)
    assert dice(heeding_brightness(said, noise) > 0, said > 0) > 0.9


@pytest.mark.parametrize("sure", [-40.0, 40.0])
def test_a_map_without_a_boundary_stays_as_it_is(sure: float) -> None:
    heeded = heeding_brightness(np.full((24, 24, 24), sure, np.float32), image(2))
    assert (np.sign(heeded) == np.sign(sure)).all()


@pytest.mark.parametrize(
    ("name", "trained_on", "weight"),
    [("unet", SYNTHETIC, BRIGHTNESS), ("unet", "hippocampus_001", 0.0), ("mltpsn", SYNTHETIC, 0.0)],
)
def test_only_the_map_of_a_network_that_saw_no_patient_heeds_it(name: str, trained_on: str, weight: float) -> None:
    sizes = settings_from_dict(name, KINDS[name])
    card = Card(
        network=name,
        settings=sizes,
        priors=(TrainedPrior("ball", (1, 0, 0)),),
        window=Window((32, 32, 32)),
        spacing=(1.0, 1.0, 1.0),
        data="some",
        licence="CC0",
        split={"train": (trained_on,)},
        seed=0,
        metrics={},
    )
    trained = trained_network(build(name, sizes), card)
    assert trained.brightness == weight
    assert ("brightness" in trained.facts()) == (weight > 0)
