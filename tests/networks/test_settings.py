"""Settings to plain values and back, the registry, and the presets."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from napari_toposeg.errors import ToposegError
from napari_toposeg.networks import (
    NETWORK_NAMES,
    PRESET_NAMES,
    MLTPSNSettings,
    TEDSNetSettings,
    TPSNSettings,
    UNetSettings,
    VoxelMorphSettings,
    build,
    preset,
    settings_from_dict,
    settings_to_dict,
)

CHANNELS = {"unet": {"inputs": 1, "outputs": 1}, "wunet": {"inputs": 1, "outputs": 1}}


@pytest.mark.parametrize("name", NETWORK_NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_settings_survive_json(name: str, ndim: int) -> None:
    chosen = settings_from_dict(name, {"ndim": ndim, **CHANNELS.get(name, {})})
    there = json.loads(json.dumps(settings_to_dict(chosen)))
    back = settings_from_dict(name, there)
    assert back == chosen
    assert type(back) is type(chosen)


@given(
    levels=some.integers(1, 4),
    features=some.integers(1, 9),
    answer=some.sampled_from(["displacement", "velocity"]),
    border=some.floats(0, 20, allow_nan=False),
)
@settings(max_examples=30, deadline=None)
def test_any_settings_survive_json(levels: int, features: int, answer: str, border: float) -> None:
    chosen = MLTPSNSettings(3, levels, features, answer=answer, border=border)
    assert settings_from_dict("mltpsn", json.loads(json.dumps(settings_to_dict(chosen)))) == chosen


def test_lists_of_channels_come_back_as_they_were() -> None:
    chosen = VoxelMorphSettings(2, encoder=(4, 8), decoder=(8, 8), final=(4,))
    values = settings_to_dict(chosen)
    assert values["encoder"] == [4, 8]
    assert settings_from_dict("voxelmorph", values) == chosen


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("tpsn", {"ndim": 2, "featurs": 8}, "featurs"),
        ("tpsn", {}, "ndim"),
        ("unet", {"ndim": 2, "inputs": 1}, "outputs"),
        ("tpsn", {"ndim": 4}, "4 axes"),
        ("tpsn", {"ndim": True}, "a whole number"),
        ("tpsn", {"ndim": 2, "features": 8.5}, "a whole number"),
        ("tpsn", {"ndim": 2, "features": 0}, "at least 1"),
        ("tpsn", {"ndim": 2, "answer": "affine"}, "displacement, velocity"),
        ("tpsn", {"ndim": 2, "border": "wide"}, "a number"),
        ("tpsn", {"ndim": 2, "border": float("nan")}, "at least 0"),
        ("tpsn", {"ndim": 2, "halvings": 4}, "4 halvings"),
        ("mltpsn", {"ndim": 2, "levels": 0}, "at least 1"),
        ("mltpsn", {"ndim": 2, "levels": 5}, "at most 4"),
        ("tedsnet", {"ndim": 2, "bulk": 1}, "true or false"),
        ("tedsnet", {"ndim": 2, "bulk": False, "fine_tuning": False}, "without branches"),
        ("tedsnet", {"ndim": 2, "max_pool": True, "super_upsampling": False}, "nothing to pool"),
        ("tedsnet", {"ndim": 2, "bulk_halvings": 4}, "4 halvings"),
        ("tedsnet", {"ndim": 2, "dropout": 1.5}, "at most 1"),
        ("voxelmorph", {"ndim": 2, "encoder": 16}, "a list"),
        ("voxelmorph", {"ndim": 2, "encoder": [16, "32"]}, "a whole number"),
        ("voxelmorph", {"ndim": 2, "encoder": [16]}, "as many channels"),
        ("voxelmorph", {"ndim": 2, "final": []}, "at least 1"),
        ("vnet", {"ndim": 2}, "mltpsn"),
    ],
)
def test_what_a_network_cannot_be_built_with_is_refused_in_one_sentence(name: str, values: dict, said: str) -> None:
    with pytest.raises(ToposegError, match=said) as caught:
        settings_from_dict(name, values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_a_seed_decides_the_weights(name: str) -> None:
    chosen = settings_from_dict(name, {"ndim": 2, **CHANNELS.get(name, {})})

    def weights(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        return list(build(name, chosen).state_dict().values())

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_network_is_not_built_from_anothers_settings() -> None:
    with pytest.raises(TypeError, match="MLTPSNSettings, not from TPSNSettings"):
        build("mltpsn", TPSNSettings(2))


def test_a_network_of_several_objects_has_two_unless_asked_otherwise() -> None:
    assert build("multi-tpsn", settings_from_dict("multi-tpsn", {"ndim": 2})).objects == 2
    assert build("multi-tpsn", settings_from_dict("multi-tpsn", {"ndim": 2, "objects": 5})).objects == 5


@pytest.mark.parametrize("name", PRESET_NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_preset_can_be_built_and_written_down(name: str, ndim: int) -> None:
    found = preset(name, ndim)
    network = build(found.network, found.settings)
    answer = network(torch.randn(1, 1, *(16, 18, 17)[:ndim]), torch.rand(1, network.objects, *(16, 18, 17)[:ndim]))
    assert answer.displacement.shape[1:] == (ndim, *(16, 18, 17)[:ndim])
    assert settings_from_dict(found.network, settings_to_dict(found.settings)) == found.settings


def test_presets_differ_from_the_defaults_where_the_papers_do() -> None:
    assert preset("tpsn-published", 2).settings.answer == "displacement"
    assert preset("mltpsn-published", 2).settings.border == 0.0
    assert preset("tpsn-published", 2).learning_rate == 1e-5
    assert MLTPSNSettings(2) == MLTPSNSettings(2, levels=3, answer="velocity", halvings=1, integration_steps=7)
    assert MLTPSNSettings(2).border == 4.0
    assert preset("tedsnet-published", 2).settings != TEDSNetSettings(2)


def test_a_preset_that_there_is_not_is_refused() -> None:
    with pytest.raises(ToposegError, match="tedsnet-a6"):
        preset("tedsnet-a7", 2)


def test_settings_of_a_unet_need_its_channels() -> None:
    assert UNetSettings(2, 1, 3) == settings_from_dict("unet", {"ndim": 2, "inputs": 1, "outputs": 3})
