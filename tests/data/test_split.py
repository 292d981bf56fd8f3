"""A split is drawn by patient, comes back from disk as it was, and contradictions are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_toposeg.data import Case, Split, cases_of, draw_split, find_cases, read_split, write_split
from napari_toposeg.errors import ToposegError

NAMES = st.sets(st.text("abc123_", min_size=1, max_size=6), min_size=3, max_size=60)


def case(patient: str, number: int = 0) -> Case:
    return Case(f"{patient}/{number}", patient, Path(f"{patient}.npz"), None, number)


@given(names=NAMES, validation=st.floats(0, 0.45), test=st.floats(0, 0.45), seed=st.integers(0, 2**40))
@settings(max_examples=200, deadline=None)
def test_everybody_is_in_one_part_and_each_part_has_its_share(
    names: set[str], validation: float, test: float, seed: int
) -> None:
    count = len(names)
    held = [max(1, round(share * count)) if share else 0 for share in (validation, test)]
    assume(sum(held) < count)
    split = draw_split(names, validation=validation, test=test, seed=seed)
    parts = (split.train, split.validation, split.test)
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert [len(split.validation), len(split.test)] == held
    assert split.seed == seed


def test_the_seed_alone_draws_whatever_the_order_and_however_often_a_patient_comes() -> None:
    names = [f"patient{number:03}" for number in range(40)]
    once = draw_split(names, validation=0.2, test=0.2, seed=3)
    assert draw_split([*names[::-1], *names], validation=0.2, test=0.2, seed=3) == once
    drawn = {draw_split(names, validation=0.2, test=0.2, seed=seed).test for seed in range(20)}
    assert len(drawn) == 20
    # Over the seeds everybody comes to be tested on: no name is stuck in a part.
    tested = {name for seed in range(60) for name in draw_split(names, validation=0.2, test=0.2, seed=seed).test}
    assert tested == set(names)


def test_a_small_share_still_gets_somebody_and_none_gets_nobody() -> None:
    split = draw_split("abcd", validation=0.01, test=0.0, seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (3, 1, 0)


@pytest.mark.parametrize(
    ("names", "shares", "seed", "said"),
    [
        ("ab", (0.2, 0.2), 0, "2 patients cannot be divided into 3 parts"),
        ("", (0.0, 0.2), 0, "0 patients cannot"),
        ("a", (0.2, 0.0), 0, "1 patient cannot be divided into 2 parts"),
        ("abcdef", (0.5, 0.5), 0, "shares of 0.5 for validation and 0.5"),
        ("abcdef", (-0.1, 0.5), 0, "shares of -0.1"),
        ("abcdef", (float("nan"), 0.5), 0, "shares of nan"),
        ("abcdef", (0.2, 0.2), -1, "seed -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(names: str, shares: tuple[float, float], seed: int, said: str) -> None:
    with pytest.raises(ToposegError, match=said):
        draw_split(names, validation=shares[0], test=shares[1], seed=seed)


def test_nobody_can_be_in_two_parts() -> None:
    with pytest.raises(ToposegError, match="more than once: b, d"):
        Split(("a", "b"), ("b", "c"), ("d", "d"), 0)
    with pytest.raises(ToposegError, match="nobody to train on"):
        Split((), ("b",), (), 0)


def test_a_split_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    for split in (Split(("b", "ä\n\"'"), (), ("a",), 2**40), Split(("x",), ("y",), (), 0)):
        write_split(split, path)
        assert read_split(path) == split
    assert [file.name for file in tmp_path.iterdir()] == ["split.json"]


GOOD = {"seed": 0, "train": ["a"], "validation": ["b"], "test": []}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(GOOD)[:-4], "cannot be read as a split"),
        ("[1]", "It is not one object"),
        (json.dumps({key: value for key, value in GOOD.items() if key != "test"}), 'It lacks "test"'),
        (json.dumps(GOOD | {"valid": []}), 'It knows no "valid"'),
        (json.dumps(GOOD | {"train": "a"}), 'Its "train" is not a list of names'),
        (json.dumps(GOOD | {"train": ["a", 3]}), 'Its "train" is not a list of names'),
        (json.dumps(GOOD | {"seed": 1.5}), 'Its "seed" is not a whole number'),
        (json.dumps(GOOD | {"seed": True}), 'Its "seed" is not a whole number'),
        (json.dumps(GOOD | {"test": ["a"]}), "split.json: The split names patients more than once: a"),
        (json.dumps(GOOD | {"train": []}), "split.json: The split has nobody to train on"),
        ("", "is empty"),
        ("[" * 100_000, "cannot be read as a split"),
    ],
)
def test_a_file_that_is_no_split_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(content)
    with pytest.raises(ToposegError, match=said):
        read_split(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "split.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ToposegError, match="cannot be read as a split"):
        read_split(tmp_path / "split.json")


def test_cases_go_with_their_patient_and_those_of_nobody_asked_for_are_left_out() -> None:
    cases = [case("b", 1), case("a"), case("c"), case("b", 0)]
    assert cases_of(cases, ["a", "b"]) == (cases[0], cases[1], cases[3])
    assert cases_of(cases, []) == ()


def test_a_patient_without_an_image_is_named() -> None:
    with pytest.raises(ToposegError, match=r"Of 3 patients of the split 2 have no image: x, y\."):
        cases_of([case("a")], ["x", "a", "y"])


def test_no_slice_of_a_real_patient_is_in_two_parts(data_folder: Path) -> None:
    cases = find_cases(data_folder / "acdc2d", data_folder / "acdc2d")
    split = draw_split([case.patient for case in cases], validation=0.15, test=0.15, seed=0)
    parts = [cases_of(cases, part) for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in (split.train, split.validation, split.test)] == [56, 12, 12]
    assert sum(map(len, parts)) == len(cases) == 800
    files = [{case.image for case in part} for part in parts]
    assert sum(map(len, files)) == len(set.union(*files)) == 80
