"""Shipped weights: half as large on disk, and asked where nobody chooses a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import dice
from napari_toposeg.formats import read_prior, write_mask
from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.inference import default_method, segment_by_network, site_in_box, site_in_image, trained_network
from napari_toposeg.inference.weights import TrainedPrior, default_weights, load_weights, read_weights, save_weights
from napari_toposeg.priors import builtin_priors, find_prior
from napari_toposeg.volume import Volume


def test_a_prior_gets_the_shipped_network_that_was_trained_to_deform_it(ship) -> None:
    ball, ring = ship("synthetic-ball"), ship("synthetic-annulus", "annulus")
    found = {prior.name: default_weights(prior) for prior in builtin_priors()}
    assert {name for name, known in found.items() if known is not None} == {"ball", "annulus"}
    assert (found["ball"].name, found["ball"].path, found["ball"].place) == ("synthetic-ball", ball.path, "shipped")
    assert found["annulus"].card == ring.card


def test_own_weights_several_objects_and_what_cannot_be_read_are_no_default(ship, tmp_path) -> None:
    prior = find_prior("ball")
    ship("mine", place=tmp_path / "own_weights")
    assert default_weights(prior) is None
    ship("other-topology", priors=(TrainedPrior("ball", (1, 1, 0)),))
    assert default_weights(prior) is None
    broken = ship("broken")
    broken.path.with_suffix(".json").write_text("{")
    assert default_weights(prior) is None
    ship("synthetic-ball")
    assert default_weights(prior).name == "synthetic-ball"


def test_a_custom_template_has_no_default_even_where_it_is_called_ball(ship, tmp_path) -> None:
    ship("synthetic-ball")
    mask = np.zeros((20, 20, 20), bool)
    mask[4:16, 4:16, 4:16] = True
    write_mask(mask, Volume.from_stored(mask.astype(np.uint8), np.eye(4)), tmp_path / "ball.nii.gz")
    custom = read_prior(str(tmp_path / "ball.nii.gz"))
    builtin = find_prior("ball")
    assert (custom.name, custom.betti) == (builtin.name, builtin.betti)
    assert default_weights(custom) is None
    assert default_weights(builtin) is not None


@pytest.mark.parametrize("prior", ["disk", "ball"])
def test_float16_is_half_as_large_comes_back_as_float32_and_says_nearly_the_same(prior, ship, tmp_path) -> None:
    half = ship("half", prior)
    loaded, card = load_weights(half.path)
    assert card == half.card
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in loaded.parameters():
            tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
    exact = save_weights(loaded, card, tmp_path / "exact.safetensors")
    rounded = save_weights(loaded, card, tmp_path / "rounded.safetensors", half=True)
    numbers = sum(tensor.numel() for tensor in loaded.state_dict().values() if tensor.dtype == torch.float32)
    saved = exact.path.stat().st_size - rounded.path.stat().st_size
    assert saved == pytest.approx(2 * numbers, abs=64)  # the header differs in some digits
    back, _ = read_weights(rounded.path)
    for one, other in zip(loaded.state_dict().values(), back.state_dict().values(), strict=True):
        assert one.dtype == other.dtype
        # Half a unit of the eleventh bit, or of the least number that float16 has.
        assert bool(((one - other).abs() <= one.abs() * 2.0**-11 + 2.0**-25).all())
    assert any(
        not torch.equal(one, other)
        for one, other in zip(loaded.state_dict().values(), back.state_dict().values(), strict=True)
    )
    image = torch.randn((1, 1, *card.window.shape), generator=generator)
    template = torch.rand((1, 1, *card.window.shape), generator=generator)
    with torch.no_grad():
        one, other = (network.eval()(image, template).displacement for network in (loaded, back))
    assert one.abs().max() > 1.0
    assert (one - other).abs().max() < 0.02 * one.abs().max()  # in voxels of the window


def test_numbers_beyond_float16_are_refused_not_made_infinite(ship, tmp_path) -> None:
    network, card = load_weights(ship("it").path)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = 1e5
    with pytest.raises(ToposegError, match="float16") as caught:
        save_weights(network, card, tmp_path / "it.safetensors", half=True)
    assert "65,504" in caught.value.why
    assert not (tmp_path / "it.safetensors").exists()
    save_weights(network, card, tmp_path / "it.safetensors")


def test_a_network_is_asked_where_it_can_be_and_the_reason_is_said(ship) -> None:
    image = phantom("ball", (24, 26, 20), seed=5)
    box = box_of(image.mask)
    ball, shell = find_prior("ball"), find_prior("shell")
    ship("synthetic-ball")
    asked = default_method(ball, site_in_box(ball, image.volume, box), image.volume)
    assert asked.known.name == "synthetic-ball"
    assert "'synthetic-ball'" in asked.why
    fitted = default_method(ball, site_in_image(ball, image.volume), image.volume)
    assert fitted.known is None
    assert "around a box" in fitted.why
    other = default_method(shell, site_in_box(shell, image.volume, box), image.volume)
    assert other.known is None
    assert "'shell'" in other.why


def test_a_network_that_knows_a_tube_along_one_axis_is_not_asked_for_one_along_another(ship) -> None:
    image = phantom("tube", (28, 28, 28), seed=5)
    tube, box = find_prior("tube"), box_of(image.mask)
    ship("synthetic-tube", "tube")
    found = {
        axis: default_method(tube, site_in_box(tube, image.volume, box, axis=axis), image.volume) for axis in "xyz"
    }
    assert [found[axis].known is None for axis in "xyz"] == [True, True, False]
    assert "about z" in found["x"].why


def test_the_network_is_seen_before_anything_is_repaired_or_certified(ship) -> None:
    image = phantom("ball", (24, 26, 20), seed=5)
    prior = find_prior("ball")
    site = site_in_box(prior, image.volume, box_of(image.mask))
    trained = trained_network(*load_weights(ship("synthetic-ball").path))
    steps = list(segment_by_network(image.volume, prior, site, trained))
    (shown,) = [step for step in steps if step.preview is not None]
    assert shown.stage == "predict"
    assert shown.preview.shape == tuple(high - low for low, high in site.region)
    result = steps[-1].result
    certified = result.full_mask()[box_slices(site.region)]
    assert dice(shown.preview, certified) > 0.9
    assert not any(
        step.preview is not None for step in segment_by_network(image.volume, prior, site, trained, previews=False)
    )
    assert (result.report()["method"], result.report()["why"]) == ("network", None)
