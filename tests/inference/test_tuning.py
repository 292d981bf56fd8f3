"""Fine-tuning on one volume: by topology or by the image, what moves being a deformation or a network's weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_toposeg.deformation import Displacement, jacobian_map
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_slices
from napari_toposeg.inference import (
    Segmentation,
    Settings,
    Site,
    TrainedNetwork,
    TuningSettings,
    Window,
    segment,
    segment_by_network,
    site_in_box,
    tune_network,
    tune_velocity,
)
from napari_toposeg.networks import TPSN, TPSNSettings
from napari_toposeg.priors import Prior, find_prior
from napari_toposeg.steps import Finish, last
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

SIZE, MIDDLE = 64, 31.5
# The middle of the wall of an annulus that is placed in a box of 48 pixels: from 14.4 to 24.
RADIUS, HALF_WALL = 19.2, 4.8


@pytest.fixture(scope="module")
def prior() -> Prior:
    prior = find_prior("annulus")
    assert prior is not None
    return prior


@pytest.fixture(scope="module")
def volume() -> Volume:
    y, x = np.mgrid[:SIZE, :SIZE] - MIDDLE
    image = gaussian_filter((np.abs(np.hypot(x, y) - RADIUS) < 4.0).astype(np.float32), 0.7)
    image += np.random.default_rng(0).normal(0.0, 0.05, image.shape)
    return Volume.from_stored(image.astype(np.float32), np.eye(4), name="ring")


@pytest.fixture(scope="module")
def site(prior: Prior, volume: Volume) -> Site:
    return site_in_box(prior, volume, ((8, 56), (8, 56)))


@pytest.fixture(scope="module")
def fitted(volume: Volume, prior: Prior, site: Site) -> Segmentation:
    return last(segment(volume, prior, site, Settings(iterations=10), previews=False))


def thinned(result: Segmentation, site: Site) -> Segmentation:
    """The ring as placed, squeezed on one side to a wall between two columns of voxels; nothing folds."""
    frame = result.displacement.frame
    at = frame.coordinates(frame.index_in(result.volume.frame)).numpy() - MIDDLE
    far = np.hypot(*at)
    off = np.abs(far - RADIUS)
    # Half the wall within a fifth of a voxel, and then slower until the way is made up for.
    slower = HALF_WALL + (off - 0.2) * (10 - HALF_WALL) / 9.8
    fast = np.where(off < 0.2, off / 0.2 * HALF_WALL, np.where(off < 10, slower, off)) - off
    fade = np.exp(-((np.arctan2(at[1], at[0]) / 0.3) ** 4))
    moved = (fade * np.sign(far - RADIUS) * fast * at / np.maximum(far, 1e-6)).astype(np.float32)
    jacobian = jacobian_map(moved)
    assert jacobian.folding == 0
    return replace(
        result,
        placement=site.placement,
        displacement=Displacement(moved, frame),
        jacobian=jacobian,
        settings=replace(result.settings, certify="report"),
    )


def unrepaired(result: Segmentation) -> tuple[int, ...]:
    """Betti numbers of the warped template, no voxel of it repaired."""
    return betti_numbers(result.template_distance() > 0)


@pytest.mark.parametrize("loss", ["ph", "ph-dense"])
def test_a_wall_too_thin_for_the_voxels_grows_thick_enough(fitted: Segmentation, site: Site, loss: str) -> None:
    thin = thinned(fitted, site)
    assert unrepaired(thin) == (1, 0)
    steps = list(tune_velocity(thin, site, TuningSettings(loss=loss, moves="velocity", iterations=80)))  # type: ignore[arg-type]
    tuned = steps[-1].result
    assert tuned is not None
    assert unrepaired(tuned) == (1, 1)
    assert tuned.certificate.folding_voxels == 0
    assert tuned.certificate.topology_ok
    assert (steps[0].losses["b0"], steps[0].losses["b1"]) == (1, 0)
    assert tuned.iterations < 80, "it ends once the topology has stayed right"
    assert tuned.tuned[-1]["betti_after"] == [1, 1]
    far_side = np.s_[: SIZE // 3]
    before = np.zeros(thin.volume.shape, bool)
    before[box_slices(thin.box)] = thin.template_distance() > 0
    assert np.count_nonzero(before[far_side] != tuned.full_mask()[far_side]) < 0.1 * before[far_side].sum()


class _Map(nn.Module):
    """A pixel-wise "network" whose weights are the logits that it answers with."""

    def __init__(self, logits: NDArray[np.float32]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.from_numpy(logits)[None, None])

    def forward(self, image: Tensor) -> Tensor:
        return self.logits + 0.0 * image


def broken_logits() -> NDArray[np.float32]:
    x, y = np.mgrid[:SIZE, :SIZE] - MIDDLE
    ring = (np.abs(np.hypot(x, y) - RADIUS) < 4.0) & ~((np.abs(x) < 2.0) & (y > 0))
    return (8.0 * gaussian_filter(ring.astype(np.float32), 1.2) - 4.0).astype(np.float32)


def test_a_pixelwise_network_closes_a_gap_and_the_one_that_was_given_stays_as_it_is(
    volume: Volume, prior: Prior, site: Site
) -> None:
    network = _Map(broken_logits())
    before = network.logits.detach().clone()
    trained = TrainedNetwork(network, Window((SIZE, SIZE), "image"), "map")
    tuning = TuningSettings(loss="ph-dense", moves="network", iterations=120, rate=0.3)
    tuned = last(tune_network(volume, prior, site, trained, tuning))
    assert betti_numbers(before[0, 0].numpy() > 0) == (1, 0)
    assert tuned.certificate.betti_mask == (1, 1)
    assert tuned.tuned[0]["solved_by"] == "loss"
    assert torch.equal(network.logits, before)
    with pytest.raises(ToposegError, match="pixel-wise"):
        last(tune_network(volume, prior, site, trained, replace(tuning, loss="chan-vese")))


def test_a_deforming_network_follows_the_image_and_finish_keeps_the_best(
    volume: Volume, prior: Prior, site: Site
) -> None:
    torch.manual_seed(0)
    network = TPSN(TPSNSettings(2, halvings=2))
    weights = [weight.detach().clone() for weight in network.parameters()]
    trained = TrainedNetwork(network, Window((32, 32)), "tpsn")
    untuned = last(segment_by_network(volume, prior, site, trained, previews=False))
    tuning = TuningSettings(loss="chan-vese", moves="network", iterations=200, rate=1e-3)
    steps = tune_network(volume, prior, site, trained, tuning, result=untuned)
    totals = []
    for step in steps:
        totals.append(step.losses["total"])
        if step.number == 10:
            break
    step = steps.throw(Finish())
    assert step.stage == "unfold"
    tuned = last(steps)
    assert tuned.iterations == 10
    assert min(totals) < totals[0]
    assert tuned.certificate.topology_ok
    assert tuned.tuned[0]["changed_voxels"] == np.count_nonzero(tuned.full_mask() != untuned.full_mask()) > 0
    assert all(torch.equal(now, then) for now, then in zip(network.parameters(), weights, strict=True))
