"""Which network a session asks: the best there is, one that was chosen, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings
from napari_toposeg.inference.weights import load_weights
from napari_toposeg.inference.window import Window
from napari_toposeg.session import Session
from napari_toposeg.session import networks as room


@pytest.fixture(scope="module")
def image():
    return phantom("annulus", (48, 44), seed=3)


@pytest.fixture
def session(ship, image):
    made = Session()
    made.settings = Settings(iterations=10)
    made.set_volume(image.volume)
    made.choose_prior("annulus")
    made.place_in_box(box_of(image.mask))
    yield made
    made.close()


def done(session: Session) -> object:
    """What a run gives, or the sentence with which it fails."""
    sentences: list[str] = []
    session.events.failed.connect(sentences.append)
    session.run()
    assert session.wait(60)
    return sentences[0] if sentences else session.result


def test_the_shipped_network_is_asked_and_seen_before_the_certificate_comes(session, ship) -> None:
    kept = ship("synthetic-annulus", "annulus")
    steps = []
    session.events.step.connect(steps.append)
    result = done(session)
    assert [network["sha256"] for network in result.networks] == [kept.card.sha256]
    assert "'synthetic-annulus'" in result.why
    assert result.report()["why"] == result.why
    assert result.certificate.topology_ok
    stages = [step.stage for step in steps]
    assert stages == ["prepare", "predict", "unfold", "certify"]
    preview = steps[1].preview
    assert preview.shape == tuple(high - low for low, high in session.preview_box)
    assert preview.any()


def test_where_none_is_shipped_or_no_box_is_said_the_template_is_fitted_and_the_result_says_why(session, ship) -> None:
    result = done(session)
    assert (result.networks, result.iterations) == ((), 10)
    assert "No shipped network" in result.why
    ship("synthetic-annulus", "annulus")
    session.place_in_image()
    result = done(session)
    assert result.networks == ()
    assert "looks around a box" in result.why


def test_what_can_be_asked_is_the_best_own_weights_that_fit_and_the_fit(session, ship, tmp_path: Path) -> None:
    own = tmp_path / "own_weights"
    ship("rings", "annulus", place=own)
    ship("blobs", "disk", place=own)
    ship("balls", "ball", place=own)
    assert [(one.name, one.weights) for one in session.networks()] == [(None, ""), ("rings", "rings"), ("none", "")]
    ship("synthetic-annulus", "annulus")
    found = session.networks()
    assert [one.name for one in found] == [None, "rings", "synthetic-annulus", "none"]
    assert found[0].weights == "synthetic-annulus"
    assert found[0].card.priors[0].name == "annulus"
    session.choose_prior(None)
    assert [one.name for one in session.networks()] == [None, "none"]


def test_a_chosen_network_is_asked_until_another_prior_is_chosen(session, ship, tmp_path: Path) -> None:
    ship("synthetic-annulus", "annulus")
    own = ship("rings", "annulus", place=tmp_path / "own_weights")
    heard: list[object] = []
    session.events.network.connect(heard.append)
    session.network = "rings"
    assert [network["weights"] for network in done(session).networks] == ["rings"]
    session.network = str(own.path)
    assert [network["weights"] for network in done(session).networks] == ["rings"]
    session.network = "none"
    assert done(session).networks == ()
    session.choose_prior("disk")
    assert session.network == "none"  # a wish that holds for any prior
    session.network = "rings"
    sentence = done(session)
    assert "'rings' do not fit the prior 'disk'" in sentence
    session.choose_prior("annulus")
    assert session.network is None
    assert heard == ["rings", str(own.path), "none", "rings", None]


def test_one_network_is_kept_in_memory_and_read_again_only_when_its_file_changes(session, ship, monkeypatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(room, "read_weights", lambda path: (read.append(path.name), load_weights(path))[1])
    ship("synthetic-annulus", "annulus")
    session.warm_up()
    done(session)
    first = session.result.mask
    done(session)
    assert read == ["synthetic-annulus.safetensors"]
    assert np.array_equal(session.result.mask, first)
    ship("synthetic-annulus", "annulus", window=Window((32, 32)))  # the same numbers, and another view of the image
    assert done(session).networks[0]["window"]["shape"] == [32, 32]
    assert len(read) == 2


def test_weights_that_are_not_there_fail_in_a_sentence_and_never_while_warming_up(session, ship) -> None:
    sentences: list[str] = []
    session.network = "absent"
    session.events.failed.connect(sentences.append)
    session.warm_up()
    session.run()
    assert session.wait(60)
    assert len(sentences) == 1
    assert "'absent'" in sentences[0]
