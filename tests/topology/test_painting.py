from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import Footprint, count_components, mark_simple_points, paint, stroke_footprint

PAIRS = {2: (8, 4), 3: (26, 6)}


def ball(shape, radius):
    grid = np.meshgrid(*[np.arange(size) - (size - 1) / 2 for size in shape], indexing="ij")
    return sum(axis**2 for axis in grid) < radius**2


def ring(shape, radius, width):
    return ball(shape, radius + width / 2) & ~ball(shape, radius - width / 2)


@st.composite
def strokes(draw, labels=False):
    """A random mask or label map, and any set of voxels of a box of it."""
    ndim = draw(st.integers(2, 3))
    shape = draw(array_shapes(min_dims=ndim, max_dims=ndim, max_side=6 if ndim == 3 else 10))
    mask = draw(arrays(np.uint8, shape, elements=st.integers(0, 2)) if labels else arrays(bool, shape))
    low = [draw(st.integers(0, size - 1)) for size in shape]
    high = [draw(st.integers(start + 1, size)) for start, size in zip(low, shape, strict=True)]
    inside = draw(arrays(bool, [end - start for start, end in zip(low, high, strict=True)], fill=st.just(True)))
    box = tuple(slice(start, end) for start, end in zip(low, high, strict=True))
    return mask, Footprint(box, inside)


def written(mask, painted):
    after = mask.copy()
    after[painted.box] = painted.after
    return after


@settings(max_examples=150, deadline=None)
@given(strokes(), st.booleans(), st.integers(0, 1))
def test_a_locked_stroke_never_changes_the_betti_numbers_and_leaves_nothing_that_could_flip(
    gudhi_betti, drawn, erase, which
):
    mask, footprint = drawn
    connectivity = PAIRS[mask.ndim][which]
    painted = paint(mask, footprint, erase=erase, connectivity=connectivity)
    after = written(mask, painted)
    assert gudhi_betti(after, connectivity) == gudhi_betti(mask, connectivity)
    wanted = footprint.inside & (mask[footprint.box] == erase)
    assert np.array_equal(painted.flipped | painted.refused, wanted)
    assert not (painted.flipped & painted.refused).any()
    assert np.array_equal(after != mask, np.isin(np.arange(mask.size), _numbers(mask, painted)).reshape(mask.shape))
    assert not (mark_simple_points(after, connectivity=connectivity)[painted.box] & painted.refused).any()
    assert sum(painted.reasons.values()) == painted.refused.sum()


def _numbers(mask, painted):
    return np.arange(mask.size).reshape(mask.shape)[painted.box][painted.flipped]


@settings(max_examples=100, deadline=None)
@given(strokes(), st.booleans(), st.integers(0, 1))
def test_without_the_lock_all_that_is_covered_flips_and_where_nothing_is_refused_both_are_the_same(
    gudhi_betti, drawn, erase, which
):
    mask, footprint = drawn
    connectivity = PAIRS[mask.ndim][which]
    free = paint(mask, footprint, erase=erase, locked=False, connectivity=connectivity)
    expected = mask.copy()
    expected[footprint.box][footprint.inside] = not erase
    assert np.array_equal(written(mask, free), expected)
    assert not free.refused.any()
    locked = paint(mask, footprint, erase=erase, connectivity=connectivity)
    if not locked.refused.any():
        assert np.array_equal(written(mask, locked), expected)
    if gudhi_betti(expected, connectivity) != gudhi_betti(mask, connectivity):
        assert locked.refused.any()


def test_a_stroke_that_moves_a_hole_keeps_the_betti_numbers_and_is_refused_all_the_same(gudhi_betti):
    # Why nothing is said of the converse: the hole at 2 is painted over, and the notch at 4 becomes one.
    mask = np.ones((5, 7), bool)
    mask[2, 2] = mask[2, 4] = mask[1, 4] = mask[0, 4] = False
    footprint = Footprint((slice(0, 3), slice(2, 5)), np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    free = written(mask, paint(mask, footprint, locked=False))
    assert gudhi_betti(free) == gudhi_betti(mask) == (1, 1)
    assert paint(mask, footprint).refused.sum() == 2


@settings(max_examples=60, deadline=None)
@given(strokes(labels=True), st.booleans(), st.integers(1, 2), st.integers(0, 1))
def test_of_several_objects_each_keeps_its_betti_numbers(gudhi_betti, drawn, erase, label, which):
    labels, footprint = drawn
    connectivity = PAIRS[labels.ndim][which]
    after = written(labels, paint(labels, footprint, label=label, erase=erase, connectivity=connectivity))
    for number in (1, 2):
        assert gudhi_betti(after == number, connectivity) == gudhi_betti(labels == number, connectivity)
    changed = after != labels
    assert (after[changed] == (0 if erase else label)).all()
    assert not erase or (labels[changed] == label).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 3), st.floats(3, 7), st.floats(1, 6), st.floats(-8, 8), st.floats(-3, 3), st.booleans(),
    st.integers(0, 1),
)  # fmt: skip
def test_a_round_brush_on_a_round_object_goes_all_the_way_wherever_that_breaks_nothing(
    gudhi_betti, ndim, size, radius, across, aside, erase, which
):
    connectivity = PAIRS[ndim][which]
    mask = ball((23,) * ndim, size)
    centre = np.full(ndim, 11.0)
    centre[:2] += across, aside
    footprint = stroke_footprint(centre, radius, mask.shape)
    free = written(mask, paint(mask, footprint, erase=erase, locked=False))
    locked = written(mask, paint(mask, footprint, erase=erase, connectivity=connectivity))
    if gudhi_betti(free, connectivity) == gudhi_betti(mask, connectivity):
        assert np.array_equal(locked, free)


def rest(mask, painted, erase):
    """Each refused voxel, flipped alone."""
    after = written(mask, painted)
    numbers = np.arange(mask.size).reshape(mask.shape)[painted.box][painted.refused]
    for number in numbers[:12]:
        alone = after.copy()
        alone.flat[number] = not erase
        yield alone


@settings(max_examples=150, deadline=None)
@given(strokes(), st.booleans(), st.integers(0, 1))
def test_what_is_said_of_a_refused_voxel_would_happen(gudhi_betti, drawn, erase, which):
    mask, footprint = drawn
    connectivity = PAIRS[mask.ndim][which]
    betti = gudhi_betti(mask, connectivity)
    painted = paint(mask, footprint, erase=erase, connectivity=connectivity, betti=betti)
    if len(painted.reasons) != 1:
        return
    for alone in rest(mask, painted, erase):
        change = np.subtract(gudhi_betti(alone, connectivity), betti)
        said = painted.reason.split(": ")[1]
        assert any(
            {
                "a new piece would appear": change[0] > 0,
                "it would vanish": change[0] < 0,
                "it would be filled": change[-1] < 0,
                "two pieces become one": change[0] < 0,
                "a piece break in two": change[0] > 0,
                "a piece would break in two": change[0] > 0,
                "a ring would open": change[1] < 0,
                "a tunnel would close": change[1] < 0,
                "a cavity would open": change[-1] < 0,
                "a hole would appear": change[1] > 0,
                "a tunnel would appear": change[1] > 0,
                "a tunnel appear": change[1] > 0,
                "a cavity would appear": change[-1] > 0,
                "a cavity appear": change[-1] > 0,
            }[one]
            for one in said.split(", or ")
        ), (said, change)


@pytest.mark.parametrize(
    ("mask", "at", "radius", "erase", "words"),
    [
        (ball((20, 20), 5), (2, 2), 2, False, "a new piece would appear"),
        (ring((24, 24), 8, 3), (11.5, 11.5), 7, False, "it would be filled"),
        (ball((20, 20), 5), (9, 9), 2, True, "a hole would appear"),
        (ring((24, 24), 8, 3), (11.5, 3.5), 3, True, "a ring would open"),
        (ball((20, 20, 20), 5), (9, 9, 9), 2, True, "a cavity would appear"),
        (ball((20, 20, 20), 8) & ~ball((20, 20, 20), 6), (2.5, 9.5, 9.5), 3, True, "a cavity would open"),
    ],
)
def test_why_a_stroke_is_refused_is_said_in_words(gudhi_betti, mask, at, radius, erase, words):
    painted = paint(mask, stroke_footprint(at, radius, mask.shape), erase=erase, betti=gudhi_betti(mask))
    assert any(words in reason for reason in painted.reasons), painted.reasons
    assert gudhi_betti(written(mask, painted)) == gudhi_betti(mask)


def test_the_mouth_of_a_cup_stays_open_under_a_stroke_across_it(gudhi_betti):
    mask = ring((40, 40), 14, 5)
    mask[16:24, 20:] = False
    stroke = stroke_footprint([[16, 34], [24, 34]], 4, mask.shape)
    painted = paint(mask, stroke, betti=(1, 0))
    assert painted.reason == "Here two parts would touch: a hole would appear"
    assert gudhi_betti(written(mask, painted)) == gudhi_betti(mask) == (1, 0)
    # A seam is left, and no more.
    assert painted.refused.sum() < 0.2 * painted.flipped.sum()
    assert gudhi_betti(written(mask, paint(mask, stroke, locked=False))) == (1, 1)


def test_a_footprint_is_round_in_millimetres_in_any_plane_and_cut_at_the_edge():
    spacing = (0.5, 1.0, 2.0)
    grid = np.stack(np.meshgrid(*map(np.arange, (30, 20, 12)), indexing="ij"), axis=-1)
    ball_ = stroke_footprint((15, 10, 6), 4.0, (30, 20, 12), spacing)
    expected = np.linalg.norm((grid - (15, 10, 6)) * spacing, axis=-1) <= 4.0
    assert np.array_equal(_whole(ball_, (30, 20, 12)), expected)
    for axis in range(3):
        plane = [other for other in range(3) if other != axis]
        disk = stroke_footprint((15.3, 9.8, 6.2), 4.0, (30, 20, 12), spacing, plane=plane)
        away = (grid - (15.3, 9.8, 6.2)) * spacing
        flat = (np.linalg.norm(away[..., plane], axis=-1) <= 4.0) & (grid[..., axis] == (15, 10, 6)[axis])
        assert np.array_equal(_whole(disk, (30, 20, 12)), flat)
    beyond = stroke_footprint((-1, 10, 6), 4.0, (30, 20, 12), spacing)
    assert np.array_equal(_whole(beyond, (30, 20, 12)), np.linalg.norm((grid - (-1, 10, 6)) * spacing, axis=-1) <= 4.0)
    assert not stroke_footprint((90, 10, 6), 4.0, (30, 20, 12)).inside.any()


def test_a_thin_stroke_leaves_no_gaps():
    line = _whole(
        stroke_footprint([[1, 1, 1], [8, 27, 15], [2, 27, 2]], 0.0, (10, 30, 20), (3.0, 0.5, 1.0)), (10, 30, 20)
    )
    assert line[1, 1, 1]
    assert line[8, 27, 15]
    assert line[2, 27, 2]
    assert count_components(line) == 1


def _whole(footprint, shape):
    full = np.zeros(shape, bool)
    full[footprint.box] = footprint.inside
    return full


def test_how_the_mask_lies_in_memory_changes_nothing():
    mask = ring((24, 22, 20), 7, 3)
    footprint = stroke_footprint([[12, 20, 10], [18, 11, 10]], 3.0, mask.shape)
    expected = paint(mask, footprint, erase=True)
    assert expected.flipped.any()
    assert expected.refused.any()
    for same in (np.asfortranarray(mask), mask[::-1].copy()[::-1], mask.T.copy().T, mask.astype(np.int16)):
        assert np.array_equal(paint(same, footprint, erase=True).flipped, expected.flipped)


def test_a_stroke_is_refused_where_it_makes_no_sense():
    mask = np.zeros((5, 5), bool)
    with pytest.raises(ToposegError, match="grid of 2 axes"):
        stroke_footprint([[1, 2, 3]], 1, (5, 5))
    with pytest.raises(ToposegError, match="radius of -1"):
        stroke_footprint([[1, 2]], -1, (5, 5))
    with pytest.raises(ToposegError, match="another grid"):
        paint(mask, Footprint((slice(0, 6), slice(0, 1)), np.ones((6, 1), bool)))
    with pytest.raises(ToposegError, match="does not exist"):
        paint(mask, stroke_footprint((2, 2), 1, (5, 5)), connectivity=26)


@pytest.mark.parametrize(
    ("at", "radius", "erase", "said"),
    [
        ((15, 26), 2.0, False, "Paints here."),
        ((15, 22), 1.0, False, "All of this is in the mask."),
        ((15, 29), 1.0, False, "Paints nothing here. This touches no part of the mask: a new piece would appear."),
        ((15, 15), 6.5, False, "This is the last voxel of a hole: it would be filled."),
        ((15, 29), 1.0, True, "There is no mask to erase here."),
        ((15, 24), 1.0, True, "Erases here."),
        ((15, 22), 4.0, True, "Here the mask would be cut: a ring would open, or a piece break in two."),
        ((15, 22), 0.5, True, "Erases nothing here. This lies within the mask: a hole would appear."),
    ],
)
def test_what_a_stroke_would_do_is_said_in_words_before_it_is_done(at, radius, erase, said):
    mask = ring((31, 31), 6.5, 6.0)
    footprint = stroke_footprint([at], radius, mask.shape)
    painted = paint(mask, footprint, erase=erase, betti=(1, 1))
    assert painted.foretold(erase=erase).endswith(said)
