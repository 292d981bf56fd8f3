from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_toposeg.data import BETTI, broken_mask
from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import betti_numbers, correct, fill_cavities, largest_components

KINDS = ("disk", "annulus", "two disks", "ball", "torus", "shell", "two balls")


def disc(shape, centre, radius):
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    return sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True)) <= radius**2


def annulus(shape=(80, 80), centre=(40, 40), inner=18, outer=26):
    return disc(shape, centre, outer) & ~disc(shape, centre, inner)


def cut(mask, rows=(38, 43), columns=(40, 80)):
    mask = mask.copy()
    mask[slice(*rows), slice(*columns)] = False
    return mask


def test_all_kinds_are_tried():
    assert set(BETTI) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_broken_on_purpose_come_back_with_their_betti_numbers_and_little_changed(gudhi_betti, kind):
    shares = []
    for seed in range(8):
        case = broken_mask(kind, seed)
        assert gudhi_betti(case.clean) == case.betti
        assert gudhi_betti(case.mask) != case.betti
        corrected = correct(case.mask, case.betti)
        assert corrected is not None, (kind, seed)
        assert gudhi_betti(corrected.mask) == case.betti, (kind, seed)
        assert corrected.changed_voxels == (corrected.mask != case.mask).sum()
        shares.append(corrected.changed_voxels / case.mask.sum())
    assert np.mean(shares) < 0.05


@pytest.mark.parametrize(("kind", "connectivity"), [("annulus", 4), ("disk", 4), ("torus", 6), ("shell", 6)])
def test_the_other_connectivity_is_corrected_as_well(gudhi_betti, kind, connectivity):
    for seed in range(3):
        case = broken_mask(kind, seed)
        corrected = correct(case.mask, case.betti, connectivity=connectivity)
        assert corrected is not None
        assert gudhi_betti(corrected.mask, connectivity) == case.betti
        assert corrected.changed_voxels < 0.1 * case.mask.sum()


def test_a_right_mask_is_left_as_it_is():
    mask = annulus()
    corrected = correct(mask, (1, 1))
    assert corrected is not None
    assert corrected.changed_voxels == 0
    assert np.array_equal(corrected.mask, mask)
    assert corrected.mask is not mask


def test_islands_are_dropped_and_cavities_filled_and_nothing_else_is_touched():
    whole = disc((40, 40, 40), (20, 20, 20), 12)
    mask = whole | disc((40, 40, 40), (5, 6, 7), 2) | disc((40, 40, 40), (20, 20, 36), 1)
    mask &= ~disc((40, 40, 40), (20, 18, 23), 2)
    mask[24, 20, 20] = False
    corrected = correct(mask, (1, 0, 0))
    assert corrected is not None
    assert np.array_equal(corrected.mask, whole)


def test_a_cut_ring_is_closed_by_a_short_bridge_in_the_gap():
    mask = cut(annulus())
    assert betti_numbers(mask) == (1, 0)
    corrected = correct(mask, (1, 1))
    assert corrected is not None
    assert not (mask & ~corrected.mask).any()
    added = np.argwhere(corrected.mask & ~mask)
    # The gap is 5 voxels wide: a straight bridge takes 5, one that leans a few more.
    assert 5 <= len(added) <= 8
    assert added[:, 0].min() == 38
    assert added[:, 0].max() == 42
    assert added[:, 1].min() >= 55
    assert fill_cavities(corrected.mask)[40, 40]


def test_a_ring_cut_in_two_is_joined_on_both_sides():
    mask = cut(annulus(), columns=(0, 80))
    assert betti_numbers(mask) == (2, 0)
    corrected = correct(mask, (1, 1))
    assert corrected is not None
    assert 10 <= corrected.changed_voxels <= 16
    assert fill_cavities(corrected.mask)[40, 40]


def test_a_pinhole_in_the_wall_of_a_cut_ring_is_not_taken_for_its_hole():
    mask = cut(annulus())
    mask[18, 40] = mask[40, 18] = mask[41, 18] = False
    assert betti_numbers(mask) == (1, 2)
    corrected = correct(mask, (1, 1))
    assert corrected is not None
    hole = fill_cavities(corrected.mask) & ~corrected.mask
    assert hole[40, 40]
    assert corrected.mask[18, 40]


def test_a_small_hole_is_kept_where_no_other_can_be_made():
    mask = disc((60, 60), (30, 30), 20) & ~disc((60, 60), (30, 32), 2)
    mask[3:5, 3:5] = True
    corrected = correct(mask, (1, 1))
    assert corrected is not None
    assert corrected.changed_voxels == 4
    assert not corrected.mask[30, 32]


def test_a_tunnel_is_closed_by_a_membrane_and_not_by_a_slit_to_the_surface():
    whole = disc((48, 48, 48), (24, 24, 24), 18)
    mask = whole.copy()
    mask[:, 22:27, 22:27] = False
    assert betti_numbers(mask) == (1, 1, 0)
    corrected = correct(mask, (1, 0, 0))
    assert corrected is not None
    assert not (mask & ~corrected.mask).any()
    # The tunnel is 25 voxels in section.
    assert corrected.changed_voxels <= 30


def test_a_punched_shell_is_closed_over_its_hole():
    mask = disc((48, 48, 48), (24, 24, 24), 18) & ~disc((48, 48, 48), (24, 24, 24), 14)
    mask[24:, 22:27, 22:27] = False
    assert betti_numbers(mask) == (1, 0, 0)
    corrected = correct(mask, (1, 0, 1))
    assert corrected is not None
    assert corrected.changed_voxels <= 30
    assert fill_cavities(corrected.mask)[24, 24, 24]


def test_a_ball_parted_in_two_is_joined_and_not_halved():
    mask = disc((40, 40, 40), (20, 20, 20), 14)
    mask[19:21] = False
    corrected = correct(mask, (1, 0, 0))
    assert corrected is not None
    assert corrected.changed_voxels <= 4


def test_two_pieces_that_touch_are_parted():
    mask = disc((40, 60), (20, 18), 11) | disc((40, 60), (20, 42), 11)
    mask[18:23, 28:33] = True
    assert betti_numbers(mask) == (1, 0)
    corrected = correct(mask, (2, 0))
    assert corrected is not None
    assert betti_numbers(corrected.mask) == (2, 0)
    assert not (corrected.mask & ~mask).any()
    assert corrected.changed_voxels <= 10


def test_a_gap_of_one_slice_is_bridged_where_slices_are_thick():
    ring = np.repeat(annulus((48, 48), (24, 24), 9, 15)[:, None], 9, axis=1)
    mask = ring.copy()
    mask[24, :, 24:] = False
    spacing = (6.0, 1.0, 1.0)
    corrected = correct(mask, (1, 1, 0), spacing=spacing)
    assert corrected is not None
    assert betti_numbers(corrected.mask) == (1, 1, 0)
    assert corrected.changed_voxels <= 3
    assert set(np.argwhere(corrected.mask & ~mask)[:, 0]) == {24}


@pytest.mark.parametrize("crop", [(14, 67), (17, 64)])
def test_a_mask_at_the_border_of_the_array_is_corrected_within_the_array(gudhi_betti, crop):
    mask = cut(annulus())[slice(*crop), slice(*crop)]
    assert mask[0].any()
    assert mask[-1].any()
    assert betti_numbers(mask) == (1, 0)
    corrected = correct(mask, (1, 1))
    assert corrected is not None
    assert gudhi_betti(corrected.mask) == (1, 1)
    assert corrected.mask.shape == mask.shape
    assert 5 <= corrected.changed_voxels <= 8


def test_a_full_array_can_be_given_a_hole_by_no_repair_of_its_own():
    assert correct(np.ones((12, 12)), (1, 1)) is None
    corrected = correct(np.ones((12, 12)), (1, 0))
    assert corrected is not None
    assert corrected.changed_voxels == 0


def test_what_cannot_be_reached_from_the_mask_is_reached_from_a_given_start():
    mask = disc((40, 40), (20, 20), 12)
    assert correct(mask, (2, 0)) is None
    start = disc((40, 40), (12, 20), 4) | disc((40, 40), (28, 20), 4)
    wrong = np.ones((40, 40), bool)
    corrected = correct(mask, (2, 0), starts=(wrong, start))
    assert corrected is not None
    assert corrected.start == "given start 2"
    assert betti_numbers(corrected.mask) == (2, 0)
    # Both halves grow until a slit parts them.
    assert corrected.changed_voxels < 0.1 * mask.sum()


def test_a_given_start_wins_only_where_it_is_cheaper():
    mask = cut(annulus())
    far = annulus(centre=(36, 40), inner=3, outer=30)
    with_start = correct(mask, (1, 1), starts=(far,))
    without = correct(mask, (1, 1))
    assert with_start is not None
    assert without is not None
    assert with_start.changed_voxels == without.changed_voxels


def test_an_empty_mask_is_corrected_to_nothing():
    assert correct(np.zeros((9, 9)), (1, 0)) is None
    nothing = correct(np.zeros((9, 9)), (0, 0))
    assert nothing is not None
    assert not nothing.mask.any()


def test_noise_all_through_still_gets_the_betti_numbers(gudhi_betti):
    random = np.random.default_rng(5)
    mask = ndimage.gaussian_filter(random.normal(size=(20, 22, 18)), 1.2) > 0
    assert betti_numbers(mask)[1] > 20
    corrected = correct(mask, (1, 0, 0))
    assert corrected is not None
    assert gudhi_betti(corrected.mask) == (1, 0, 0)
    assert corrected.changed_voxels < 0.3 * mask.sum()


def test_the_same_mask_is_corrected_in_the_same_way_and_not_written_to():
    case = broken_mask("torus", 1)
    mask = case.mask.copy()
    mask.flags.writeable = False
    first, second = correct(mask, case.betti), correct(np.asfortranarray(mask), case.betti)
    assert first is not None
    assert second is not None
    assert np.array_equal(first.mask, second.mask)
    assert np.array_equal(mask, case.mask)


def test_a_correction_does_not_depend_on_where_the_mask_lies_in_the_volume():
    mask = cut(annulus((60, 60), (30, 30)), rows=(28, 33), columns=(30, 60))
    near, far = correct(mask, (1, 1)), correct(np.pad(mask, ((0, 40), (35, 0))), (1, 1))
    assert near is not None
    assert far is not None
    assert np.array_equal(near.mask, far.mask[:60, 35:])


def test_real_hippocampus_labels_with_a_wrong_topology_are_corrected_by_a_few_voxels(data_folder, gudhi_betti):
    nibabel = pytest.importorskip("nibabel")
    wrong = 0
    for path in sorted((data_folder / "msd_hippocampus" / "labels").glob("*.nii.gz"))[:60]:
        mask = np.asarray(nibabel.load(path).dataobj) > 0
        if betti_numbers(mask) == (1, 0, 0):
            continue
        wrong += 1
        corrected = correct(mask, (1, 0, 0))
        assert corrected is not None
        assert gudhi_betti(corrected.mask) == (1, 0, 0)
        assert corrected.changed_voxels <= 20
    assert wrong > 0


def test_real_heart_walls_that_the_raster_broke_become_rings(data_folder, gudhi_betti):
    wrong = 0
    for path in sorted((data_folder / "sunnybrook_scd").rglob("*.npz")):
        for wall in np.load(path)["segs"] > 0:
            if not wall.any() or betti_numbers(wall) == (1, 1):
                continue
            wrong += 1
            corrected = correct(wall, (1, 1))
            assert corrected is not None
            assert gudhi_betti(corrected.mask) == (1, 1)
            cavity = largest_components(fill_cavities(corrected.mask) & ~corrected.mask, connectivity=4)
            assert cavity.sum() > 0.2 * wall.sum()
    assert wrong > 10


def test_betti_numbers_of_another_dimension_are_refused():
    with pytest.raises(ToposegError, match="2-D mask cannot have the 3 Betti numbers"):
        correct(np.ones((4, 4)), (1, 0, 0))


def test_a_start_or_a_spacing_that_does_not_fit_is_refused():
    with pytest.raises(ToposegError, match="start has the shape"):
        correct(np.ones((4, 4)), (1, 0), starts=(np.ones((4, 5)),))
    with pytest.raises(ToposegError, match="spacing has 3 values"):
        correct(np.ones((4, 4)), (1, 0), spacing=(1.0, 1.0, 1.0))
