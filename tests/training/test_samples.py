"""Cases in their window, and the order in which they are looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from napari_toposeg.data import Augmentation, find_cases
from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.formats import read_prior
from napari_toposeg.inference.window import Window
from napari_toposeg.steps import last
from napari_toposeg.training import TrainedObject, TrainingConfig, samples, train
from napari_toposeg.training.prepare import divided_cases
from napari_toposeg.training.samples import Batches, Samples, sample_of
from napari_toposeg.training.templates import shown_templates

RING = TrainedObject("annulus", (1,))


def batches_of(labelled: int, unlabelled: int, size: int, *, epoch: int = 0, seed: int = 0) -> list:
    batches = Batches(labelled, unlabelled, size, seed)
    batches.set_epoch(epoch)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    return drawn


@given(labelled=some.integers(1, 30), size=some.integers(1, 9), epoch=some.integers(0, 5))
def test_every_labelled_sample_comes_once_an_epoch(labelled: int, size: int, epoch: int) -> None:
    drawn = batches_of(labelled, 0, size, epoch=epoch)
    assert sorted(key for batch in drawn for key in batch) == [(True, epoch, number) for number in range(labelled)]
    assert all(len(batch) == size for batch in drawn[:-1])


@given(labelled=some.integers(1, 20), unlabelled=some.integers(1, 20), size=some.integers(1, 5))
def test_labelled_and_unlabelled_batches_take_turns(labelled: int, unlabelled: int, size: int) -> None:
    drawn = batches_of(labelled, unlabelled, size)
    assert [{kind for kind, _, _ in batch} for batch in drawn] == [{True}, {False}] * (len(drawn) // 2)
    assert sorted(number for batch in drawn[::2] for _, _, number in batch) == list(range(labelled))


def test_each_epoch_has_its_own_order_and_a_seed_repeats_it() -> None:
    assert batches_of(30, 0, 4, epoch=1) == batches_of(30, 0, 4, epoch=1)
    numbers = [[key[2] for batch in batches_of(30, 0, 4, epoch=epoch) for key in batch] for epoch in range(3)]
    assert numbers[0] != numbers[1] != numbers[2]
    assert batches_of(30, 0, 4, seed=1) != batches_of(30, 0, 4)


@given(
    labelled=some.integers(1, 30),
    unlabelled=some.sampled_from([0, 7]),
    size=some.integers(1, 5),
    count=some.integers(1, 4),
)
def test_processes_share_whole_turns_out_and_take_as_many_each(
    labelled: int, unlabelled: int, size: int, count: int
) -> None:
    whole = batches_of(labelled, unlabelled, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_process_count", lambda: count)
        shares = []
        for number in range(count):
            patch.setattr(samples, "_process_number", lambda number=number: number)
            shares.append(batches_of(labelled, unlabelled, size))
    assert len({len(share) for share in shares}) == 1
    assert all(batch in whole for share in shares for batch in share)
    together = sum(map(len, shares))
    turn = 2 if unlabelled else 1
    if len(whole) >= turn * count:
        # Nothing twice, and no more left over than processes could not share.
        assert len({str(batch) for share in shares for batch in share[::turn]}) == together // turn
        assert len(whole) - together < turn * count


def test_a_training_sees_another_augmentation_every_epoch(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    given_out = Samples.__getitem__

    def watched(self: Samples, key: samples.Key) -> dict[str, torch.Tensor]:
        answer = given_out(self, key)
        asked.append((key, answer["image"]))
        return answer

    monkeypatch.setattr(Samples, "__getitem__", watched)
    last(train(config_of(rings, augmentation=Augmentation(), epochs=2), tmp_path / "ring"))
    assert sorted(key for key, _ in asked) == [(True, epoch, number) for epoch in (0, 1) for number in range(6)]
    first, second = (next(image for key, image in asked if key[1:] == (epoch, 0)) for epoch in (0, 1))
    assert not torch.equal(first, second)


def test_a_sample_is_the_image_and_its_objects_in_the_window(rings: Path) -> None:
    case = find_cases(rings, rings)[0]
    sample = sample_of(case, (RING, TrainedObject("disk", (2,))), Window((32, 32), margin=0.25))
    assert sample is not None
    assert sample.label is not None
    assert (sample.name, sample.image.shape, sample.label.shape) == ("case_0", (1, 32, 32), (2, 32, 32))
    assert float(sample.image.mean()) == pytest.approx(0.0, abs=1e-5)
    # The box fills two thirds of a window with a margin of a quarter at either end.
    covered = (sample.label.sum(0) > 0.5).any(dim=0).float().mean()
    assert float(covered) == pytest.approx(2 / 3, abs=0.07)
    unlabelled = sample_of(case, (RING,), Window((32, 32)), labelled=False)
    assert unlabelled is not None
    assert unlabelled.label is None


def spoilt(rings: Path, folder: Path, lacking: int) -> Path:
    """The rings, of which so many have no object."""
    folder.mkdir()
    for number, path in enumerate(sorted(rings.iterdir())):
        with np.load(path) as packed:
            image, label = packed["image"], packed["label"]
        np.savez(folder / path.name, image=image, label=label * (number >= lacking))
    return folder


def test_cases_without_the_object_are_left_out_and_named(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    folder = spoilt(rings, tmp_path / "spoilt", 2)
    for mode in ("supervised", "unsupervised"):
        with pytest.warns(ToposegWarning, match="2 of 8 cases lack an object and are left out: case_"):
            last(train(config_of(folder, "tpsn", mode=mode), tmp_path / mode))


def test_without_any_object_it_says_which_labels_there_are(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    config = config_of(rings, objects=(TrainedObject("annulus", (7,)),))
    with pytest.raises(ToposegError, match=r"Wanted are the labels \[7\]; case_\d has 0, 1, 2"):
        last(train(config, tmp_path / "ring"))


def test_a_case_of_other_dimensions_is_named(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    config = config_of(rings, objects=(TrainedObject("ball", (1,)),), window=Window((16, 16, 16), "image"))
    with pytest.raises(ToposegError, match=r"case_\d is 2-D, and the network's window 3-D"):
        last(train(config, tmp_path / "ring"))


def test_a_case_of_one_intensity_is_named(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    folder = spoilt(rings, tmp_path / "flat", 0)
    with np.load(folder / "case_3.npz") as packed:
        label = packed["label"]
    np.savez(folder / "case_3.npz", image=np.ones(label.shape, np.float32), label=label)
    with pytest.raises(ToposegError, match="case_3: The region has one single intensity"):
        last(train(config_of(folder), tmp_path / "ring"))


def test_whose_labels_are_used_is_drawn_and_not_the_first_ones(
    config_of: Callable[..., TrainingConfig], rings: Path
) -> None:
    chosen = {
        tuple(case.name for case in divided_cases(config_of(rings, data={"labelled": 2}, seed=seed)).train)
        for seed in range(8)
    }
    assert len(chosen) > 3
    firsts = {divided_cases(config_of(rings, seed=seed)).train[:2] for seed in range(8)}
    assert not chosen <= {tuple(case.name for case in first) for first in firsts}


def test_a_split_that_was_written_before_is_kept_to(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    first = last(train(config_of(rings, seed=1), tmp_path / "first"))
    config = config_of(rings, seed=2, data={"split": str(tmp_path / "first" / "split.json")})
    second = last(train(config, tmp_path / "second"))
    assert first.weights.card.split == second.weights.card.split
    assert last(train(config_of(rings, seed=2), tmp_path / "third")).weights.card.split != second.weights.card.split


def test_each_of_several_templates_stands_in_its_own_place() -> None:
    places = (((0.0, 0.5), (0.0, 1.0)), ((0.5, 1.0), (0.0, 1.0)))
    disk = read_prior("disk")
    shown = shown_templates([disk, disk], Window((32, 32), "image", places=places))
    assert shown.shape == (1, 2, 32, 32)
    assert shown[0, 0, 16:].max() < 0.5
    assert shown[0, 1, :16].max() < 0.5
    assert shown.amax((2, 3)).min() > 0.9
