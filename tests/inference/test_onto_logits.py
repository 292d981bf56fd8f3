"""A template fitted to what a pixel-wise network sees: the network's accuracy, the template's topology."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import dice
from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.inference import Segmentation, Settings, TrainedNetwork, Window, segment_by_network, site_in_box
from napari_toposeg.inference.pixelwise import logits_on_voxels, pixelwise_logits
from napari_toposeg.priors import find_prior
from napari_toposeg.steps import Finish, last

SETTINGS = Settings(device="cpu")


class Bright(nn.Module):
    """Sees the organ where the image is brighter than a threshold, and in a corner that is none."""

    def __init__(self, threshold: float = 0.6, stray: int = 0) -> None:
        super().__init__()
        self.threshold = threshold
        self.stray = stray

    def forward(self, image: Tensor) -> Tensor:
        logits = 4.0 * (image - self.threshold)
        if self.stray:
            logits[..., : self.stray, : self.stray] = 8.0
        return logits


class Blind(nn.Module):
    """Sees nothing anywhere."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.full_like(image, -3.0) - 0.01 * image


def run(name: str, network: nn.Module, shape: tuple[int, ...], seed: int = 3) -> tuple[Segmentation, np.ndarray]:
    image = phantom(name, shape, seed=seed)
    prior = find_prior(name)
    assert prior is not None
    box = box_of(image.mask)
    assert box is not None
    window = Window((64, 64) if len(shape) == 2 else (32, 32, 32))
    trained = TrainedNetwork(network, window, name="bright")
    site = site_in_box(prior, image.volume, box)
    result = last(segment_by_network(image.volume, prior, site, trained, SETTINGS))
    return result, image.mask


@pytest.mark.parametrize(("name", "shape"), [("annulus", (64, 56)), ("ball", (30, 28, 24)), ("torus", (36, 36, 24))])
def test_the_mask_is_the_networks_and_its_topology_the_priors(name: str, shape: tuple[int, ...], gudhi_betti) -> None:
    result, truth = run(name, Bright(), shape)
    assert gudhi_betti(result.full_mask()) == result.prior.betti
    assert result.certificate.topology_ok
    assert result.jacobian.folding == 0
    assert dice(result.full_mask(), truth) > 0.85
    assert [one["name"] for one in result.networks] == ["bright"]


def test_what_else_the_network_sees_does_not_draw_the_template_away(gudhi_betti) -> None:
    plain, truth = run("annulus", Bright(), (64, 56))
    strayed, _ = run("annulus", Bright(stray=6), (64, 56))
    assert gudhi_betti(strayed.full_mask()) == (1, 1)
    assert dice(strayed.full_mask(), truth) > dice(plain.full_mask(), truth) - 0.05


def test_where_the_network_sees_nothing_the_template_is_still_whole(gudhi_betti) -> None:
    result, _ = run("ball", Blind(), (30, 28, 24))
    assert gudhi_betti(result.full_mask()) == (1, 0, 0)


def test_ended_early_the_best_so_far_is_certified(gudhi_betti) -> None:
    image = phantom("ball", (30, 28, 24), seed=3)
    prior = find_prior("ball")
    site = site_in_box(prior, image.volume, box_of(image.mask))
    steps = segment_by_network(
        image.volume, prior, site, TrainedNetwork(Bright(), Window((32, 32, 32))), SETTINGS, previews=False
    )
    step = next(steps)
    while step.stage != "fit":
        step = next(steps)
    step = steps.throw(Finish())
    result = step.result or last(steps)
    assert gudhi_betti(result.full_mask()) == (1, 0, 0)


def test_what_the_network_sees_is_shown_before_the_template_is_fitted_to_it() -> None:
    image = phantom("ball", (30, 28, 24), seed=3)
    prior = find_prior("ball")
    site = site_in_box(prior, image.volume, box_of(image.mask))
    trained = TrainedNetwork(Bright(), Window((32, 32, 32)))
    steps = list(segment_by_network(image.volume, prior, site, trained, SETTINGS))
    assert [step.number for step in steps] == sorted({step.number for step in steps})
    stages = [step.stage for step in steps]
    seen = steps[stages.index("predict")]
    assert stages.index("predict") < min(stages.index("affine"), stages.index("fit"))
    (logits,), box = logits_on_voxels(*pixelwise_logits(image.volume, site, trained), image.volume)
    whole = np.zeros(image.mask.shape, bool)
    whole[box_slices(box)] = logits > 0
    assert whole.any()
    assert np.array_equal(seen.preview, whole[box_slices(site.region)])
    *_, deformed = (step.preview for step in steps if step.preview is not None)
    assert dice(deformed, steps[-1].result.full_mask()[box_slices(site.region)]) > 0.9


def test_a_second_pixel_wise_network_is_refused() -> None:
    image = phantom("ball", (30, 28, 24), seed=3)
    prior = find_prior("ball")
    site = site_in_box(prior, image.volume, box_of(image.mask))
    trained = TrainedNetwork(Bright(), Window((32, 32, 32)))
    with pytest.raises(ToposegError, match="own logits"):
        last(segment_by_network(image.volume, prior, site, trained, SETTINGS, hybrid=trained))
