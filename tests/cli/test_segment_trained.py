"""`toposeg segment` with trained networks: they are found, asked, told of, and refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from napari_toposeg.formats import write_mask
from napari_toposeg.inference.weights import Card, TrainedPrior, Weights, registry, save_weights
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import build, settings_from_dict
from napari_toposeg.topology import betti_numbers

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"inputs": 1, "outputs": 1, "features": 2, "resolutions": 2},
    "wunet": {"inputs": 1, "outputs": 1, "features": 2, "resolutions": 2},
    "tpsn": {"features": 2, "resolutions": 2},
    "mltpsn": {"features": 2, "resolutions": 2, "levels": 2},
    "multi-tpsn": {"features": 2, "resolutions": 2},
}
RING = TrainedPrior("annulus", (1, 1))


def save(
    path: Path, name: str, ndim: int = 2, priors: tuple[TrainedPrior, ...] = (RING,), around: str = "box", **more: Any
) -> Weights:
    """Weights of a tiny network that deforms wildly, and their card."""
    settings = settings_from_dict(name, {"ndim": ndim, **SMALL[name], **more})
    network = build(name, settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
    card = Card(
        network=name,
        settings=settings,
        priors=priors,
        window=Window((24,) * ndim, around=around),
        spacing=(1.0,) * ndim,
        data="phantoms",
        licence="CC0",
        split={},
        seed=0,
        metrics={},
    )
    path.parent.mkdir(exist_ok=True)
    return save_weights(network, card, path)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of weights; none are shipped."""
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "weights.json").write_text("{}")
    monkeypatch.setattr(registry, "files", lambda package: tmp_path / "resources")
    monkeypatch.setenv("TOPOSEG_WEIGHTS", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return tmp_path / "mask.nii.gz"


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_weights_alone_are_enough(toposeg: Callable, ring, own: Path, mask: Path, tmp_path: Path, gudhi_betti) -> None:
    saved = save(own / "rings.safetensors", "tpsn")
    words = ["--field", tmp_path / "field.nii.gz", "--jacobian", tmp_path / "jacobian.nii.gz"]
    words += ["--report", tmp_path / "report.json", "--json"]
    outcome = toposeg("segment", ring.image, "--weights", "rings", "--roi-from", ring.label, "-o", mask, *words)
    assert outcome.code == 0
    image = nibabel.load(ring.image)
    assert nibabel.load(mask).shape == image.shape
    assert np.array_equal(nibabel.load(mask).affine, image.affine)
    assert gudhi_betti(np.squeeze(voxels(mask))) == (1, 1)
    facts = json.loads(outcome.out)
    assert facts == json.loads((tmp_path / "report.json").read_text())
    assert facts["topology_ok"] is True
    assert facts["prior"] == "annulus"
    assert facts["folding_voxels"] == 0
    (network,) = facts["networks"]
    assert (network["name"], network["weights"], network["sha256"]) == ("tpsn", "rings", saved.card.sha256)
    assert network["window"]["shape"] == [24, 24]
    assert voxels(tmp_path / "jacobian.nii.gz").min() > 0
    assert np.abs(voxels(tmp_path / "field.nii.gz")).max() > 0.1


def test_a_person_reads_which_network_it_was(toposeg: Callable, ring, own: Path, mask: Path) -> None:
    saved = save(own / "rings.safetensors", "mltpsn")
    words = ["segment", ring.image, "--roi-from", ring.label, "-o", mask]
    shown = toposeg(*words, "--weights", saved.path, "--network", "mltpsn")
    assert shown.code == 0
    assert "mltpsn, weights rings" in shown.out
    assert "iterations" not in shown.out
    quiet = toposeg(*words, "--weights", saved.path, "--quiet")
    assert (quiet.out, quiet.err) == ("", "")


def test_a_network_alone_finds_its_only_weights_and_says_so(toposeg: Callable, ring, own: Path, mask: Path) -> None:
    words = ["segment", ring.image, "--roi-from", ring.label, "-o", mask, "--network", "tpsn"]
    none = toposeg(*words)
    assert none.is_refusal(), none
    assert "no weights of a 2-D tpsn" in none.err
    save(own / "rings" / "rings.safetensors", "tpsn")  # the folder of a training
    save(own / "organs.safetensors", "tpsn", 3, (TrainedPrior("ball", (1, 0, 0)),))
    found = toposeg(*words)
    assert found.code == 0
    assert "'rings' are taken" in found.err
    save(own / "disks.safetensors", "tpsn", priors=(TrainedPrior("disk", (1, 0)),))
    several = toposeg(*words)
    assert several.is_refusal(), several
    assert "disks, rings" in several.err
    told = toposeg(*words, "--prior", "annulus")
    assert told.code == 0
    assert "'rings' are taken" in told.err


def test_the_mean_shape_of_a_training_is_found_beside_its_weights(
    toposeg: Callable, ring, own: Path, mask: Path, tmp_path: Path
) -> None:
    saved = save(own / "rings" / "rings.safetensors", "tpsn", priors=(TrainedPrior("mean", (1, 1)),))
    words = ["segment", ring.image, "--roi-from", ring.label, "-o", mask, "--weights"]
    missing = toposeg(*words, "rings")
    assert missing.is_refusal(), missing
    assert "'mean'" in missing.err
    assert "--prior" in missing.err
    template = own / "rings" / "template.nii.gz"
    write_mask(ring.made.mask, ring.made.volume, template)
    facts = json.loads(toposeg(*words, "rings", "--json").out)
    assert (facts["prior"], facts["betti_mask"]) == ("mean", [1, 1])
    # Moved away from it, they need to be told.
    loose = tmp_path / "rings.safetensors"
    saved.path.rename(loose)
    saved.path.with_suffix(".json").rename(loose.with_suffix(".json"))
    assert toposeg(*words, loose).is_refusal()
    told = toposeg(*words, loose, "--prior", template, "--json")
    assert told.code == 0
    assert "trained with the prior 'mean'; 'template' is taken" in told.err


def test_a_hybrid_is_told_as_one(toposeg: Callable, ring, own: Path, mask: Path, gudhi_betti) -> None:
    save(own / "rings.safetensors", "tpsn")
    save(own / "pixels.safetensors", "unet", around="image")
    words = ["segment", ring.image, "--roi-from", ring.label, "-o", mask, "--weights", "rings", "--hybrid", "pixels"]
    facts = json.loads(toposeg(*words, "--json").out)
    assert [network["weights"] for network in facts["networks"]] == ["rings", "pixels"]
    assert facts["hybrid_voxels"] > 0
    assert gudhi_betti(np.squeeze(voxels(mask))) == (1, 1)
    assert "moved on to the logits" in toposeg(*words).out


@pytest.mark.filterwarnings("ignore::napari_toposeg.errors.ToposegWarning")
def test_a_pixel_wise_network_alone_is_corrected(toposeg: Callable, ring, own: Path, mask: Path, gudhi_betti) -> None:
    save(own / "pixels.safetensors", "wunet")
    words = ["segment", ring.image, "--roi-from", ring.label, "-o", mask, "--weights", "pixels"]
    facts = json.loads(toposeg(*words, "--json").out)
    assert facts["start"]
    assert facts["folding_voxels"] is None
    assert gudhi_betti(np.squeeze(voxels(mask))) == (1, 1)
    assert "made from" in toposeg(*words).out
    refused = toposeg(*words, "--field", mask.with_name("field.nii.gz"))
    assert refused.is_refusal()
    assert "deforms nothing" in refused.err


def test_several_objects_become_a_label_map(
    toposeg: Callable, solid, own: Path, mask: Path, tmp_path: Path, gudhi_betti
) -> None:
    balls = (TrainedPrior("ball", (1, 0, 0)), TrainedPrior("ball", (1, 0, 0)))
    save(own / "organs.safetensors", "multi-tpsn", 3, balls)
    words = ["segment", solid.image, "--roi-from", solid.label, "-o", mask, "--weights", "organs"]
    outcome = toposeg(*words, "--json")
    facts = json.loads(outcome.out)
    assert [one["label"] for one in facts["objects"]] == [1, 2]
    labels = voxels(mask)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert labels.shape == (40, 40, 28)
    for number in (1, 2):
        assert (gudhi_betti(labels == number) == (1, 0, 0)) == (number not in facts["broken"])
    assert outcome.code == bool(facts["broken"])
    assert "label 2" in toposeg(*words).out
    assert toposeg(*words, "--jacobian", tmp_path / "jacobian.nii").is_refusal()
    # Two shapes of one file: two halves of the ellipsoid, turned into templates.
    halves = np.where(np.indices(solid.made.mask.shape)[0] < 20, 1, 2) * solid.made.mask
    assert betti_numbers(halves == 1) == (1, 0, 0)
    from napari_toposeg.formats import write_labels

    write_labels(halves.astype(np.uint8), solid.made.volume, tmp_path / "halves.nii.gz")
    told = toposeg(*words, "--prior", tmp_path / "halves.nii.gz", "--json")
    assert {one["prior"] for one in json.loads(told.out)["objects"]} == {"halves"}


REFUSED = {
    "an unknown network": (["--network", "vnet"], "no network 'vnet'"),
    "unknown weights": (["--weights", "organs"], "no weights 'organs'"),
    "another network": (["--weights", "rings", "--network", "mltpsn"], "those of a tpsn, not of a mltpsn"),
    "a hybrid of nothing": (["--hybrid", "pixels"], "no mask to start from"),
    "a hybrid of a deformation": (["--weights", "rings", "--hybrid", "rings"], "not with logits"),
    "a hybrid on logits": (["--weights", "pixels", "--hybrid", "pixels"], "first half"),
    "a hybrid with another organ": (["--weights", "rings", "--hybrid", "blobs"], "Betti numbers 1 0"),
    "weights of another dimension": (["--weights", "solid"], "for 3-D images, and this one is 2-D"),
    "a prior of another topology": (["--weights", "rings", "--prior", "disk"], "'disk' does not fit the weights"),
    "moves": (["--weights", "rings", "--moves", "tpsn"], "--moves has no meaning"),
    "iterations": (["--network", "tpsn", "--iterations", "20"], "--iterations has no meaning"),
    "an objective": (["--weights", "rings", "--objective", "chan-vese"], "--objective has no meaning"),
    "a pickle": (["--weights", "rings.pt"], "run code"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_asked_is_refused(what: str, toposeg: Callable, ring, own: Path, mask: Path) -> None:
    options, said = REFUSED[what]
    save(own / "rings.safetensors", "tpsn")
    save(own / "pixels.safetensors", "unet")
    save(own / "blobs.safetensors", "unet", priors=(TrainedPrior("disk", (1, 0)),))
    save(own / "solid.safetensors", "tpsn", 3, (TrainedPrior("ball", (1, 0, 0)),))
    outcome = toposeg("segment", ring.image, "--roi-from", ring.label, "-o", mask, *options)
    assert outcome.is_refusal(), outcome
    assert said in outcome.err
    assert not mask.exists()


def test_a_window_round_the_organ_needs_to_be_told_where_it_is(toposeg: Callable, ring, own: Path, mask: Path) -> None:
    save(own / "rings.safetensors", "tpsn")
    outcome = toposeg("segment", ring.image, "--weights", "rings", "-o", mask, "--quiet")
    assert outcome.is_refusal(), outcome
    assert "--roi-from" in outcome.err
    save(own / "whole.safetensors", "tpsn", around="image")
    assert toposeg("segment", ring.image, "--weights", "whole", "-o", mask, "--quiet").code == 0


def test_without_certification_a_wrong_topology_is_exit_code_1_and_off_is_0(
    toposeg: Callable, ring, own: Path, mask: Path
) -> None:
    save(own / "pixels.safetensors", "unet")
    words = ["segment", ring.image, "--roi-from", ring.label, "-o", mask, "--weights", "pixels", "--quiet"]
    assert toposeg(*words, "--certify", "report").code == 1
    assert betti_numbers(np.squeeze(voxels(mask)) > 0) != (1, 1)
    assert toposeg(*words, "--certify", "off").code == 0
