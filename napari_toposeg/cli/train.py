"""`toposeg train`: a folder of images and labels in, a network's weights out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    network
        One of those that `toposeg train` knows: mltpsn, tpsn, tedsnet, voxelmorph, tetris, unet, wunet.
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

    told = _config(config, images, labels, label, prior, network, shape, around, mode, epochs, seed, device)
    folder = _folder(out)
    compile_once(quiet=quiet)
    result = run(
        steps_of(told, folder),
        quiet=quiet,
        stopped="The epochs that were completed are kept; the same command goes on after them.",
    )
    if json:
        from napari_toposeg.cli.show import print_json
        from napari_toposeg.inference.weights import card_to_dict

        print_json(card_to_dict(result.weights.card))
    elif not quiet:
        _show(result)
    return 0


def _folder(out: str) -> Path:
    from napari_toposeg.inference.weights import own_folder

    return own_folder() / out if Path(out).name == out else Path(out)


def _config(
    path: Path | None,
    images: Path | None,
    labels: Path | None,
    label: tuple[int, ...],
    prior: str | None,
    network: str | None,
    shape: tuple[int, ...] | None,
    around: str | None,
    mode: str | None,
    epochs: int | None,
    seed: int | None,
    device: str | None,
) -> TrainingConfig:
    from napari_toposeg.errors import ToposegError
    from napari_toposeg.training import config_from_dict, config_to_dict, read_config, with_whole_paths

    plain = {} if path is None else config_to_dict(read_config(path))
    if path is None and (images is None or prior is None):
        raise ToposegError(
            "There is nothing to train.",
            why="Neither a config nor both --images and --prior are given.",
            todo="Give CONFIG.yaml, or --images DIR --labels DIR --prior NAME.",
        )
    data = plain.setdefault("data", {})
    data |= {name: str(value) for name, value in (("images", images), ("labels", labels)) if value is not None}
    if prior is not None or label:
        first = plain.setdefault("objects", [{}])[0]
        first |= {"prior": prior} if prior is not None else {}
        first |= {"labels": list(label)} if label else {}
    window = plain.setdefault("window", {})
    if shape is not None:
        window["shape"] = list(shape)
    elif "shape" not in window:
        window["shape"] = _default_shape(plain["objects"][0]["prior"], Path(data["images"]))
    if around is not None:
        window["around"] = around
    plain.setdefault("network", "mltpsn")
    told = {"network": network, "mode": mode, "seed": seed, "device": device}
    plain |= {name: value for name, value in told.items() if value is not None}
    if epochs is not None:
        plain.setdefault("optimisation", {})["epochs"] = epochs
    return with_whole_paths(config_from_dict(plain), Path.cwd())


def _default_shape(prior: str, images: Path) -> list[int]:
    """96x96 or 48x48x48, by the prior's dimensions; a mean shape has those of the images."""
    from napari_toposeg.data import find_cases, read_case
    from napari_toposeg.formats import read_prior
    from napari_toposeg.training import MEAN_SHAPE

    ndim = read_case(find_cases(images)[0])[0].ndim if prior == MEAN_SHAPE else read_prior(prior).ndim
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
