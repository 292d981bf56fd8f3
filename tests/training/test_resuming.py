"""What was killed goes on, and comes to the same; what is damaged, or another's, is refused in a sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_toposeg.data import Augmentation
from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.steps import last
from napari_toposeg.training import TrainedObject, TrainingConfig, train

EPOCHS = 3


@pytest.fixture(scope="module")
def config(config_of: Callable[..., TrainingConfig], rings: Path) -> TrainingConfig:
    """All that is random is in it: order, augmentation, dropout, a mean shape, an early end that does not come."""
    return config_of(
        rings,
        "tedsnet",
        objects=(TrainedObject("mean", (1,)),),
        settings={"dropout": 0.2},
        augmentation=Augmentation(),
        epochs=EPOCHS,
        patience=2,
        seed=3,
    )


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / f"{folder.name}.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def undisturbed(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("trained") / "ring"
    last(train(config, folder))
    return folder


def stopped_after(config: TrainingConfig, folder: Path, stage: str) -> Path:
    """A training that was closed in the first step of a stage."""
    steps = train(config, folder)
    for step in steps:
        if step.stage == stage:
            break
    steps.close()
    return folder


def test_the_same_config_gives_the_same_weights_bit_by_bit(
    config: TrainingConfig, undisturbed: Path, tmp_path: Path
) -> None:
    last(train(config, tmp_path / "ring"))
    assert digest(tmp_path / "ring") == digest(undisturbed)
    assert (tmp_path / "ring" / "history.csv").read_text() == (undisturbed / "history.csv").read_text()


@pytest.mark.parametrize("stage", ["read", "epoch 1", "epoch 2", f"epoch {EPOCHS}"])
def test_what_was_closed_goes_on_and_comes_to_the_same(
    stage: str, config: TrainingConfig, undisturbed: Path, tmp_path: Path
) -> None:
    folder = stopped_after(config, tmp_path / "ring", stage)
    steps = train(config, folder)
    first = next(step.stage for step in steps if step.stage != "read")
    assert first == ("epoch 1" if stage == "read" else stage)
    last(steps)
    assert digest(folder) == digest(undisturbed)
    assert (folder / "history.csv").read_text() == (undisturbed / "history.csv").read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a kill of the training alone needs fork")
@pytest.mark.parametrize(
    ("moved", "writes"),
    # Of every start the config and the split are 0 and 1; then come the template, and what each epoch keeps.
    [(True, (0, 1, 2, 3)), (False, (1, 2, 3, 4))],
    ids=["after a file appears", "before a file appears"],
)
def test_killed_at_one_file_after_the_other_it_still_comes_to_the_same(
    moved: bool, writes: tuple[int, ...], config: TrainingConfig, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "ring"
    for number in writes:
        assert killed_at_write(number, config, folder, moved=moved)
    # On to the worst moment of all: one of the two files of the weights is there.
    for _ in range(12):
        if not (folder / "ring.safetensors").exists():
            assert killed_at_write(writes[-1], config, folder, moved=moved)
    assert (folder / "ring.safetensors").exists()
    assert not (folder / "ring.json").exists()
    last(train(config, folder))
    assert digest(folder) == digest(undisturbed)
    assert (folder / "history.csv").read_text() == (undisturbed / "history.csv").read_text()
    assert [left.name for left in folder.glob(".*")] == [".lock"]


def killed_at_write(number: int, config: TrainingConfig, folder: Path, *, moved: bool) -> bool:
    """Train in a process that is killed as it moves this file, of all that it writes, to its place; whether it was."""
    child = os.fork()
    if child == 0:
        writes, replace = [0], os.replace

        def watched(*paths: Any) -> None:
            if moved:
                replace(*paths)
            if writes[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            writes[0] += 1
            if not moved:
                replace(*paths)

        os.replace = watched
        code = 1
        try:
            torch.set_num_threads(1)
            last(train(config, folder))
            code = 0
        finally:
            # Not back into pytest, of which there is another one.
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), "the training failed in its own process"
    return status != 0


def test_what_is_done_is_not_done_again(config: TrainingConfig, undisturbed: Path) -> None:
    steps = list(train(config, undisturbed))
    assert [step.stage for step in steps] == ["train"]
    assert steps[0].result is not None
    assert steps[0].result.epochs == EPOCHS


def test_a_folder_that_was_moved_goes_on(config: TrainingConfig, undisturbed: Path, tmp_path: Path) -> None:
    folder = stopped_after(config, tmp_path / "there", f"epoch {EPOCHS}")
    shutil.move(folder, tmp_path / "ring")
    last(train(config, tmp_path / "ring"))
    assert digest(tmp_path / "ring") == digest(undisturbed)


def test_an_early_end_stays_one_after_a_kill(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    config = config_of(rings, "tpsn", epochs=20, patience=2, learning_rate=1e-12)
    before = last(train(config, tmp_path / "ring"))
    (tmp_path / "ring" / "ring.safetensors").unlink()
    assert (before.epochs, last(train(config, tmp_path / "ring")).epochs) == (3, 3)


def test_weights_that_were_damaged_are_written_anew(config: TrainingConfig, undisturbed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(undisturbed, tmp_path / "ring")
    flip(folder / "ring.safetensors")
    last(train(config, folder))
    assert digest(folder) == digest(undisturbed)


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [flip, cut, lambda path: path.write_bytes(b"")], ids=["flipped", "cut", "emptied"])
def test_a_damaged_last_epoch_is_gone_round(
    damage: Callable[[Path], None], config: TrainingConfig, undisturbed: Path, tmp_path: Path
) -> None:
    folder = stopped_after(config, tmp_path / "ring", f"epoch {EPOCHS}")
    damage(folder / "last.ckpt")
    with pytest.warns(ToposegWarning, match=r"last\.ckpt is damaged; the training goes on from its best epoch"):
        last(train(config, folder))
    assert digest(folder) == digest(undisturbed)


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_best_epoch_is_refused_in_a_sentence(
    damage: Callable[[Path], None], config: TrainingConfig, tmp_path: Path
) -> None:
    folder = stopped_after(config, tmp_path / "ring", "epoch 2")
    damage(folder / "best.ckpt")
    with pytest.raises(ToposegError, match=r"best\.ckpt cannot be read.*Delete the files best.ckpt and last.ckpt"):
        last(train(config, folder))


def test_a_checkpoint_cannot_run_code(config: TrainingConfig, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    folder = stopped_after(config, tmp_path / "ring", "epoch 2")
    torch.save({"state_dict": Trap()}, folder / "best.ckpt")
    with pytest.raises(ToposegError, match="cannot be read"):
        last(train(config, folder))
    assert not (tmp_path / "sprung").exists()


def test_another_training_in_the_folder_is_refused_and_said_in_what(
    config: TrainingConfig, undisturbed: Path, config_of: Callable[..., TrainingConfig], rings: Path
) -> None:
    other = config_of(rings, "tedsnet", seed=4)
    with pytest.raises(ToposegError, match=r"holds another training\. There, .*instead of"):
        last(train(other, undisturbed))


def test_a_folder_in_which_another_one_trains_is_refused_until_it_ends(config: TrainingConfig, tmp_path: Path) -> None:
    folder = tmp_path / "ring"
    steps = train(config, folder)
    while next(steps).stage != "epoch 1":
        pass
    with pytest.raises(ToposegError, match="being trained in"):
        last(train(config, folder))
    steps.close()
    assert last(train(config, folder)).epochs == EPOCHS


def test_a_training_that_completed_no_epoch_makes_way(
    config: TrainingConfig, undisturbed: Path, config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    other = config_of(rings, "tedsnet", objects=(TrainedObject("mean", (2,)),), seed=4)
    folder = stopped_after(other, tmp_path / "ring", "epoch 1")
    assert (folder / "template.nii.gz").exists()
    last(train(config, folder))
    assert digest(folder) == digest(undisturbed)


def test_a_folder_of_something_else_is_refused(config: TrainingConfig, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("...")
    with pytest.raises(ToposegError, match="is not empty, and holds no training"):
        last(train(config, tmp_path))
    with pytest.raises(ToposegError, match="is a file"):
        last(train(config, tmp_path / "thesis.txt"))


def test_a_config_that_cannot_be_trained_claims_no_folder(
    config_of: Callable[..., TrainingConfig], rings: Path, tmp_path: Path
) -> None:
    for wrong in (
        {"settings": {"features": 0}},
        {"settings": {"ndim": 3}},
        {"settings": {"colour": "red"}},
        {"device": "abacus"},
        {"objects": (TrainedObject("dodecahedron"),)},
        {"objects": (TrainedObject("ball"),)},
        {"data": {"labelled": 99}},
    ):
        with pytest.raises(ToposegError):
            last(train(config_of(rings, **wrong), tmp_path / "ring"))
        assert not (tmp_path / "ring").exists()
