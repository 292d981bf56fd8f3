"""Training on images that are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_toposeg.data.synthetic import SyntheticSettings
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Window
from napari_toposeg.steps import last
from napari_toposeg.training import Data, Optimisation, TrainedObject, TrainingConfig, train
from napari_toposeg.training.synthetic import SyntheticSamples, _turn, draw_validation


def config_of(prior: str = "annulus", *, shape: tuple[int, ...] = (32, 32), epochs: int = 8) -> TrainingConfig:
    return TrainingConfig(
        Data(synthetic=32),
        (TrainedObject(prior),),
        "tpsn",
        Window(shape, margin=0.3),
        optimisation=Optimisation(batch=4, epochs=epochs, learning_rate=1e-2),
        device="cpu",
    )


def test_a_network_learns_from_drawn_images_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_toposeg.training.synthetic._VALIDATED", 8)
    result = last(train(config_of(), tmp_path / "drawn"))
    lines = (tmp_path / "drawn" / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("train total")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert losses[-1] < 0.95 * losses[0]
    card = result.weights.card
    assert card.split["train"] == ("synthetic",)
    assert card.priors[0].betti == (1, 1)
    assert 0.0 < card.metrics["validation dice"] <= 1.0
    assert not any(name.startswith("test") for name in card.metrics)


def test_every_epoch_sees_an_image_otherwise_and_a_key_always_the_same() -> None:
    samples = SyntheticSamples(config_of())
    one = samples[True, 0, 3]["image"]
    assert torch.equal(one, samples[True, 0, 3]["image"])
    seen = [samples[True, epoch, 3]["image"] for epoch in range(12)]
    assert len({tuple(image.flatten().tolist()) for image in seen}) > 4
    # Turned, mirrored, inverted: the same intensities but for their sign.
    levels = one.abs().flatten().sort().values
    assert all(torch.equal(image.abs().flatten().sort().values, levels) for image in seen)
    assert not torch.equal(one, samples[True, 0, 4]["image"])


def test_what_is_validated_on_is_not_trained_on() -> None:
    config = config_of()
    shown = draw_validation(config)
    try:
        while True:
            next(shown)
    except StopIteration as end:
        validated = end.value.validation
    trained = [SyntheticSamples(config)[True, epoch, number]["image"] for epoch in range(2) for number in range(32)]
    assert not any(torch.equal(sample.image, image) for sample in validated for image in trained)


def test_an_image_and_its_label_are_turned_alike() -> None:
    samples = SyntheticSamples(config_of())
    contrasts = set()
    for epoch in range(12):
        sample = samples[True, epoch, 0]
        inside = sample["image"][sample["label"] > 0.5]
        contrasts.add(round(abs(float(inside.mean())), 3))
    assert len(contrasts) == 1


def test_the_axis_of_a_tube_stays_where_it_is() -> None:
    random = np.random.default_rng(0)
    turns = [_turn(Window((32, 32, 32), axis="z"), random)[0] for _ in range(40)]
    assert {turn[2] for turn in turns} == {3}
    assert {tuple(turn[:2]) for turn in turns} == {(1, 2), (2, 1)}
    unlike = [_turn(Window((32, 48)), random)[0] for _ in range(10)]
    assert unlike == [[1, 2]] * 10


def test_the_windows_margin_is_the_samples() -> None:
    narrow = replace(config_of(), window=Window((32, 32), margin=0.1))
    areas = [
        float(sum(SyntheticSamples(one)[True, 0, number]["label"].sum() for number in range(8)))
        for one in (config_of(), narrow)
    ]
    assert areas[1] > 1.2 * areas[0]


def test_what_they_are_drawn_from_can_be_said() -> None:
    config = config_of()
    quiet = SyntheticSettings(noise=(0.001, 0.001), speckle_chance=0.0, margin=0.9)
    others = SyntheticSamples(replace(config, data=replace(config.data, drawn=quiet)))
    usual = SyntheticSamples(config)
    # The object is the same, in the window's margin and not in that one.
    assert torch.equal(others[True, 0, 0]["label"], usual[True, 0, 0]["label"])
    assert not torch.equal(others[True, 0, 0]["image"], usual[True, 0, 0]["image"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objects": (TrainedObject("box"),)}, "no synthetic images of the prior 'box'"),
        ({"window": Window((32, 32), "image")}, "window around its box"),
        ({"mode": "unsupervised"}, "its label is known"),
        ({"objects": (TrainedObject("ball"),)}, "cannot have the shape"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_made(
    change: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ToposegError, match=words):
        last(train(replace(config_of(), **change), tmp_path / "none"))  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


def test_images_are_drawn_or_read_and_not_both() -> None:
    with pytest.raises(ToposegError, match="either drawn"):
        Data("images", synthetic=8)
    with pytest.raises(ToposegError, match="names no folder"):
        Data()
