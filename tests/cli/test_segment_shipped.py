"""`toposeg segment` where nobody names a network: the shipped one is asked where it can be, and the report says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest


@pytest.fixture
def words(ring, tmp_path: Path) -> list[object]:
    return ["segment", ring.image, "-o", tmp_path / "mask.nii.gz", "--prior", "annulus", "--json"]


def test_a_region_and_a_prior_are_enough(toposeg: Callable, ring, words, ship, tmp_path: Path, gudhi_betti) -> None:
    kept = ship("synthetic-annulus", "annulus")
    outcome = toposeg(*words, "--roi-from", ring.label)
    facts = json.loads(outcome.out)
    assert outcome.code == 0
    assert facts["method"] == "network"
    assert "'synthetic-annulus' was trained with the prior 'annulus'" in facts["why"]
    assert [network["sha256"] for network in facts["networks"]] == [kept.card.sha256]
    assert facts["objective"] is None
    notes = [line for line in outcome.err.splitlines() if "shipped network" in line]
    assert notes == [
        "The shipped network synthetic-annulus is asked; --network none fits the template to this image instead."
    ]
    assert gudhi_betti(np.squeeze(np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj))) == (1, 1)
    # The same, asked for by the network's name.
    named = json.loads(toposeg(*words, "--roi-from", ring.label, "--network", "mltpsn").out)
    assert [network["sha256"] for network in named["networks"]] == [kept.card.sha256]
    assert named["why"] == "--network mltpsn was given."
    shown = toposeg(*[word for word in words if word != "--json"], "--roi-from", ring.label)
    assert "weights synthetic-annulus" in shown.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--iterations", "10"], "--iterations was given"),
        (["--network", "none", "--iterations", "10"], "--network none was given."),
    ],
)
def test_what_is_about_the_fit_means_the_fit(toposeg: Callable, ring, words, ship, options, why: str) -> None:
    ship("synthetic-annulus", "annulus")
    outcome = toposeg(*words, "--roi-from", ring.label, *options)
    facts = json.loads(outcome.out)
    assert (facts["method"], facts["networks"], facts["iterations"]) == ("fit", [], 10)
    assert why in facts["why"]
    assert "shipped network" not in outcome.err


def test_without_a_box_the_template_is_fitted_and_it_is_said(toposeg: Callable, words, ship, monkeypatch) -> None:
    from napari_toposeg import inference

    ship("synthetic-annulus", "annulus")
    quicker = inference.Settings
    monkeypatch.setattr(inference, "Settings", lambda **told: quicker(**{"iterations": 10, **told}))
    outcome = toposeg(*words)
    facts = json.loads(outcome.out)
    assert facts["method"] == "fit"
    assert "looks around a box" in facts["why"]
    assert "looks around a box, and none is given. The template is fitted to this image." in outcome.err


def test_a_prior_that_no_network_knows_is_fitted_and_the_report_says_so(
    toposeg: Callable, ring, words, ship, monkeypatch
) -> None:
    from napari_toposeg import inference

    ship("synthetic-disk", "disk")
    quicker = inference.Settings
    monkeypatch.setattr(inference, "Settings", lambda **told: quicker(**{"iterations": 10, **told}))
    facts = json.loads(toposeg(*words, "--roi-from", ring.label).out)
    assert (facts["method"], facts["networks"]) == ("fit", [])
    assert facts["why"] == "No shipped network was trained with the prior 'annulus'."


def test_own_weights_of_a_network_are_not_passed_over_for_shipped_ones(
    toposeg: Callable, ring, words, ship, tmp_path: Path
) -> None:
    ship("synthetic-disk", "disk")
    own = ship("rings", "annulus", place=tmp_path / "own_weights")
    without_prior = [word for word in words if word not in ("--prior", "annulus")]
    refused = toposeg(*without_prior, "--roi-from", ring.label, "--network", "mltpsn")
    assert refused.is_refusal(), refused
    assert "rings, synthetic-disk" in refused.err
    facts = json.loads(toposeg(*words, "--roi-from", ring.label, "--network", "mltpsn").out)
    assert [network["sha256"] for network in facts["networks"]] == [own.card.sha256]


def test_no_network_and_weights_contradict_each_other(toposeg: Callable, ring, words, ship) -> None:
    outcome = toposeg(*words, "--roi-from", ring.label, "--network", "none", "--weights", "rings")
    assert outcome.is_refusal(), outcome
    assert "contradict" in outcome.err
