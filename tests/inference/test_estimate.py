"""What a run will be like, said before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_toposeg.data import phantom
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings, site_in_box
from napari_toposeg.inference import estimate as room
from napari_toposeg.inference.devices import available_devices, free_memory
from napari_toposeg.inference.estimate import estimate
from napari_toposeg.inference.fit import fit
from napari_toposeg.inference.grids import field_box
from napari_toposeg.inference.weights import load_weights
from napari_toposeg.inference.window import Window, window_frame
from napari_toposeg.networks import UNetSettings
from napari_toposeg.priors import find_prior


@pytest.fixture(scope="module")
def image():
    return phantom("ball", (30, 28, 20), seed=5)


@pytest.fixture
def site(image):
    return site_in_box(find_prior("ball"), image.volume, box_of(image.mask))


def test_the_grid_is_the_one_on_which_the_run_will_work(image, site, ship) -> None:
    card = load_weights(ship("it").path)[1]
    asked = estimate(image.volume, site, Settings(), card)
    frame = window_frame(card.window, image.volume.frame, site.within)
    assert asked.shape == frame.shape
    assert asked.spacing == pytest.approx(tuple(frame.spacing))
    fitted = estimate(image.volume, site, Settings(iterations=10), None)
    *_, before = fit(
        image.volume,
        find_prior("ball"),
        site.placement,
        image.volume.frame.crop(field_box(image.volume.frame, site.region)),
        Settings(iterations=10),
        torch.device("cpu"),
    )
    assert fitted.shape == before.result.frame.shape
    assert fitted.spacing == pytest.approx(tuple(before.result.frame.spacing))


def test_more_work_takes_longer_and_larger_grids_take_more_memory(image, site, ship) -> None:
    card = load_weights(ship("it").path)[1]
    few, many = (estimate(image.volume, site, Settings(iterations=count), None) for count in (20, 200))
    assert 5 * few.seconds < many.seconds < 11 * few.seconds
    small = estimate(image.volume, site, Settings(), card)
    large = estimate(image.volume, site, Settings(), replace(card, window=Window((96, 96, 96))))
    assert large.seconds > small.seconds
    assert large.memory > 2 * small.memory
    pixelwise = replace(card, settings=UNetSettings(3, inputs=1, outputs=1, features=2))
    assert estimate(image.volume, site, Settings(), pixelwise).seconds > small.seconds + 0.3  # a fit to its map
    wide = replace(card, settings=replace(card.settings, features=16))
    assert estimate(image.volume, site, Settings(), wide).seconds > small.seconds


def test_where_nothing_was_measured_no_time_is_promised(image, site, monkeypatch) -> None:
    monkeypatch.setattr(room, "choose_device", lambda name, ndim: torch.device("cuda:0"))
    assert estimate(image.volume, site, Settings(), None).seconds is None


def test_a_device_says_what_it_has_free_or_nothing() -> None:
    for name in ("auto", *available_devices()):
        free = free_memory(name)
        assert free is None or 1e6 < free < 1e13
