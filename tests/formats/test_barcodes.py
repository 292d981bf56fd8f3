"""Barcodes as JSON: what is written is read, and what is no barcode is refused with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_barcode, write_barcode
from napari_toposeg.topology import Barcode, barcode


def same(one: Barcode, other: Barcode) -> bool:
    fields = ("dimension", "birth", "death", "birth_voxel", "death_voxel")
    facts = ("shape", "connectivity", "band", "min_persistence")
    return all(getattr(one, name) == getattr(other, name) for name in facts) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in fields
    )


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_to_the_last_digit(data, tmp_path_factory):
    shape = data.draw(st.sampled_from([(5, 4), (3, 3, 4), (6, 1)]))
    values = data.draw(arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    made = barcode(values, band=data.draw(st.sampled_from([0.0, 0.1])), min_persistence=0.05)
    path = tmp_path_factory.mktemp("bars") / "bars.json"
    write_barcode(made, path)
    assert same(read_barcode(path), made)


def test_the_file_is_as_the_guide_says(tmp_path):
    values = np.zeros((5, 5))
    values[1:4, 1:4] = 0.75
    values[2, 2] = 0.25
    write_barcode(barcode(values), tmp_path / "bars.json")
    facts = json.loads((tmp_path / "bars.json").read_text())
    assert {key: facts[key] for key in facts if key != "bars"} == {
        "shape": [5, 5],
        "connectivity": 8,
        "band": 0.0,
        "min_persistence": 0.0,
    }
    piece, hole = facts["bars"]
    assert (piece["dimension"], piece["birth"], piece["death"], piece["death_voxel"]) == (0, 0.75, 0.0, None)
    assert values[tuple(piece["birth_voxel"])] == 0.75
    assert (hole["dimension"], hole["birth"], hole["death"], hole["death_voxel"]) == (1, 0.75, 0.25, [2, 2])


def test_the_longest_bar_is_first_whatever_the_file_s_order(tmp_path):
    made = barcode(np.random.default_rng(0).uniform(size=(9, 9)))
    write_barcode(made.select(np.random.default_rng(1).permutation(len(made))), tmp_path / "bars.json")
    length = read_barcode(tmp_path / "bars.json").length
    assert len(length) > 10
    assert (np.diff(length) <= 0).all()


def test_many_bars_and_none_are_whole_files(tmp_path):
    count = 25_001
    zeros = np.zeros(count)
    places = np.zeros((count, 2), int)
    whole = Barcode((3, 3), 8, zeros.astype(np.int8), zeros + 0.5, zeros, places, places)
    for some in (whole, whole.select(np.zeros(0, int))):
        write_barcode(some, tmp_path / "bars.json")
        assert len(json.loads((tmp_path / "bars.json").read_text())["bars"]) == len(some)
        assert same(read_barcode(tmp_path / "bars.json"), some)


def test_a_flat_volume_s_barcode_stays_one_of_two_dimensions(tmp_path):
    bar = {"dimension": 1, "birth": 0.9, "death": 0.1, "birth_voxel": [1, 2, 0], "death_voxel": None}
    (tmp_path / "bars.json").write_text(json.dumps({"shape": [4, 4, 1], "connectivity": 8, "bars": [bar]}))
    assert read_barcode(tmp_path / "bars.json").betti() == (0, 1)


GOOD_BAR = {"dimension": 0, "birth": 0.9, "death": 0.1, "birth_voxel": [1, 2], "death_voxel": None}
GOOD = {"shape": [4, 4], "connectivity": 8, "bars": [GOOD_BAR]}


def with_bar(**changes):
    return {**GOOD, "bars": [GOOD_BAR, {**GOOD_BAR, **changes}]}


BROKEN = {
    "no JSON": ("{", "cannot be read as a barcode"),
    "a list": ([], "not one object"),
    "no bars": ({"shape": [4, 4], "connectivity": 8}, "not one object"),
    "no shape": ({**GOOD, "shape": None}, '"shape" is not'),
    "a shape of nothing": ({**GOOD, "shape": [4, 0]}, '"shape" is not'),
    "an unknown connectivity": ({**GOOD, "connectivity": 7}, '"connectivity" is not one of'),
    "a connectivity of lists": ({**GOOD, "connectivity": [8]}, '"connectivity" is not one of'),
    "a connectivity of another dimension": ({**GOOD, "connectivity": 26}, "does not fit"),
    "a solid that is 8-connected": ({**GOOD, "shape": [4, 4, 4]}, "does not fit"),
    "a band of a half": ({**GOOD, "band": 0.5}, "makes no sense"),
    "a negative length": ({**GOOD, "min_persistence": -1}, "makes no sense"),
    "a bar that is a number": ({**GOOD, "bars": [4]}, "Bar 0 .* is no object"),
    "a bar without death": ({**GOOD, "bars": [{"dimension": 0, "birth": 1}]}, 'Bar 0 .* has no "death"'),
    "a dimension too high": (with_bar(dimension=2), 'Bar 1 .* "dimension"'),
    "a dimension in words": (with_bar(dimension="0"), 'Bar 1 .* "dimension"'),
    "a death before birth": (with_bar(death=0.95), "Bar 1 .* in this order"),
    "a birth above 1": (with_bar(birth=1.5), "Bar 1 .* between 1 and 0"),
    "a birth that is no number": (with_bar(birth=True), "Bar 1 .* between 1 and 0"),
    "a NaN": (with_bar(birth=float("nan")), "Bar 1 .* between 1 and 0"),
    "a voxel outside": (with_bar(birth_voxel=[1, 4]), 'Bar 1 .* "birth_voxel"'),
    "a negative voxel": (with_bar(death_voxel=[-1, -1]), 'Bar 1 .* "death_voxel"'),
    "a voxel of three": (with_bar(birth_voxel=[1, 2, 3]), 'Bar 1 .* "birth_voxel"'),
    "a voxel between voxels": (with_bar(birth_voxel=[1, 2.5]), 'Bar 1 .* "birth_voxel"'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_barcode_is_refused_with_the_reason(what, tmp_path):
    facts, expected = BROKEN[what]
    path = tmp_path / "bars.json"
    path.write_text(facts if isinstance(facts, str) else json.dumps(facts))
    with pytest.raises(ToposegError, match=expected):
        read_barcode(path)


def test_a_good_file_without_the_optional_keys_is_read(tmp_path):
    (tmp_path / "bars.json").write_text(json.dumps(GOOD))
    made = read_barcode(tmp_path / "bars.json")
    assert (made.band, made.min_persistence, len(made)) == (0.0, 0.0, 1)
    with pytest.raises(ToposegError, match="no file"):
        read_barcode(tmp_path / "others.json")
