"""Every network and every mode learns: the loss falls, and what is trained is what was asked for."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_prior
from napari_toposeg.inference.weights import load_weights, read_card
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import NETWORK_NAMES
from napari_toposeg.steps import Finish, last
from napari_toposeg.topology import betti_numbers
from napari_toposeg.training import LossWeights, Trained, TrainedObject, TrainingConfig, train
from napari_toposeg.training.module import TrainingModule
from napari_toposeg.training.objectives import pixel_wise_terms
from napari_toposeg.training.templates import filled

RING = TrainedObject("annulus", (1,))
POOL = TrainedObject("disk", (2,))

ConfigOf = Callable[..., TrainingConfig]


def losses(result: Trained, column: str = "train total") -> list[float]:
    """A column of the history, where it has a value."""
    with (result.folder / "history.csv").open() as stream:
        return [float(line[column]) for line in csv.DictReader(stream) if line[column]]


def trained(config: TrainingConfig, folder: Path) -> Trained:
    return last(train(config, folder))


def falls(values: list[float], share: float = 0.95) -> bool:
    return np.mean(values[-3:]) < share * values[0]


@pytest.mark.parametrize("network", NETWORK_NAMES)
def test_a_network_sees_its_loss_fall(config_of: ConfigOf, network: str, rings: Path, tmp_path: Path) -> None:
    objects = (RING, POOL) if network == "multi-tpsn" else (RING,)
    rate = 0.05 if network in ("tedsnet", "voxelmorph") else 0.01
    result = trained(config_of(rings, network, objects=objects, epochs=12, learning_rate=rate), tmp_path / network)
    assert falls(losses(result))
    again, card = load_weights(result.weights.path)
    assert (card.network, len(card.priors)) == (network, len(objects))
    assert all(torch.isfinite(tensor).all() for tensor in again.state_dict().values())


@pytest.mark.parametrize("network", ["unet", "mltpsn"])
def test_in_3d_it_falls_too(config_of: ConfigOf, network: str, balls: Path, tmp_path: Path) -> None:
    window = Window((16, 16, 16), "image", template=0.5)
    config = config_of(balls, network, objects=(TrainedObject("ball"),), window=window, epochs=6, batch=1)
    assert falls(losses(trained(config, tmp_path / network)))


def test_in_bfloat16_it_falls_too_and_the_weights_are_float32(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    result = trained(config_of(rings, "unet", epochs=8, learning_rate=0.01, precision="bfloat16"), tmp_path / "coarse")
    assert falls(losses(result))
    assert {tensor.dtype for tensor in load_weights(result.weights.path)[0].parameters()} == {torch.float32}
    fine = trained(config_of(rings, "unet", epochs=8, learning_rate=0.01), tmp_path / "fine")
    assert losses(fine) != losses(result)
    assert losses(fine) == pytest.approx(losses(result), rel=0.1)


def test_without_labels_a_deformation_network_learns_by_chan_vese(
    config_of: ConfigOf, rings: Path, tmp_path: Path
) -> None:
    config = config_of(rings, "tpsn", mode="unsupervised", data={"labels": "", "test": 0.25}, epochs=12)
    result = trained(config, tmp_path / "un")
    assert falls(losses(result, "train chan-vese"), 0.99)
    # Nothing is known of how good it is, and nothing is said.
    assert set(result.weights.card.metrics) == {"best epoch"}


def test_labels_of_an_unsupervised_training_only_measure_it(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    result = trained(config_of(rings, "tpsn", mode="unsupervised"), tmp_path / "un")
    assert "validation dice" in result.weights.card.metrics
    with pytest.raises(KeyError):
        losses(result, "train dice")


@pytest.mark.parametrize(
    ("network", "unlabelled_loss"), [("unet", "topology"), ("tpsn", "topology"), ("tpsn", "chan-vese")]
)
def test_semi_supervised_labelled_and_unlabelled_take_turns(
    config_of: ConfigOf, network: str, unlabelled_loss: Any, rings: Path, tmp_path: Path
) -> None:
    config = config_of(
        rings, network, mode="semi-supervised", unlabelled_loss=unlabelled_loss, data={"labelled": 3}, epochs=12
    )
    result = trained(config, tmp_path / "semi")
    assert falls(losses(result))
    assert len(losses(result, f"unlabelled {unlabelled_loss}")) == 12
    split = result.weights.card.split
    assert (len(split["train"]), len(split["unlabelled"])) == (3, 3)
    assert not set(split["train"]) & set(split["unlabelled"])


def test_the_persistence_loss_falls_on_unlabelled_images(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    weights = LossWeights(topology=1.0)
    config = config_of(rings, mode="semi-supervised", data={"labelled": 3}, weights=weights, epochs=12)
    assert falls(losses(trained(config, tmp_path / "semi"), "unlabelled topology"))


@pytest.mark.parametrize("network", ["unet", "tpsn"])
def test_far_errors_are_a_term_of_any_network(config_of: ConfigOf, network: str, rings: Path, tmp_path: Path) -> None:
    weights = LossWeights(hausdorff=0.1)
    result = trained(config_of(rings, network, weights=weights, epochs=8, learning_rate=0.01), tmp_path / network)
    assert falls(losses(result, "train hausdorff"))


def test_a_far_error_costs_more_than_a_near_one_of_the_same_size() -> None:
    label, near, far = (torch.zeros(1, 1, 32, 32) for _ in range(3))
    label[..., 10:20, 10:20] = near[..., 10:20, 10:21] = far[..., 10:20, 10:20] = 1
    far[..., 10:20, 28] = 1
    terms = [pixel_wise_terms([40.0 * mask - 20.0], label, LossWeights(hausdorff=1.0)) for mask in (near, far)]
    assert float(terms[1]["dice"]) == pytest.approx(float(terms[0]["dice"]), abs=1e-6)
    assert float(terms[1]["hausdorff"]) > 10 * float(terms[0]["hausdorff"])


def test_projected_pooling_is_a_term_beside_dice(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    config = config_of(rings, weights=LossWeights(projected_pooling=0.5), epochs=12)
    assert falls(losses(trained(config, tmp_path / "pooled"), "train projected pooling"))


# Fill First, Dig Second


def seen_in_training(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """By batch: epoch, holes of the templates that the network was shown, holes of its labels."""
    seen = []
    terms_of = TrainingModule.loss_terms

    def watched(module: TrainingModule, image: Any, label: Any) -> Any:
        holes = [
            sum(betti_numbers(np.asarray(one[0]) > 0.5)[1] for one in masks)
            for masks in (module.shown_templates(), module.asked_label(label))
        ]
        seen.append((module.current_epoch, *holes))
        return terms_of(module, image, label)

    monkeypatch.setattr(TrainingModule, "loss_terms", watched)
    return seen


def test_templates_and_labels_are_filled_first_and_dug_second(
    config_of: ConfigOf, rings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = seen_in_training(monkeypatch)
    result = trained(config_of(rings, "tpsn", fill_first=0.5, epochs=4, batch=6), tmp_path / "filled")
    assert seen == [(0, 0, 0), (1, 0, 0), (2, 1, 6), (3, 1, 6)]
    # What is kept is of an epoch that has dug, whatever the others' scores.
    assert result.weights.card.metrics["best epoch"] >= 3


def test_a_tube_is_filled_across_its_axis_and_a_shell_as_a_whole() -> None:
    tube = np.zeros((9, 9, 9), np.float32)
    tube[2:7, 2:7, 1:8] = 1.0
    tube[4, 4] = 0.0
    solid = filled(torch.from_numpy(tube)[None, None], [(1, 1, 0)], "z")[0, 0].numpy()
    assert betti_numbers(tube > 0.5) == (1, 1, 0)
    assert betti_numbers(solid > 0.5) == (1, 0, 0)
    assert solid.sum() == 5 * 5 * 7
    shell = np.zeros((9, 9, 9), np.float32)
    shell[2:7, 2:7, 2:7] = 1.0
    shell[4, 4, 4] = 0.0
    assert filled(torch.from_numpy(shell)[None, None], [(1, 0, 1)], "z").sum() == 5**3
    # Where the prior has no hole, those of the label are left.
    assert torch.equal(filled(torch.from_numpy(shell)[None, None], [(1, 0, 0)], "z")[0, 0], torch.from_numpy(shell))


def test_filling_keeps_soft_edges_and_what_it_was_given() -> None:
    ring = torch.zeros(1, 2, 9, 9)
    ring[:, :, 2:7, 2:7] = 0.75
    ring[:, :, 4, 4] = 0.25
    before = ring.clone()
    answer = filled(ring, [(1, 1), (1, 0)], "z")
    assert torch.equal(ring, before)
    assert answer[0, 0, 4, 4] == 1.0
    assert answer[0, 1, 4, 4] == 0.25
    assert answer[0, 0, 2, 2] == 0.75


def test_a_tube_is_trained_with_a_filled_start(config_of: ConfigOf, tubes: Path, tmp_path: Path) -> None:
    config = config_of(
        tubes,
        "mltpsn",
        objects=(TrainedObject("tube"),),
        window=Window((16, 16, 12), "image", template=0.7),
        fill_first=0.5,
        batch=1,
    )
    assert trained(config, tmp_path / "tube").weights.card.priors[0].betti == (1, 1, 0)


@pytest.mark.parametrize(
    ("share", "epochs", "filling"), [(0.0, 9, 0), (0.01, 9, 1), (0.5, 9, 4), (0.99, 3, 2), (0.5, 1, 0)]
)
def test_some_epochs_fill_if_any_is_asked_for_and_at_least_one_digs(
    config_of: ConfigOf, share: float, epochs: int, filling: int
) -> None:
    assert config_of(Path("data"), fill_first=share, epochs=epochs).fill_epochs == filling


# Mean shapes


def test_mean_shapes_are_written_and_read_back_with_their_topology(
    config_of: ConfigOf, rings: Path, tmp_path: Path
) -> None:
    objects = (TrainedObject("mean", (1,)), TrainedObject("mean", (2,)))
    result = trained(config_of(rings, "multi-tpsn", objects=objects), tmp_path / "mean")
    assert [(prior.name, prior.betti) for prior in result.weights.card.priors] == [("mean", (1, 1)), ("mean", (1, 0))]
    assert read_prior(str(result.folder / "template.nii.gz")).betti == (1, 1)
    assert read_prior(str(result.folder / "template_2.nii.gz")).betti == (1, 0)


# What a training ends with


def test_a_line_by_epoch_and_a_card_with_everything_on_it(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    config = config_of(rings, "tpsn", data={"test": 0.25, "name": "rings", "licence": "CC0"}, epochs=3, seed=7)
    result = trained(config, tmp_path / "ring")
    with (result.folder / "history.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["epoch"] for line in lines] == ["1", "2", "3"]
    columns = ["train dice", "train jacobian", "train laplacian", "train total"]
    columns += [f"validation {name}" for name in ("dice", "hd95", "right_topology", "folding")]
    assert list(lines[0]) == ["epoch", *columns, "score"]
    assert all(np.isfinite(float(value)) for line in lines for value in line.values())
    card = result.weights.card
    assert card == read_card(result.folder / "ring.safetensors")
    assert (card.network, card.priors[0].name, card.window.shape) == ("tpsn", "annulus", (24, 24))
    assert (card.spacing, card.data, card.licence, card.seed) == ((1.0, 1.0), "rings", "CC0", 7)
    assert [len(card.split[part]) for part in ("train", "validation", "test")] == [4, 2, 2]
    assert {"validation dice", "test dice", "test hd95", "test right_topology", "test folding"} <= set(card.metrics)
    # The best epoch's score is that of the weights that are kept.
    best = lines[int(card.metrics["best epoch"]) - 1]
    assert float(best["validation dice"]) == max(float(line["validation dice"]) for line in lines)
    assert float(best["validation dice"]) == pytest.approx(card.metrics["validation dice"])
    assert str(tmp_path) not in (result.folder / "ring.json").read_text()
    assert str(rings) not in (result.folder / "ring.json").read_text()


def test_it_ends_after_so_many_epochs_without_a_better_one(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    # The rate is so low that nothing changes: the first epoch stays the best.
    result = trained(config_of(rings, "tpsn", epochs=20, patience=3, learning_rate=1e-12), tmp_path / "still")
    assert result.epochs == 4
    assert result.weights.card.metrics["best epoch"] == 1


def test_finish_makes_weights_of_the_best_epoch_so_far(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    steps = train(config_of(rings, epochs=50, batch=2), tmp_path / "short")
    for step in steps:
        if step.stage == "epoch 3":
            break
    result = last_of(steps, steps.throw(Finish()))
    assert result.epochs == 2
    assert result.weights.card.metrics["best epoch"] <= 2


def test_finish_in_the_first_epoch_makes_weights_of_what_there_is(
    config_of: ConfigOf, rings: Path, tmp_path: Path
) -> None:
    steps = train(config_of(rings, epochs=50, batch=2), tmp_path / "short")
    for step in steps:
        if step.stage == "epoch 1":
            break
    assert last_of(steps, steps.throw(Finish())).epochs == 1


def last_of(steps: Any, step: Any) -> Trained:
    for following in steps:
        step = following
    assert isinstance(step.result, Trained)
    return step.result


def test_a_loss_that_is_no_number_ends_it_in_a_sentence(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    with pytest.raises(ToposegError, match=r"The loss is no number any more\. It broke down in epoch"):
        trained(config_of(rings, epochs=20, learning_rate=1e30), tmp_path / "wild")


def test_random_numbers_of_whoever_trains_are_left_alone(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained(config_of(rings), tmp_path / "calm")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_starts_from_weights(config_of: ConfigOf, rings: Path, tmp_path: Path) -> None:
    first = trained(config_of(rings, epochs=12), tmp_path / "first")
    config = config_of(rings, epochs=1, learning_rate=1e-4, start=str(first.weights.path))
    second = trained(config, tmp_path / "second")
    assert losses(second)[0] < losses(first)[0]
    with pytest.raises(ToposegError, match="cannot start from"):
        trained(config_of(rings, "tpsn", start=str(first.weights.path)), tmp_path / "third")
