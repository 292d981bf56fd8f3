"""Several objects: one owner for every voxel, and every object's topology kept or named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of
from napari_toposeg.inference import (
    PixelwiseSegmentation,
    Resolved,
    Segmentation,
    Settings,
    TrainedNetwork,
    Window,
    resolve_overlaps,
    segment_objects,
    site_in_box,
    site_in_image,
)
from napari_toposeg.networks import DeformationNetwork, Deformed, build, settings_from_dict
from napari_toposeg.networks.deformed import warp_templates
from napari_toposeg.priors import find_prior
from napari_toposeg.steps import last
from napari_toposeg.topology import betti_numbers, correct, signed_distance
from napari_toposeg.volume import Volume

SHAPE = (26, 24, 22)


def ball(*centre: float, radius: float, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Signed distance to a ball, in voxels."""
    at = np.indices(shape, np.float32)
    return radius - np.sqrt(sum((axis - middle) ** 2 for axis, middle in zip(at, centre, strict=True)))


def torus(*centre: float, radius: float, tube: float) -> np.ndarray:
    """Signed distance to a torus about the last axis."""
    x, y, z = (axis - middle for axis, middle in zip(np.indices(SHAPE, np.float32), centre, strict=True))
    return tube - np.hypot(np.hypot(x, y) - radius, z)


def resolve(*distances: np.ndarray, surer: tuple[float, ...] = ()) -> Resolved:
    """Resolve shapes that have the right topology; each may be made surer by so much."""
    stack = np.stack(distances).astype(np.float32)
    masks = stack > 0
    more = np.array(surer or (0.0,) * len(stack), np.float32).reshape(-1, *[1] * (stack.ndim - 1))
    return resolve_overlaps(masks, stack + more, [betti_numbers(mask) for mask in masks])


def test_objects_that_do_not_meet_stay_as_they_are() -> None:
    one, two = ball(7, 12, 11, radius=5), ball(19, 12, 11, radius=5)
    found = resolve(one, two)
    assert ((found.labels == 1) == (one > 0)).all()
    assert ((found.labels == 2) == (two > 0)).all()
    assert (found.kept, found.broken, found.contested_voxels) == ((True, True), (), 0)


def test_two_balls_that_overlap_part_half_way() -> None:
    one, two = ball(9, 12, 11, radius=7), ball(17, 12, 11, radius=7)
    found = resolve(one, two)
    assert found.contested_voxels == int(((one > 0) & (two > 0)).sum()) > 100
    assert found.broken == ()
    both = (one > 0) & (two > 0)
    x = np.indices(SHAPE)[0]
    assert (found.labels[both & (x < 13)] == 1).all()
    assert (found.labels[both & (x > 13)] == 2).all()
    assert ((found.labels > 0) == ((one > 0) | (two > 0))).all()


def test_the_surer_of_two_equal_balls_has_all_that_both_claim() -> None:
    one, two = ball(9, 12, 11, radius=7), ball(17, 12, 11, radius=7)
    found = resolve(one, two, surer=(0.0, 20.0))
    assert ((found.labels == 2) == (two > 0)).all()
    assert ((found.labels == 1) == ((one > 0) & ~(two > 0))).all()
    assert found.broken == ()


@pytest.mark.parametrize("surer", [1, 2])
def test_a_ring_through_a_ball_breaks_the_less_sure_one_and_names_it(surer: int, gudhi_betti) -> None:
    ring, solid = torus(12, 12, 11, radius=8, tube=2.6), ball(20, 12, 11, radius=5)
    found = resolve(ring, solid, surer=(20.0, 0.0) if surer == 1 else (0.0, 20.0))
    assert found.broken == (3 - surer,)
    assert gudhi_betti(found.labels == surer) == ((1, 1, 0) if surer == 1 else (1, 0, 0))
    # The ball is drilled through, or the ring is cut.
    assert gudhi_betti(found.labels == 3 - surer) == ((1, 1, 0) if surer == 1 else (1, 0, 0))
    both = (ring > 0) & (solid > 0)
    assert (found.labels[both] == surer).all()


def test_a_ring_that_only_dents_a_ball_breaks_nothing() -> None:
    ring, solid = torus(12, 12, 11, radius=6, tube=2.0), ball(12, 12, 16, radius=7)
    found = resolve(ring, solid, surer=(20.0, 0.0))
    assert found.contested_voxels > 0
    assert found.broken == ()
    assert ((found.labels == 1) == (ring > 0)).all()


@pytest.mark.parametrize("surer", [1, 2])
def test_of_a_ball_within_a_ball_one_has_to_break(surer: int, gudhi_betti) -> None:
    inner, outer = ball(12, 12, 11, radius=3), ball(12, 12, 11, radius=8)
    found = resolve(inner, outer, surer=(20.0, 0.0) if surer == 1 else (0.0, 20.0))
    if surer == 1:
        assert ((found.labels == 1) == (inner > 0)).all()
        assert found.broken == (2,)
        assert gudhi_betti(found.labels == 2) == (1, 0, 1)
    else:
        assert not (found.labels == 1).any()
        assert ((found.labels == 2) == (outer > 0)).all()
        assert found.broken == (1,)


def test_a_ball_in_a_shell_s_cavity_and_its_wall_breaks_nothing() -> None:
    outer = ball(12, 12, 11, radius=9)
    shell, inner = np.minimum(outer, -ball(12, 12, 11, radius=5)), ball(12, 12, 11, radius=6.2)
    for surer in ((20.0, 0.0), (0.0, 20.0)):
        found = resolve(shell, inner, surer=surer)
        assert found.contested_voxels > 0
        assert found.broken == ()


def test_where_the_less_sure_one_cannot_give_way_the_surer_one_does() -> None:
    # A thin plate, less sure, that a bump of the other object's dents: to lose its middle would make a hole in it.
    plate = np.zeros(SHAPE, bool)
    plate[4:22, 4:20, 10] = True
    bump = np.zeros(SHAPE, bool)
    bump[10:15, 10:14, 2:11] = True
    masks = np.stack([plate, bump])
    sureness = np.stack([np.full(SHAPE, 1.0), np.full(SHAPE, 9.0)]).astype(np.float32)
    found = resolve_overlaps(masks, sureness, [(1, 0, 0)] * 2)
    assert found.broken == ()
    assert ((found.labels == 1) == plate).all()
    assert ((found.labels == 2) == (bump & ~plate)).all()
    # Without a care for topology the plate has a hole.
    careless = resolve_overlaps(masks, sureness, [(1, 0, 0)] * 2, keep_topology=False)
    assert careless.broken == (1,)
    assert ((careless.labels == 2) == bump).all()


def test_three_objects_in_one_place() -> None:
    found = resolve(*(ball(10 + 4 * np.cos(turn), 12 + 4 * np.sin(turn), 11, radius=6) for turn in (0.0, 2.1, 4.2)))
    assert found.contested_voxels > 0
    assert found.broken == ()


@given(seed=st.integers(0, 10_000), count=st.integers(2, 4), ndim=st.sampled_from([2, 3]), width=st.floats(1.0, 2.5))
@settings(max_examples=25, deadline=None)
def test_labels_part_the_masks_and_every_object_that_is_not_named_has_its_topology(seed, count, ndim, width) -> None:
    shape = (16, 15, 10) if ndim == 3 else (26, 24)
    random = np.random.default_rng(seed)
    wanted = [tuple(numbers) for numbers in ([1, 1, 0], [1, 0, 0], [1, 0, 1], [2, 0, 0])]
    masks, betti = [], []
    for number in range(count):
        blob = gaussian_filter(random.normal(size=shape), width) > 0
        numbers = wanted[number][:ndim]
        right = correct(blob, numbers)
        if right is not None:
            masks.append(right.mask)
            betti.append(numbers)
    if len(masks) < 2:
        return
    stack = np.stack(masks)
    sureness = np.stack([signed_distance(mask) for mask in masks]).astype(np.float32)
    found = resolve_overlaps(stack, sureness, betti)
    owned = np.stack([found.labels == number for number in range(1, len(masks) + 1)])
    claims = stack.sum(axis=0)
    assert found.contested_voxels == int((claims > 1).sum())
    assert not (owned & ~stack).any()
    assert ((owned == stack) | (claims > 1)).all()
    for number, (mask, numbers) in enumerate(zip(owned, betti, strict=True), start=1):
        assert (betti_numbers(mask) == numbers) == (number not in found.broken)
    careless = resolve_overlaps(stack, sureness, betti, keep_topology=False)
    assert (careless.labels > 0).sum() == (claims > 0).sum()
    for number, (mask, whole) in enumerate(
        zip(stack, careless.labels == np.arange(1, len(masks) + 1).reshape(-1, *[1] * ndim), strict=True)
    ):
        least = np.where(stack, sureness, -np.inf).argmax(axis=0) == number
        assert (whole == (mask & least)).all()


class Parting(DeformationNetwork):
    """Moves the first template by so many voxels along the first axis, and the second one back."""

    def __init__(self, by: float, ndim: int) -> None:
        super().__init__(ndim, 2)
        self.by = by

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        field = torch.zeros(2, self.ndim, *image.shape[2:])
        field[0, 0], field[1, 0] = self.by, -self.by
        return Deformed(field, warp_templates(template, field), (), (field,))


class Saying(nn.Module):
    """Answers with the same logits whatever it is shown."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, image: Tensor) -> Tensor:
        return self.logits


@pytest.fixture(scope="module")
def image() -> Volume:
    noise = np.random.default_rng(0).normal(size=(40, 30, 24)).astype(np.float32)
    return Volume.from_stored(noise, np.diag([-1.0, 1.0, 1.5, 1.0]), name="noise")


@pytest.mark.parametrize("by", [3.0, 9.0])
def test_two_templates_that_overlap_come_out_as_two_labels(by: float, image: Volume, gudhi_betti) -> None:
    ball_prior = find_prior("ball")
    site = site_in_box(ball_prior, image, ((4, 36), (8, 22), (5, 19)))
    trained = TrainedNetwork(Parting(by, 3), Window((48, 24, 24), places=(((0.3, 0.7),) * 3,) * 2), "multi-tpsn")
    result = last(segment_objects(image, [ball_prior, ball_prior], site, trained))
    labels = result.full_labels()
    assert labels.shape == image.shape
    assert (result.contested_voxels > 0) == (by == 3.0)
    assert result.broken == ()
    boxes = []
    for number, one in enumerate(result.objects, start=1):
        assert isinstance(one, Segmentation)
        assert gudhi_betti(labels == number) == (1, 0, 0)
        assert ((labels == number) == one.full_mask()).all()
        assert one.certificate.folding_voxels == 0
        boxes.append(box_of(labels == number))
    # A mask lies where its template does at x + u: the first one moved down, the second one up.
    assert boxes[0][0][0] < boxes[1][0][0]
    report = json.loads(json.dumps(result.report()))
    assert report["topology_ok"] is True
    assert report["contested_voxels"] == result.contested_voxels
    assert [(one["label"], one["prior"], one["betti_mask"]) for one in report["objects"]] == [
        (1, "ball", [1, 0, 0]),
        (2, "ball", [1, 0, 0]),
    ]
    assert report["networks"][0]["name"] == "multi-tpsn"
    assert set(report["seconds"]) == {"prepare", "predict", "unfold", "certify", "part", "total"}


def test_an_untrained_network_of_two_objects_keeps_both(image: Volume, gudhi_betti) -> None:
    network = build("multi-tpsn", settings_from_dict("multi-tpsn", {"ndim": 3, "features": 2, "resolutions": 2}))
    torch.manual_seed(0)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(0.4 * torch.randn(tensor.shape))
    places = (((0.1, 0.6),) * 3, ((0.4, 0.9),) * 3)
    priors = [find_prior("ball"), find_prior("shell")]
    trained = TrainedNetwork(network, Window((24, 24, 24), around="image", places=places))
    result = last(segment_objects(image, priors, site_in_image(priors[0], image), trained))
    labels = result.full_labels()
    for number, prior in enumerate(priors, start=1):
        assert (gudhi_betti(labels == number) == prior.betti) == (number not in result.broken)


@pytest.mark.parametrize("how", ["strict", "report"])
def test_logits_of_several_objects_are_parted_by_the_surer_one(how: str, image: Volume) -> None:
    shape = (40, 30, 24)
    one, two = ball(14, 15, 12, radius=8, shape=shape), ball(26, 15, 12, radius=8, shape=shape)
    logits = np.stack([one, two]).astype(np.float32)
    logits[0][14, 15, 12] = -3.0  # a cavity
    trained = TrainedNetwork(Saying(torch.from_numpy(logits)[None]), Window(shape, around="image"), "unet")
    priors = [find_prior("ball")] * 2
    result = last(segment_objects(image, priors, site_in_image(priors[0], image), trained, Settings(certify=how)))
    labels = result.full_labels()
    assert result.contested_voxels == int(((one > 0) & (two > 0)).sum())
    sure = (one > 0) | (two > 0)
    sure[14, 15, 12] = how == "strict"
    assert ((labels > 0) == sure).all()
    assert (labels[(one > two) & sure] == 1).all()
    assert result.broken == (() if how == "strict" else (1,))
    assert all(isinstance(found, PixelwiseSegmentation) for found in result.objects)


def test_as_many_priors_as_objects_have_to_be_given(image: Volume) -> None:
    prior = find_prior("ball")
    trained = TrainedNetwork(Parting(1.0, 3), Window((16, 16, 16), around="image"))
    with pytest.raises(ToposegError, match=r"deforms 2 template\(s\), and 3"):
        last(segment_objects(image, [prior] * 3, site_in_image(prior, image), trained))
    with pytest.raises(ToposegError, match="0 objects"):
        last(segment_objects(image, [], site_in_image(prior, image), trained))
