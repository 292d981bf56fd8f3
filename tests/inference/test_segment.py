"""One volume in, one certified mask out."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import dice
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Segmentation, Settings, segment, site_in_box, site_in_image
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.priors import find_prior, place_in_box, template_mask
from napari_toposeg.steps import Finish, Step, last
from napari_toposeg.volume import Volume

QUICK = Settings(iterations=40)


def in_its_box(
    volume: Volume, mask: np.ndarray, name: str, settings: Settings, *, margin: float | None = 5
) -> Segmentation:
    """Segment what a person would have drawn a box around."""
    prior = find_prior(name)
    assert prior is not None
    box = box_of(mask)
    assert box is not None
    return last(segment(volume, prior, site_in_box(prior, volume, box, margin=margin), settings))


@pytest.fixture(scope="module")
def flat():
    return phantom("annulus", (96, 88), seed=3)


@pytest.fixture(scope="module")
def solid():
    return phantom("ball", (48, 44, 30), seed=5)


@pytest.fixture(scope="module")
def segmented(solid) -> Segmentation:
    return in_its_box(solid.volume, solid.mask, "ball", QUICK)


@pytest.mark.parametrize("name", ["disk", "ellipse", "annulus"])
def test_a_flat_phantom_is_found_with_its_topology(name, gudhi_betti) -> None:
    image = phantom(name, (96, 88), seed=1)
    result = in_its_box(image.volume, image.mask, name, Settings())
    assert gudhi_betti(result.full_mask()) == find_prior(name).betti
    assert result.certificate.topology_ok
    assert result.certificate.folding_voxels == 0
    assert result.certificate.least_jacobian > 0
    assert dice(result.full_mask(), image.mask) > 0.85


@pytest.mark.parametrize("name", ["ellipsoid", "shell", "torus", "tube"])
def test_a_solid_phantom_keeps_the_prior_s_topology(name, gudhi_betti) -> None:
    image = phantom(name, (48, 48, 32), seed=2)
    result = in_its_box(image.volume, image.mask, name, QUICK)
    assert gudhi_betti(result.full_mask()) == find_prior(name).betti
    assert result.certificate.folding_voxels == 0


def test_it_finds_the_organ_better_than_the_template_that_was_placed(segmented, solid) -> None:
    prior = find_prior("ball")
    placed = template_mask(prior, place_in_box(prior, solid.volume.frame, box_of(solid.mask)), solid.volume.frame)
    assert dice(segmented.full_mask(), solid.mask) > max(0.97, dice(placed, solid.mask))


def test_a_small_bright_ball_that_was_placed_loosely_is_found_and_does_not_vanish() -> None:
    image = phantom("ball", (64, 60, 40), seed=0)
    result = in_its_box(image.volume, image.mask, "ball", Settings(), margin=None)
    assert dice(result.full_mask(), image.mask) > 0.95


def test_the_deformation_is_the_identity_on_its_border(segmented) -> None:
    values = segmented.displacement.values
    assert np.abs(values).max() > 0.5
    for axis in range(3):
        assert np.abs(np.take(values, [0, -1], axis=axis + 1)).max() == 0


def test_the_mask_is_where_the_warped_template_is_but_for_what_was_repaired(segmented) -> None:
    grid = segmented.volume.frame.crop(segmented.box)
    plain = (
        warped_distance(
            segmented.prior, segmented.placement, grid, segmented.displacement.values, segmented.displacement.frame
        )
        > 0
    )
    assert int((plain != segmented.mask).sum()) == segmented.certificate.repaired_voxels
    assert segmented.certificate.repaired_voxels < 0.02 * segmented.mask.sum()


def test_the_report_holds_what_was_promised(segmented) -> None:
    report = segmented.report()
    promised = (
        "version prior betti_prior betti_mask connectivity topology_ok folding_voxels least_jacobian repaired_voxels "
        "iterations losses device seed seconds input"
    )
    assert set(promised.split()) <= set(report)
    assert report["betti_prior"] == report["betti_mask"] == [1, 0, 0]
    assert report["iterations"] == 40
    stages = {stage: seconds for stage, seconds in report["seconds"].items() if stage != "total"}
    assert report["seconds"]["total"] == pytest.approx(sum(stages.values()), abs=1e-3)


def test_the_same_run_twice_gives_the_same_mask(flat) -> None:
    first = in_its_box(flat.volume, flat.mask, "annulus", QUICK)
    second = in_its_box(flat.volume, flat.mask, "annulus", QUICK)
    assert (first.full_mask() == second.full_mask()).all()
    assert (first.displacement.values == second.displacement.values).all()


def test_finishing_early_certifies_the_best_so_far(solid) -> None:
    prior = find_prior("ball")
    site = site_in_box(prior, solid.volume, box_of(solid.mask))
    steps = segment(solid.volume, prior, site, Settings(iterations=1000))
    for step in steps:
        if step.number > 12:
            break
    following = [steps.throw(Finish()), *steps]
    result = following[-1].result
    assert result.iterations == step.number - 1
    assert result.certificate.topology_ok
    assert [step.stage for step in following] == ["unfold", "certify"]


def test_steps_count_up_to_their_total_and_carry_previews(flat) -> None:
    prior = find_prior("annulus")
    site = site_in_box(prior, flat.volume, box_of(flat.mask))
    steps: list[Step[Segmentation]] = list(segment(flat.volume, prior, site, QUICK))
    assert [step.number for step in steps] == list(range(1, steps[-1].total + 1))
    previews = [step.preview for step in steps if step.preview is not None]
    assert len(previews) >= 5
    assert all(preview.shape == tuple(high - low for low, high in site.region) for preview in previews)
    assert [step.result is not None for step in steps] == [False] * (len(steps) - 1) + [True]


def test_in_the_whole_image_the_organ_is_looked_for() -> None:
    """Nobody says where: the affine stage has to move the template there."""
    rows, columns = np.indices((90, 110))
    mask = np.hypot(rows - 52, columns - 40) < 21
    image = np.random.default_rng(0).normal(mask * 1.0, 0.3).astype(np.float32)
    volume = Volume.from_stored(image, np.diag([-1.0, -1.0, 1.0, 1.0]))
    prior = find_prior("disk")
    result = last(segment(volume, prior, site_in_image(prior, volume)))
    assert dice(volume.to_stored(result.full_mask()), mask) > 0.93
    assert result.certificate.topology_ok


def test_strict_repairs_what_report_only_tells(gudhi_betti) -> None:
    """A thin ring breaks when it is sampled on coarse voxels; carried along by simple points it does not."""
    image = phantom("annulus", (40, 40), seed=11)
    loose = Settings(iterations=60, jacobian_weight=0.0, laplacian_weight=0.0, certify="report")
    reported = in_its_box(image.volume, image.mask, "annulus", loose)
    strict = in_its_box(
        image.volume, image.mask, "annulus", Settings(iterations=60, jacobian_weight=0.0, laplacian_weight=0.0)
    )
    assert reported.certificate.folding_voxels > 0
    assert reported.certificate.betti_mask == gudhi_betti(reported.full_mask())
    assert strict.certificate.folding_voxels == 0
    assert gudhi_betti(strict.full_mask()) == (1, 1)


def test_a_tpsn_s_weights_can_move_instead_of_a_velocity(flat) -> None:
    result = in_its_box(flat.volume, flat.mask, "annulus", Settings(moves="tpsn", iterations=30))
    assert result.certificate.topology_ok
    assert result.certificate.folding_voxels == 0
    assert np.abs(result.displacement.values).max() > 0.1


def test_thick_slices_are_segmented_on_their_own_grid(gudhi_betti) -> None:
    image = phantom("ball", (64, 64, 16), spacing=(1.0, 1.0, 6.0), seed=4)
    result = in_its_box(image.volume, image.mask, "ellipsoid", QUICK, margin=1)
    assert gudhi_betti(result.full_mask()) == (1, 0, 0)
    assert result.displacement.frame.spacing == pytest.approx(image.volume.spacing)


def test_a_region_at_the_image_s_border_is_no_obstacle(gudhi_betti) -> None:
    i, j, k = np.indices((30, 30, 30))
    mask = (i - 8) ** 2 + (j - 8) ** 2 + (k - 8) ** 2 < 64
    volume = Volume.from_stored(np.where(mask, 100, 20).astype(np.int16), np.eye(4))
    result = in_its_box(volume, mask, "ball", QUICK)
    assert dice(result.full_mask(), mask) > 0.93
    assert gudhi_betti(result.full_mask()) == (1, 0, 0)


def refused(volume: Volume, match: str, settings: Settings = QUICK) -> None:
    prior = find_prior("ball")
    with pytest.raises(ToposegError, match=match):
        last(segment(volume, prior, site_in_image(prior, volume), settings))


def test_what_cannot_be_segmented_is_refused_in_a_sentence() -> None:
    spoilt = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    spoilt[3, 4, 5] = np.nan
    refused(Volume.from_stored(spoilt, np.eye(4)), "NaN")
    refused(Volume.from_stored(np.full((20, 20, 20), 7), np.eye(4)), "one single intensity")
    whole = Volume.from_stored(np.nan_to_num(spoilt), np.eye(4))
    refused(whole, "no device 'cuda:99'|no device", Settings(iterations=10, device="cuda:99"))
    refused(whole, "There is no device 'abacus'", Settings(iterations=10, device="abacus"))


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ToposegError, match="strict, report, off"):
        Settings(certify="maybe")
    with pytest.raises(ToposegError, match="at least 10"):
        Settings(iterations=3)
