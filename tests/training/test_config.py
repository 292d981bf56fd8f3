"""A config: what is written is read back, what is wrong is refused where it stands, and every field is documented."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from napari_toposeg.data import Augmentation
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import PRESET_NAMES, preset
from napari_toposeg.training import (
    Data,
    LossWeights,
    Optimisation,
    TrainedObject,
    TrainingConfig,
    config_from_dict,
    config_to_dict,
    read_config,
    write_config,
)
from napari_toposeg.training.prepare import make_network, with_network_of_preset

KINDS = (TrainingConfig, Data, TrainedObject, LossWeights, Optimisation, Window, Augmentation)

PLAIN: dict[str, Any] = {
    "data": {"images": "images", "labels": "labels"},
    "objects": [{"prior": "annulus", "labels": [2]}],
    "network": "mltpsn",
    "window": {"shape": [96, 96]},
}

shares = some.floats(0.0, 0.4)
positive = some.floats(1e-6, 1e3)
configs = some.builds(
    TrainingConfig,
    data=some.builds(Data, some.just("/images"), some.just("/labels"), validation=shares, test=shares),
    objects=some.lists(
        some.builds(
            TrainedObject,
            some.sampled_from(["ball", "mean", "annulus"]),
            some.lists(some.integers(1, 9), max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    network=some.sampled_from(["mltpsn", "unet"]),
    window=some.builds(
        Window,
        some.lists(some.integers(8, 99), min_size=2, max_size=3).map(tuple),
        some.sampled_from(["box", "centre", "image"]),
    ),
    settings=some.dictionaries(some.sampled_from(["features", "levels"]), some.integers(1, 9)),
    fill_first=some.floats(0.0, 0.9),
    weights=some.builds(LossWeights, jacobian=positive, chan_vese=positive),
    optimisation=some.builds(Optimisation, some.sampled_from(["adam", "rmsprop"]), positive, some.integers(1, 99)),
    augmentation=some.builds(Augmentation, rotation=some.floats(0, 180), flips=some.sampled_from([(), (0,), (1, 0)])),
    seed=some.integers(0, 2**31),
)


@given(config=configs)
def test_what_is_written_is_read_back(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    write_config(config, path)
    assert read_config(path) == config
    assert config_from_dict(config_to_dict(config)) == config


def changed(place: str, value: Any) -> dict[str, Any]:
    """The plain config, with something else at a place like "data.images"."""
    *above, name = place.split(".")
    plain: dict[str, Any] = {**PLAIN}
    inner = plain
    for key in above:
        inner[key] = {**inner.get(key, {})}
        inner = inner[key]
    inner[name] = value
    return plain


WRONG: list[tuple[str, Any, str]] = [
    ("colour", 1, "at 'colour'"),
    ("data.colour", 1, "at 'data.colour'"),
    ("optimisation.epochs", "many", "at 'optimisation.epochs'"),
    ("optimisation.epochs", 2.5, "at 'optimisation.epochs'"),
    ("optimisation.epochs", 0, "epochs"),
    ("optimisation.batch", 0, "batch"),
    ("optimisation.patience", -1, "patience"),
    ("optimisation.precision", "float16", "at 'optimisation.precision'"),
    ("optimisation.precision", "bfloat16", "deforms in float32"),
    ("optimisation.optimizer", "sgd", "at 'optimisation.optimizer'"),
    ("optimisation.learning_rate", 0.0, "learning_rate"),
    ("optimisation.learning_rate", float("nan"), "learning_rate"),
    ("weights.jacobian", -1.0, "weights.jacobian"),
    ("weights.topology", float("inf"), "weights.topology"),
    ("weights.topology", float("nan"), "weights.topology"),
    ("data", None, "at 'data'"),
    ("data.images", "", "data.images"),
    ("data.images", 3, "at 'data.images'"),
    ("data.validation", 1.0, "data.validation"),
    ("data.test", 0.9, "data.test"),
    ("data.labelled", -1, "data.labelled"),
    ("data.labels", "", "needs labels"),
    ("objects", [], "no object is named"),
    ("objects", [{"prior": ""}], "no prior"),
    ("objects", [{"prior": "ball", "labels": [0]}], "labels"),
    ("objects", [{"labels": [1]}], "at 'objects.0.prior'"),
    ("window.shape", [96], "window"),
    ("window.around", "corner", "window"),
    ("augmentation.rotation", 400.0, "otation"),
    ("mode", "lucky", "mode"),
    ("mode", "semi-supervised", "needs unlabelled images"),
    ("unlabelled_loss", "hope", "at 'unlabelled_loss'"),
    ("fill_first", 1.0, "fill_first"),
    ("fill_first", float("nan"), "fill_first"),
    ("seed", -1, "seed"),
    ("seed", True, "at 'seed'"),
    ("devices", 0, "devices"),
    ("data.drawn", {"taper": [0.5, 0.1]}, "taper runs from 0.5 to 0.1"),
    ("data.drawn", {"colour": 1}, "at 'data.drawn.colour'"),
    ("data.unlabelled", "more", "window around the organ's box"),
]


@pytest.mark.parametrize(("place", "value", "said"), WRONG, ids=[f"{place}={value}" for place, value, _ in WRONG])
def test_what_is_wrong_is_refused_where_it_stands(place: str, value: Any, said: str) -> None:
    with pytest.raises(ToposegError) as refused:
        config_from_dict(changed(place, value))
    assert said.lower() in str(refused.value).lower()
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("missing", PLAIN)
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(ToposegError, match=f"at '{missing}'"):
        config_from_dict({key: value for key, value in PLAIN.items() if key != missing})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": "unet", "mode": "unsupervised"}, "a unet without labels"),
        (
            {
                "network": "unet",
                "mode": "semi-supervised",
                "unlabelled_loss": "chan-vese",
                "data": {"images": "i", "labels": "l", "labelled": 2},
            },
            "no template that the Chan-Vese",
        ),
        (
            {
                "mode": "unsupervised",
                "data": {"images": "i"},
                "objects": [{"prior": "mean"}],
                "window": {"shape": [96, 96], "around": "image"},
            },
            "mean shape is made of labels",
        ),
    ],
)
def test_parts_that_contradict_each_other_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ToposegError, match=f"(?i){said}"):
        config_from_dict(PLAIN | change)


@pytest.mark.parametrize("text", ["", "- 1", "a: b: c", "\x00", "data: {images: [}"])
def test_a_file_that_is_no_config_is_refused_in_a_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ToposegError) as refused:
        read_config(path)
    assert len(str(refused.value).splitlines()) == 1
    with pytest.raises(ToposegError):
        read_config(tmp_path / "nothing.yaml")


def test_a_rate_may_be_written_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_config(config_from_dict(PLAIN), path)
    path.write_text(path.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-5"))
    assert read_config(path).optimisation.learning_rate == 1e-5


def test_paths_count_from_the_file_and_names_stay_names(tmp_path: Path) -> None:
    (tmp_path / "shape.nii.gz").touch()
    (tmp_path / "masks").mkdir()
    plain = PLAIN | {"data": {"images": "images", "labels": "../labels", "split": "/split.json"}}
    plain["objects"] = [{"prior": name} for name in ("ball", "mean", "shape.nii.gz", "masks:2", "nowhere")]
    write_config(config_from_dict(plain), tmp_path / "config.yaml")
    config = read_config(tmp_path / "config.yaml")
    assert config.data.images == str(tmp_path / "images")
    assert config.data.labels == str(tmp_path.parent / "labels")
    assert (config.data.split, config.data.unlabelled) == ("/split.json", "")
    wanted = ["ball", "mean", str(tmp_path / "shape.nii.gz"), str(tmp_path / "masks:2"), "nowhere"]
    assert [one.prior for one in config.objects] == wanted


@pytest.fixture(scope="module")
def guide() -> str:
    return (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_in_the_guide_with_its_default(kind: Callable[..., Any], guide: str) -> None:
    default = {one.name: one.default for one in dataclasses.fields(kind)}
    for name, value in default.items():
        rows = re.findall(rf"^\| `{name}` \| (.*?) \|", guide, re.MULTILINE)
        assert rows, f"{kind.__name__}.{name}"
        if isinstance(value, float | int) and not isinstance(value, bool):
            assert f"{value:g}" in rows, f"{kind.__name__}.{name}"


def test_the_guide_names_no_field_that_there_is_not(guide: str) -> None:
    known = {one.name for kind in KINDS for one in dataclasses.fields(kind)}
    _, _, fields = guide.partition("## Every field")
    assert set(re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE)) == known


def test_the_guides_examples_are_configs(guide: str, tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        (tmp_path / "config.yaml").write_text(example)
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_presets_name_stands_for_the_network_as_it_was_published(name: str) -> None:
    published = preset(name, 2)
    objects = tuple(TrainedObject("disk") for _ in range(getattr(published.settings, "objects", 1)))
    config = TrainingConfig(Data("images", "labels"), objects, name, Window((32, 32)))
    resolved = with_network_of_preset(config)
    assert resolved.network == published.network
    assert make_network(resolved)[1] == published.settings
    changed_by_hand = dataclasses.replace(config, settings={"border": 4.0})
    assert make_network(with_network_of_preset(changed_by_hand))[1] == dataclasses.replace(
        published.settings, border=4.0
    )
