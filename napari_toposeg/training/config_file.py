"""A training's config as plain values, and as the YAML file that a person writes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing
from napari_toposeg.formats.paths import existing_file, split_label
from napari_toposeg.priors import prior_names
from napari_toposeg.training.config import MEAN_SHAPE, TrainingConfig


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """A config as plain values that YAML and JSON can hold; `config_from_dict` is the way back."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def config_from_dict(values: Any) -> TrainingConfig:
    """A config from plain values, each of them checked.

    Parameters
    ----------
    values : mapping
        As in the YAML file. What has a default may be left out.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    ToposegError
        If a key is unknown or missing, or a value is of the wrong kind or out of range; it says which.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        # By way of JSON, which has lists but no tuples: only so is a strict check possible.
        config = TypeAdapter(TrainingConfig).validate_json(json.dumps(values, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ToposegError(
            f"The training's config is wrong{f' at {place!r}' if place else ''}.",
            why=f"{first['msg']}.",
            todo="docs/training.md describes every field.",
        ) from error
    return config


def read_config(path: str | os.PathLike[str]) -> TrainingConfig:
    """Read a config from YAML; paths in it count from the file's own folder.

    Raises
    ------
    ToposegError
        If the file cannot be read, is no YAML, or `config_from_dict` refuses it.
    """
    import yaml

    try:
        values = yaml.load(existing_file(path).read_text(encoding="utf-8"), _loader())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ToposegError(
            f"{path} cannot be read as a training's config.", why=f"{' '.join(str(error).split())}."
        ) from error
    return with_whole_paths(config_from_dict(values), Path(path).resolve().parent)


def with_whole_paths(config: TrainingConfig, folder: Path) -> TrainingConfig:
    """The same config, with paths that hold from anywhere; so far they counted from a folder."""

    def whole(place: str) -> str:
        return os.path.abspath(folder / Path(place).expanduser())

    places: dict[str, Any] = {
        name: whole(place) if (place := getattr(config.data, name)) else ""
        for name in ("images", "labels", "unlabelled", "split")
    }
    named = (MEAN_SHAPE, *prior_names())
    objects = tuple(
        # ":LABEL" may stand behind a file or a folder.
        replace(one, prior=whole(one.prior))
        if one.prior not in named and Path(split_label(whole(one.prior))[0]).exists()
        else one
        for one in config.objects
    )
    # Not a name of known weights, but a file.
    start = whole(config.start) if config.start and Path(whole(config.start)).is_file() else config.start
    return replace(config, data=replace(config.data, **places), objects=objects, start=start)


def write_config(config: TrainingConfig, path: str | os.PathLike[str]) -> None:
    """Write a config as YAML, whole or not at all."""
    import yaml

    with replacing(path) as part:
        part.write_text(yaml.safe_dump(config_to_dict(config), sort_keys=False), encoding="utf-8")


def _loader() -> Any:
    """YAML's safe loader, for which 1e-3 is a number: to YAML 1.1 it is text, and 1.0e-3 is the number."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        pass

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )
    return Loader
