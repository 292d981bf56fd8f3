"""Segmenting by trained networks: whatever they say, the topology is the prior's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.evaluation import dice
from napari_toposeg.frame import box_of, box_slices, grow_box, resample
from napari_toposeg.inference import (
    PixelwiseSegmentation,
    Segmentation,
    Settings,
    Site,
    TrainedNetwork,
    Window,
    logits_on_voxels,
    pixelwise_logits,
    segment_by_logits,
    segment_by_network,
    site_in_box,
    site_in_image,
)
from napari_toposeg.inference.pixelwise import seen_box
from napari_toposeg.inference.window import window_frame
from napari_toposeg.networks import DeformationNetwork, Deformed, build, preset, settings_from_dict
from napari_toposeg.networks.deformed import warp_templates
from napari_toposeg.priors import Prior, find_prior
from napari_toposeg.steps import Finish, Step, last
from napari_toposeg.topology import betti_numbers, signed_distance
from napari_toposeg.volume import Volume

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"inputs": 1, "outputs": 1, "features": 2, "resolutions": 2},
    "tpsn": {"features": 2, "resolutions": 2},
    "mltpsn": {"features": 2, "resolutions": 2, "levels": 2},
    "tedsnet": {"features": 2, "resolutions": 2, "bulk_halvings": 1, "fine_tuning_halvings": 0, "gaussian_sigma": 1.0},
    "voxelmorph": {"encoder": [2, 2], "decoder": [2, 2], "final": [2]},
    "tetris": {"features": 2, "resolutions": 2},
}
BOXED = {2: Window((32, 32)), 3: Window((16, 16, 16))}


def wild(name: str, ndim: int, *, scale: float = 0.4, seed: int = 0, **more: Any) -> nn.Module:
    """A tiny network with random weights, large enough for it to deform wildly."""
    network = build(name, settings_from_dict(name, {"ndim": ndim, **SMALL[name], **more}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
    return network.eval()


class Moving(DeformationNetwork):
    """What moves every template by so many voxels, also on the border."""

    def __init__(self, by: tuple[float, ...]) -> None:
        super().__init__(len(by))
        self.by = by

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        field = torch.tensor(self.by).reshape(1, -1, *[1] * self.ndim).expand(1, -1, *image.shape[2:]).clone()
        return Deformed(field, warp_templates(template, field), (), (field,))


def prior_of(name: str) -> Prior:
    prior = find_prior(name)
    assert prior is not None
    return prior


def boxed(prior: Prior, volume: Volume, mask: np.ndarray, grow: int = 0) -> Site:
    box = box_of(mask)
    assert box is not None
    return site_in_box(prior, volume, grow_box(box, [grow] * volume.ndim))


def stored(volume: Volume, spacing: tuple[float, ...], flips: tuple[int, ...]) -> Volume:
    """The same voxels as another file would hold them: with other voxel sizes, some axes from the other end."""
    affine = np.eye(4)
    array = volume.voxels
    for axis, step in enumerate(spacing):
        affine[axis, axis] = step
        if axis in flips:
            array = np.flip(array, axis)
            affine[axis, axis] *= -1
            affine[axis, 3] = step * (volume.shape[axis] - 1)
    return Volume.from_stored(array, affine, name="turned")


@pytest.fixture(scope="module")
def flat():
    return phantom("annulus", (64, 56), seed=3)


@pytest.fixture(scope="module")
def solid():
    return phantom("ball", (28, 26, 20), seed=5)


def is_certified(result: Segmentation, gudhi_betti) -> None:
    betti = result.prior.betti
    mask = result.full_mask()
    assert mask.shape == result.volume.shape
    assert betti_numbers(mask) == betti
    assert gudhi_betti(mask) == betti
    assert result.certificate.topology_ok
    assert result.certificate.folding_voxels == 0
    assert result.jacobian.folding == 0
    values = result.displacement.values
    for axis in range(values.shape[0]):
        assert np.abs(np.take(values, [0, -1], axis=axis + 1)).max() == 0


@pytest.mark.parametrize("name", [name for name in SMALL if name != "unet"])
def test_whatever_a_network_says_the_topology_is_the_prior_s_and_nothing_folds(name, flat, solid, gudhi_betti) -> None:
    moved = 0
    for image, prior in ((flat, "annulus"), (solid, "ball")):
        trained = TrainedNetwork(wild(name, image.volume.ndim), BOXED[image.volume.ndim])
        result = last(
            segment_by_network(image.volume, prior_of(prior), boxed(prior_of(prior), image.volume, image.mask), trained)
        )
        is_certified(result, gudhi_betti)
        moved += np.abs(result.displacement.values).max() > 0.2
    assert moved


@pytest.mark.parametrize("name", ["mltpsn-published", "voxelmorph-published", "tedsnet-published"])
def test_a_preset_without_a_border_is_held_on_its_border(name, flat, gudhi_betti) -> None:
    torch.manual_seed(0)
    made = preset(name, 2)
    trained = TrainedNetwork(build(made.network, made.settings), BOXED[2])
    with torch.no_grad():
        for tensor in trained.network.parameters():
            tensor.add_(0.03 * torch.randn(tensor.shape))
    prior = prior_of("annulus")
    is_certified(
        last(segment_by_network(flat.volume, prior, boxed(prior, flat.volume, flat.mask), trained)), gudhi_betti
    )


@pytest.mark.parametrize(
    ("spacing", "flips"), [((1.0, 1.0, 2.5), (0,)), ((0.7, 2.0, 1.0), (1, 2)), ((1, 1, 1), (0, 1))]
)
def test_the_mask_lies_where_the_organ_does_in_flipped_and_anisotropic_images(
    spacing, flips, solid, gudhi_betti
) -> None:
    volume = stored(solid.volume, spacing, flips)
    mask = solid.mask
    prior = prior_of("ball")
    trained = TrainedNetwork(Moving((0.0, 0.0, 0.0)), BOXED[3])
    still = last(segment_by_network(volume, prior, boxed(prior, volume, mask), trained))
    is_certified(still, gudhi_betti)
    # A ball inscribed in the box of an organ that is one.
    assert dice(still.full_mask(), mask) > 0.8
    box, other = box_of(still.full_mask()), box_of(mask)
    assert np.abs(np.array(box) - np.array(other)).max() <= 1


def test_a_shift_in_the_window_is_the_same_shift_in_the_image(flat) -> None:
    prior = prior_of("annulus")
    site = boxed(prior, flat.volume, flat.mask)
    boxes = []
    for by in ((0.0, 0.0), (-3.0, 0.0), (0.0, 2.0)):
        # u points from where the mask is to where the template stands.
        trained = TrainedNetwork(Moving(by), Window((64, 64), margin=1.0))
        boxes.append(box_of(last(segment_by_network(flat.volume, prior, site, trained)).full_mask()))
    step = [3.0 * (high - low) / 64 for low, high in site.within]
    by_box = np.array(boxes, float).mean(axis=2)
    assert np.allclose(by_box[1] - by_box[0], [3 * step[0], 0], atol=0.6)
    assert np.allclose(by_box[2] - by_box[0], [0, -2 * step[1]], atol=0.6)


def test_the_border_of_the_window_is_still_however_far_everything_moves(flat, gudhi_betti) -> None:
    prior = prior_of("annulus")
    trained = TrainedNetwork(Moving((-40.0, 25.0)), BOXED[2])
    result = last(segment_by_network(flat.volume, prior, boxed(prior, flat.volume, flat.mask), trained))
    is_certified(result, gudhi_betti)
    assert result.unfolded is not None
    assert result.unfolded.repaired_cells > 0


@pytest.mark.parametrize("how", ["report", "off"])
def test_without_strict_folds_and_topology_are_told_and_left(how, flat) -> None:
    prior = prior_of("annulus")
    trained = TrainedNetwork(Moving((-40.0, 25.0)), BOXED[2])
    site = boxed(prior, flat.volume, flat.mask)
    result = last(segment_by_network(flat.volume, prior, site, trained, Settings(certify=how)))
    assert result.unfolded is None
    assert result.certificate.folding_voxels > 0
    assert result.certificate.repaired_voxels == 0
    assert result.certificate.betti_mask == betti_numbers(result.full_mask())


def test_the_report_tells_the_network_and_not_what_was_not_done(flat) -> None:
    prior = prior_of("annulus")
    trained = TrainedNetwork(wild("tpsn", 2), BOXED[2], "tpsn", "rings", "ab" * 32)
    result = last(segment_by_network(flat.volume, prior, boxed(prior, flat.volume, flat.mask), trained))
    report = json.loads(json.dumps(result.report()))
    assert report["networks"] == [
        {
            "name": "tpsn",
            "weights": "rings",
            "sha256": "ab" * 32,
            "window": {
                "shape": [32, 32],
                "around": "box",
                "margin": 0.25,
                "spacing": [],
                "template": 0.5,
                "axis": "z",
                "places": [],
            },
        }
    ]
    assert (report["objective"], report["moves"], report["iterations"], report["losses"]) == (None, None, 0, {})
    assert report["hybrid_voxels"] is None
    assert set(report["seconds"]) == {"prepare", "predict", "preview", "unfold", "certify", "total"}


def test_stages_come_in_order_and_finish_goes_on_to_the_result(flat) -> None:
    prior = prior_of("annulus")
    trained = TrainedNetwork(wild("tpsn", 2), BOXED[2])
    site = boxed(prior, flat.volume, flat.mask)
    steps = list(segment_by_network(flat.volume, prior, site, trained))
    assert [step.stage for step in steps] == ["prepare", "predict", "unfold", "certify"]
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert [step.result is not None for step in steps] == [False, False, False, True]
    for ended in range(3):
        running = segment_by_network(flat.volume, prior, site, trained)
        for _ in range(ended + 1):
            next(running)
        step: Step[Segmentation] = running.throw(Finish())
        *_, step = [step, *running]
        assert step.result is not None
        assert (step.result.full_mask() == steps[-1].result.full_mask()).all()


def test_a_network_can_be_trained_on_after_it_was_asked(flat) -> None:
    network = wild("tpsn", 2).train()
    prior = prior_of("annulus")
    last(
        segment_by_network(flat.volume, prior, boxed(prior, flat.volume, flat.mask), TrainedNetwork(network, BOXED[2]))
    )
    assert network.training
    network(torch.randn(1, 1, 16, 16), torch.rand(1, 1, 16, 16)).displacement.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_box_as_large_as_the_image_is_a_box(flat) -> None:
    prior = prior_of("annulus")
    trained = TrainedNetwork(wild("tpsn", 2), BOXED[2])
    site = site_in_box(prior, flat.volume, flat.volume.frame.box)
    assert last(segment_by_network(flat.volume, prior, site, trained)).certificate.topology_ok
    with pytest.raises(ToposegError, match="--roi"):
        last(segment_by_network(flat.volume, prior, site_in_image(prior, flat.volume), trained))


def test_what_cannot_be_used_is_refused(flat, solid) -> None:
    prior = prior_of("annulus")
    site = boxed(prior, flat.volume, flat.mask)
    deforming = TrainedNetwork(wild("tpsn", 2), BOXED[2])
    with pytest.raises(ToposegError, match="not with logits"):
        last(segment_by_logits(flat.volume, prior, site, deforming))
    with pytest.raises(ToposegError, match="not with logits"):
        last(segment_by_network(flat.volume, prior, site, deforming, hybrid=deforming))
    with pytest.raises(ToposegError, match=r"deforms 2 template\(s\)"):
        last(segment_by_network(flat.volume, prior, site, TrainedNetwork(wild("tpsn", 2, objects=2), BOXED[2])))
    with pytest.raises(ToposegError, match=r"answers for 2 object\(s\)"):
        last(segment_by_logits(flat.volume, prior, site, TrainedNetwork(wild("unet", 2, outputs=2), BOXED[2])))
    with pytest.raises(ToposegError, match="sees 3-D images"):
        last(segment_by_network(flat.volume, prior, site, TrainedNetwork(wild("tpsn", 3), BOXED[3])))
    with pytest.raises(ToposegError, match="'ball' is 3-D and the image 2-D"):
        last(segment_by_network(flat.volume, prior_of("ball"), site, deforming))
    with pytest.raises(ToposegError, match="no device"):
        last(segment_by_network(flat.volume, prior, site, deforming, Settings(device="cuda:77")))
    with torch.no_grad():
        next(deforming.network.parameters()).fill_(float("nan"))
    with pytest.raises(ToposegError, match="not finite"):
        last(segment_by_network(flat.volume, prior, site, deforming))


class Saying(nn.Module):
    """What answers with the same logits whatever it is shown: the signed distance to a mask on its window's grid."""

    def __init__(self, logits: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.from_numpy(logits)[None]

    def forward(self, image: Tensor) -> Tensor:
        assert image.shape[2:] == self.logits.shape[2:]
        return self.logits


def saying(volume: Volume, masks: list[np.ndarray], window: Window, site: Site) -> TrainedNetwork:
    """A network that knows: its logits are the signed distances to masks, in mm, up to 6."""
    frame = window_frame(window, volume.frame, site.within)
    channels = []
    for mask in masks:
        distance = signed_distance(mask, tuple(volume.spacing)) if mask.any() else np.full(mask.shape, -5.0)
        channels.append(resample(np.clip(distance, -6, 6).astype(np.float32), volume.frame, frame))
    return TrainedNetwork(Saying(np.stack(channels)), window, "unet")


def grid_distance(shape: tuple[int, ...], centre: tuple[float, ...]) -> np.ndarray:
    """Distance of every voxel from a point, in voxels."""
    return np.sqrt(sum((axis - at) ** 2 for axis, at in zip(np.indices(shape), centre, strict=True)))


def test_logits_come_back_on_the_image_s_voxels_where_they_lie(solid) -> None:
    volume = stored(solid.volume, (0.8, 1.0, 2.0), (0, 2))
    site = boxed(prior_of("ball"), volume, solid.mask, grow=2)
    window = Window((40, 36, 44), margin=0.1)
    logits, frame = pixelwise_logits(volume, site, saying(volume, [solid.mask], window, site))
    assert logits.shape == (1, 40, 36, 44)
    (values,), box = logits_on_voxels(logits, frame, volume)
    assert values.shape == tuple(high - low for low, high in box)
    assert dice(values > 0, solid.mask[box_slices(box)]) > 0.97
    # Every voxel whose centre the window holds, and no other.
    centres = np.argwhere(np.ones(volume.shape))
    there = np.linalg.inv(frame.affine) @ np.vstack([volume.frame.world(centres).T, np.ones(len(centres))])
    held = ((there[:3] > -0.5) & (there[:3] < np.array(frame.shape)[:, None] - 0.5)).all(axis=0)
    assert box_of(held.reshape(volume.shape)) == box


@pytest.mark.parametrize("around", ["box", "centre", "image"])
def test_a_pixel_wise_mask_is_corrected_to_the_prior_s_topology(around, solid, gudhi_betti) -> None:
    prior = prior_of("ball")
    broken = solid.mask.copy()
    centre = tuple(int(np.mean(side)) for side in box_of(solid.mask))
    broken[centre] = False  # a cavity
    broken[centre[0] + 2, centre[1] : centre[1] + 3, :] = False  # a tunnel
    broken[1:3, 1:3, 1:3] = True  # a second piece
    site = boxed(prior, solid.volume, solid.mask, grow=1)
    window = Window(solid.volume.shape if around != "box" else (40, 40, 40), around=around, margin=0.3)
    trained = saying(solid.volume, [broken], window, site)
    seen = last(segment_by_logits(solid.volume, prior, site, trained, Settings(certify="report")))
    assert not seen.certificate.topology_ok
    assert seen.certificate.betti_mask == gudhi_betti(seen.full_mask())
    result = last(segment_by_logits(solid.volume, prior, site, trained))
    assert isinstance(result, PixelwiseSegmentation)
    assert gudhi_betti(result.full_mask()) == betti_numbers(result.full_mask()) == prior.betti
    assert dice(result.full_mask(), solid.mask) > 0.95
    assert result.start.startswith("corrected")
    assert result.certificate.repaired_voxels == int((result.full_mask() != seen.full_mask()).sum()) > 0
    assert (result.certificate.folding_voxels, result.certificate.least_jacobian) == (None, None)
    report = json.loads(json.dumps(result.report()))
    assert report["start"] == result.start
    assert report["folding_voxels"] is None
    assert set(report["seconds"]) == {"prepare", "predict", "certify", "total"}


def test_where_a_network_sees_nothing_the_template_is_taken_and_that_is_told(flat, gudhi_betti) -> None:
    prior = prior_of("annulus")
    site = boxed(prior, flat.volume, flat.mask)
    trained = saying(flat.volume, [np.zeros_like(flat.mask)], BOXED[2], site)
    with pytest.warns(ToposegWarning, match="the template is moved"):
        result = last(segment_by_logits(flat.volume, prior, site, trained))
    assert gudhi_betti(result.full_mask()) == (1, 1)
    assert result.start == "the template as it was placed"
    assert last(segment_by_logits(flat.volume, prior, site, trained, Settings(certify="off"))).mask.sum() == 0


@pytest.mark.parametrize("other", [Window((64, 56), around="image"), Window((48, 40), margin=0.5)])
def test_a_hybrid_has_the_logits_boundary_and_the_template_s_topology(other, flat, gudhi_betti) -> None:
    prior = prior_of("annulus")
    site = boxed(prior, flat.volume, flat.mask)
    trained = TrainedNetwork(wild("tpsn", 2, scale=0.2), BOXED[2], "tpsn")
    plain = last(segment_by_network(flat.volume, prior, site, trained))
    # A ring with a gap and a second hole, as a pixel-wise network may see it.
    torn = flat.mask.copy()
    middle = int(np.mean(box_of(flat.mask)[0]))
    torn[middle - 1 : middle + 1, : flat.mask.shape[1] // 2] = False
    assert betti_numbers(torn) != prior.betti
    result = last(
        segment_by_network(flat.volume, prior, site, trained, hybrid=saying(flat.volume, [torn], other, site))
    )
    is_certified(result, gudhi_betti)
    assert dice(result.full_mask(), flat.mask) > max(0.97, dice(plain.full_mask(), flat.mask) + 0.02)
    assert (result.displacement.values == plain.displacement.values).all()
    assert result.hybrid_voxels == int((result.full_mask() != plain.full_mask()).sum())
    assert result.certificate.repaired_voxels == plain.certificate.repaired_voxels
    assert [network["name"] for network in result.report()["networks"]] == ["tpsn", "unet"]
    assert "hybrid" in result.seconds


def test_beyond_the_pixel_wise_window_a_hybrid_flips_nothing(gudhi_betti) -> None:
    image = phantom("disk", (80, 72), seed=0)
    prior = prior_of("disk")
    site = boxed(prior, image.volume, image.mask)
    trained = TrainedNetwork(Moving((0.0, 0.0)), BOXED[2])
    small = Window((16, 16), around="centre")
    plain = last(segment_by_network(image.volume, prior, site, trained)).full_mask()
    nothing = saying(image.volume, [np.zeros_like(image.mask)], small, site)
    result = last(segment_by_network(image.volume, prior, site, trained, hybrid=nothing))
    box = seen_box(window_frame(small, image.volume.frame, site.within), image.volume.frame)
    inside = np.zeros_like(image.mask)
    inside[box_slices(box)] = True
    assert plain[inside].all()
    assert plain[~inside].any()
    assert (result.full_mask() == plain)[~inside].all()
    # A disk cannot lose its middle: it stays whole.
    assert gudhi_betti(result.full_mask()) == (1, 0)


def test_where_the_shown_template_leaves_the_image_the_mask_starts_where_the_person_placed_it(
    flat, gudhi_betti
) -> None:
    prior = prior_of("annulus")
    site = site_in_box(prior, flat.volume, ((0, 20), (0, 22)))
    trained = TrainedNetwork(Moving((0.0, 0.0)), Window((48, 48), around="centre", template=0.9))
    result = last(segment_by_network(flat.volume, prior, site, trained))
    is_certified(result, gudhi_betti)
    seen = result.full_mask()
    assert seen[0].any() or seen[:, 0].any()
