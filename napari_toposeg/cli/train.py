"""`toposeg train`: a folder of images and labels in, a network's weights out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

if TYPE_CHECKING:
    from napari_toposeg.training import Trained, TrainingConfig


def train(
    config: Annotated[Positional[Path | None], arg(metavar="CONFIG.yaml")] = None,
    *,
    out: Annotated[str, arg(metavar="NAME|FOLDER")],
    images: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None,
    labels: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None,
    label: Annotated[tuple[int, ...], arg(metavar="VALUE ..", help_behavior_hint="(default: all but 0)")] = (),
    prior: Annotated[str | None, arg(metavar="NAME|FILE|mean", help_behavior_hint="")] = None,
    synthetic: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None,
    patient: Annotated[str | None, arg(metavar="REGEX", help_behavior_hint="(default: each file is a patient)")] = None,
    network: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: mltpsn)")] = None,
    shape: Annotated[
        tuple[int, ...] | None, arg(metavar="I J [K]", help_behavior_hint="(default: 96 96, 48 48 48)")
    ] = None,
    around: Annotated[str | None, arg(metavar="box|centre|image", help_behavior_hint="(default: box)")] = None,
    mode: Annotated[str | None, arg(metavar="supervised|unsupervised|semi-supervised", help_behavior_hint="")] = None,
    epochs: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: 50)")] = None,
    seed: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: 0)")] = None,
    device: Annotated[str | None, arg(metavar="auto|cpu|cuda[:N]|mps", help_behavior_hint="(default: auto)")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Train a network on images and labels; started again after a stop, it goes on where it was.

    Either CONFIG.yaml says everything, or the flags do; a flag beside a config goes before what the config says.
    docs/training.md describes every field.

    Parameters
    ----------
    config
        What is trained, as YAML.
    out
        Where everything goes. A bare NAME is among your own weights, where `toposeg segment --weights NAME` finds it.
    images
        Folder of images: NIfTI, pictures or npz.
    labels
        Folder of their label maps; may be the same.
    label
        Which values of the label maps are the object.
    prior
        Its template: a name, a mask file, or the mean shape of the training labels.
    synthetic
        Draw so many images instead of reading any: random objects with the prior's topology.
    patient
        Finds the patient in a file's name, so that nobody is trained on and tested on: 'patient[0-9]+'.
    network
        mltpsn, tpsn, multi-tpsn, tedsnet, voxelmorph, tetris, unet or wunet.
    shape
        Voxels of the grid on which the network sees an image.
    around
        What that grid spans: the organ's box and a margin, a part of fixed size about its centre, or the whole image.
    mode
        Whether labels are used, or only the images, or labels of some.
    epochs
        How often each image is seen, at most.
    seed
        Seed of everything random.
    device
        Where to compute.
    json
        Print the card to standard output instead of a table.
    quiet
        Show neither progress nor table.
    """
    from napari_toposeg.cli.running import compile_once, run
    from napari_toposeg.training import train as steps_of

    folder = _folder(out)
    told = _config(
        config,
        data={"images": _text(images), "labels": _text(labels), "patient": patient, "synthetic": synthetic},
        first={"prior": prior, "labels": list(label) or None},
        window={"shape": None if shape is None else list(shape), "around": around},
        top={"network": network, "mode": mode, "seed": seed, "device": device},
        optimisation={"epochs": epochs},
    )
    # Of several processes, one for each device, the first one speaks.
    silent = os.environ.get("LOCAL_RANK", "0") != "0"
    compile_once(quiet=quiet or silent)
    result = run(
        steps_of(told, folder),
        quiet=quiet or silent,
        stopped="The epochs that were completed are kept; the same command goes on after them.",
    )
    if silent:
        return 0
    if json:
        from napari_toposeg.cli.show import print_json
        from napari_toposeg.inference.weights import card_to_dict

        print_json(card_to_dict(result.weights.card))
    elif not quiet:
        _show(result)
    return 0


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _folder(out: str) -> Path:
    from napari_toposeg.errors import ToposegError
    from napari_toposeg.inference.weights import own_folder

    if out in ("", ".", "..") or out.endswith(".safetensors"):
        raise ToposegError(
            f"{out!r} is no name for a training.", todo="Give --out NAME, or a folder; NAME.safetensors will be in it."
        )
    return own_folder() / out if Path(out).name == out else Path(out)


def _config(
    path: Path | None,
    *,
    data: dict[str, Any],
    first: dict[str, Any],
    window: dict[str, Any],
    top: dict[str, Any],
    optimisation: dict[str, Any],
) -> TrainingConfig:
    """The config of a file, of flags, or of both; a flag goes before the file, and one that is None is not given."""
    from napari_toposeg.errors import ToposegError
    from napari_toposeg.training import config_from_dict, config_to_dict, read_config, with_whole_paths

    plain: dict[str, Any] = {"network": "mltpsn"} if path is None else config_to_dict(read_config(path))
    if path is None and ((data["images"] is None and not data["synthetic"]) or first["prior"] is None):
        raise ToposegError(
            "There is nothing to train.",
            why="Neither a config nor both --prior and --images (or --synthetic) are given.",
            todo="Give CONFIG.yaml, or --images DIR --labels DIR --prior NAME, or --synthetic N --prior NAME.",
        )
    plain |= _given(top)
    for name, flags in (("data", data), ("window", window), ("optimisation", optimisation)):
        plain[name] = plain.get(name, {}) | _given(flags)
    objects = plain.setdefault("objects", [{}])
    if _given(first) and len(objects) > 1:
        raise ToposegError(
            "--prior and --label are of one object, and the config has several.", todo="Say it in the config."
        )
    objects[0] |= _given(first)
    if "shape" not in plain["window"]:
        plain["window"]["shape"] = _default_shape(objects[0]["prior"], plain["data"].get("images", ""))
    return with_whole_paths(config_from_dict(plain), Path.cwd())


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _default_shape(prior: str, images: str) -> list[int]:
    """96x96 or 48x48x48, by the prior's dimensions; a mean shape has those of the images."""
    from napari_toposeg.data import find_cases, read_case
    from napari_toposeg.formats import read_prior
    from napari_toposeg.training import MEAN_SHAPE

    ndim = read_case(find_cases(images)[0])[0].ndim if prior == MEAN_SHAPE and images else read_prior(prior).ndim
    return [96, 96] if ndim == 2 else [48, 48, 48]


def _show(result: Trained) -> None:
    from rich import box
    from rich.table import Table

    from napari_toposeg.cli.show import results

    console = results()
    card = result.weights.card
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("measure", "validation", "test"):
        table.add_column(heading)
    names = [name.removeprefix("validation ") for name in card.metrics if name.startswith("validation ")]
    for name in names:
        values = [card.metrics.get(f"{part} {name}") for part in ("validation", "test")]
        table.add_row(name, *("-" if value is None else f"{value:.4g}" for value in values))
    if names:
        console.print(table)
    console.print(f"{result.epochs} epochs. The weights are in {result.weights.path}", soft_wrap=True)
