"""Weights and their card: what comes back is what was saved, and all else is refused."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import weights
from napari_toposeg.inference.weights import (
    Card,
    TrainedPrior,
    card_from_dict,
    card_to_dict,
    find_weights,
    known_weights,
    load_weights,
    own_folder,
    registry,
    save_weights,
    storage,
)
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import NETWORK_NAMES, build, settings_from_dict

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"inputs": 1, "outputs": 1, "features": 2, "resolutions": 2},
    "wunet": {"inputs": 1, "outputs": 1, "features": 2, "resolutions": 2},
    "tpsn": {"features": 2, "resolutions": 2},
    "mltpsn": {"features": 2, "resolutions": 2, "levels": 2},
    "multi-tpsn": {"features": 2, "resolutions": 2},
    "tedsnet": {"features": 2, "resolutions": 2, "bulk_halvings": 1, "fine_tuning_halvings": 0, "gaussian_sigma": 1.0},
    "voxelmorph": {"encoder": [2, 2], "decoder": [2, 2], "final": [2]},
    "tetris": {"features": 2, "resolutions": 2},
}


def make(name: str = "tpsn", ndim: int = 2, seed: int = 0) -> tuple[nn.Module, Card]:
    """A tiny network with random weights everywhere, and a card for it."""
    settings = settings_from_dict(name, {"ndim": ndim, **SMALL[name]})
    network = build(name, settings)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    objects = getattr(settings, "objects", 1)
    card = Card(
        network=name,
        settings=settings,
        priors=(TrainedPrior("disk" if ndim == 2 else "ball", (1,) + (0,) * (ndim - 1)),) * objects,
        window=Window((16,) * ndim, around="centre", spacing=(1.5,) * ndim, places=(((0.25, 0.75),) * ndim,) * objects),
        spacing=(1.5,) * ndim,
        data="phantoms",
        licence="CC0",
        split={"train": ("case 1", "case 2"), "test": ("case 3",)},
        seed=7,
        metrics={"dice": 0.93, "hd95": None},
        training={"epochs": 3, "rates": (1e-3, 1e-4)},
    )
    return network.eval(), card


def window(**changes: Any) -> dict[str, Any]:
    """The card's window as plain values, some of them changed."""
    return {**card_to_dict(make()[1])["window"], **changes}


@pytest.fixture
def saved(tmp_path: Path) -> weights.Weights:
    network, card = make()
    return save_weights(network, card, tmp_path / "ring-v1.2.safetensors")


def card_of(path: Path) -> Path:
    return path.with_suffix(".json")


def edit(path: Path, **changes: Any) -> None:
    """Change entries of the card beside a file of weights."""
    facts = json.loads(card_of(path).read_text())
    card_of(path).write_text(json.dumps({**facts, **changes}))


def refusal(work: Callable[[], object]) -> str:
    """What the refusal says: one line, with something to do about it."""
    with pytest.raises(ToposegError) as caught:
        work()
    assert caught.value.todo
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_every_network_comes_back_bit_for_bit_and_answers_the_same(name: str, ndim: int, tmp_path: Path) -> None:
    network, card = make(name, ndim)
    kept = save_weights(network, card, tmp_path / "it.safetensors")
    state = torch.get_rng_state()
    loaded, read = load_weights(tmp_path / "it.safetensors")
    assert torch.equal(torch.get_rng_state(), state)
    assert read == kept.card
    assert not loaded.training
    before, after = network.state_dict(), loaded.state_dict()
    assert list(before) == list(after)
    assert all(before[key].dtype == after[key].dtype and torch.equal(before[key], after[key]) for key in before)
    assert [one.requires_grad for one in loaded.parameters()] == [one.requires_grad for one in network.parameters()]

    generator = torch.Generator().manual_seed(1)
    image = torch.randn((1, 1, *(16,) * ndim), generator=generator)
    template = torch.rand((1, len(card.priors), *(16,) * ndim), generator=generator)
    words = (image,) if name in ("unet", "wunet") else (image, template)
    with torch.no_grad():
        answers = [one(*words) for one in (network, loaded)]
    masks = [answer if torch.is_tensor(answer) else answer.displacement for answer in answers]
    assert masks[0].abs().max() > 0
    assert torch.equal(*masks)


def test_the_card_keeps_all_that_it_was_told(saved: weights.Weights) -> None:
    _, told = make()
    read = storage.read_card(saved.path)
    for field in dataclasses.fields(Card):
        if field.name not in ("name", "sha256", "training"):
            assert getattr(read, field.name) == getattr(told, field.name), field.name
    assert (read.name, read.training) == ("ring-v1.2", {"epochs": 3, "rates": [1e-3, 1e-4]})
    assert card_from_dict(card_to_dict(read)) == read


def test_a_figure_that_is_not_finite_is_kept_as_not_measured(tmp_path: Path) -> None:
    network, card = make()
    card = dataclasses.replace(card, metrics={"hd95": float("inf"), "dice": 0.5})
    save_weights(network, card, tmp_path / "a.safetensors")
    assert load_weights(tmp_path / "a.safetensors")[1].metrics == {"hd95": None, "dice": 0.5}


def test_loaded_weights_can_be_trained_on(saved: weights.Weights) -> None:
    network, _ = load_weights(saved.path)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.train().parameters(), lr=0.1)
    network(torch.randn(1, 1, 16, 16), torch.rand(1, 1, 16, 16)).displacement.square().sum().backward()
    optimizer.step()
    assert any(not torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("place", ["header", "middle", "last"])
def test_a_file_with_one_byte_flipped_is_refused(place: str, saved: weights.Weights) -> None:
    content = bytearray(saved.path.read_bytes())
    content[{"header": 10, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    saved.path.write_bytes(content)
    assert "SHA-256 is not the one on its card" in refusal(lambda: load_weights(saved.path))


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_that_was_cut_short_is_refused(kept: int, saved: weights.Weights) -> None:
    saved.path.write_bytes(saved.path.read_bytes()[:kept])
    assert str(saved.path) in refusal(lambda: load_weights(saved.path))


@pytest.mark.parametrize("sha256", ["0" * 64, "", "not a hash"])
def test_a_card_with_another_hash_is_refused(sha256: str, saved: weights.Weights) -> None:
    edit(saved.path, sha256=sha256)
    assert "SHA-256" in refusal(lambda: load_weights(saved.path)).replace("sha256", "SHA-256")


def test_a_renamed_file_is_refused_with_its_card_and_without(saved: weights.Weights) -> None:
    other = saved.path.rename(saved.path.with_name("other.safetensors"))
    assert "other.json is not beside it" in refusal(lambda: load_weights(other))
    card_of(saved.path).rename(card_of(other))
    assert "renamed" in refusal(lambda: load_weights(other))
    assert "There is no file" in refusal(lambda: load_weights(saved.path))


def test_another_ones_card_is_refused(saved: weights.Weights, tmp_path: Path) -> None:
    network, card = make(seed=1)
    (tmp_path / "other").mkdir()
    twin = save_weights(network, card, tmp_path / "other" / saved.path.name)
    card_of(saved.path).write_bytes(card_of(twin.path).read_bytes())
    assert "another card's" in refusal(lambda: load_weights(saved.path))


class Payload:
    """What runs code when it is unpickled: it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("made_by", ["pickle", "torch"])
def test_a_pickle_that_calls_itself_safetensors_is_refused_and_does_not_run(
    made_by: str, saved: weights.Weights, tmp_path: Path
) -> None:
    trace = tmp_path / "it ran"
    if made_by == "pickle":
        saved.path.write_bytes(pickle.dumps(Payload(trace)))
    else:
        torch.save(Payload(trace), saved.path)
    edit(saved.path, sha256=storage.hashlib.sha256(saved.path.read_bytes()).hexdigest())
    assert "no safetensors file" in refusal(lambda: load_weights(saved.path))
    assert not trace.exists()
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()  # the payload works where it is unpickled


@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt", ".pkl", ".PT"])
def test_files_that_may_be_pickled_are_refused_by_their_ending(ending: str, saved: weights.Weights) -> None:
    path = saved.path.rename(saved.path.with_suffix(ending))
    assert "run code" in refusal(lambda: load_weights(path))
    assert "run code" in refusal(lambda: load_weights(path.name))
    network, card = make()
    assert "run code" in refusal(lambda: save_weights(network, card, path))
    assert ".safetensors" in refusal(lambda: load_weights(Path("weights.onnx")))


def test_tensors_that_do_not_fit_the_cards_network_are_refused(saved: weights.Weights, tmp_path: Path) -> None:
    facts = json.loads(card_of(saved.path).read_text())
    wider = {**facts["network"], "settings": {**facts["network"]["settings"], "features": 3}}
    edit(saved.path, network=wider)
    assert "has shape" in refusal(lambda: load_weights(saved.path))
    edit(saved.path, network={"name": "tpsn", "settings": {**facts["network"]["settings"], "resolutions": 3}})
    assert "is missing" in refusal(lambda: load_weights(saved.path))
    edit(
        saved.path,
        network={"name": "tpsn", "settings": {**facts["network"]["settings"], "resolutions": 1, "halvings": 0}},
    )
    assert "does not fit" in refusal(lambda: load_weights(saved.path))
    # Of a size that no computer has: nothing is allocated for it.
    edit(saved.path, network={"name": "tpsn", "settings": {**facts["network"]["settings"], "features": 10**7}})
    assert "has shape" in refusal(lambda: load_weights(saved.path))
    edit(saved.path, network={"name": "tpsn", "settings": {**facts["network"]["settings"], "features": 10**30}})
    assert "cannot be built" in refusal(lambda: load_weights(saved.path))


def test_another_networks_card_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    _, card = make("tpsn")
    network, _ = make("unet")
    assert "does not fit" in refusal(lambda: save_weights(network, card, tmp_path / "a.safetensors"))
    assert "is of torch.float64" in refusal(lambda: save_weights(make()[0].double(), card, tmp_path / "a.safetensors"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "is of format 2"),
        ({"format": True}, "format"),
        ({"colour": "red"}, "'colour'"),
        ({"network": {"name": "vnet", "settings": {}}}, "no network 'vnet'"),
        ({"network": {"name": "tpsn", "settings": {"ndim": 2, "depth": 1}}}, "depth"),
        ({"network": {"name": "tpsn"}}, "'settings'"),
        ({"network": {"name": [], "settings": {}}}, "no text"),
        ({"priors": []}, "'priors'"),
        ({"priors": [{"name": "disk", "betti": [1, 0, 0]}]}, "Betti"),
        ({"priors": [{"name": "disk", "betti": [1, 0.5]}]}, "Betti"),
        ({"window": "all"}, "'window'"),
        ({"window": window(colour="red")}, "'colour'"),
        ({"window": {}}, "'shape'"),
        ({"window": window(shape=[16, 16, 16], spacing=[], places=[])}, "3-D"),
        ({"window": window(shape=[16, 16.0])}, "whole numbers"),
        ({"window": window(shape=[16, 4])}, "at least 8"),
        ({"window": window(around="corner")}, "'corner'"),
        ({"window": window(around=None)}, "no text"),
        ({"window": window(axis="w")}, "'w'"),
        ({"window": window(spacing=[1.0])}, "spacing"),
        ({"window": window(spacing=["1", "1"])}, "numbers"),
        ({"window": window(margin=True)}, "margin"),
        ({"window": window(template=1.5)}, "template"),
        ({"window": window(places=[[[0.1, 0.4], [0.2, 0.5]]] * 2)}, "2 places for 1 prior(s)"),
        ({"window": window(places=[[[0.4, 0.1], [0.2, 0.5]]])}, "ascending shares"),
        ({"window": window(places=[[[0.1, 0.4]]])}, "2 pairs"),
        ({"window": window(places=[[0.1, 0.4]])}, "lists of pairs"),
        ({"window": window(places=0.5)}, "lists of pairs"),
        ({"spacing": [1.0]}, "'spacing'"),
        ({"spacing": [1.0, -1.0]}, "'spacing'"),
        ({"spacing": ["1", "1"]}, "'spacing'"),
        ({"spacing": [1, 10**400]}, "card"),
        ({"data": {"name": "x"}}, "'licence'"),
        ({"split": {"train": "all"}}, "'split'"),
        ({"seed": True}, "'seed'"),
        ({"seed": 0.5}, "'seed'"),
        ({"metrics": {"dice": "good"}}, "'metrics'"),
        ({"training": []}, "'training'"),
        ({"training": {"rate": float("nan")}}, "NaN"),
        ({"date": "yesterday"}, "'date'"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(changes: dict[str, Any], said: str, saved: weights.Weights) -> None:
    edit(saved.path, **changes)
    message = refusal(lambda: load_weights(saved.path))
    assert said in message
    assert card_of(saved.path).name in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"card"', "{}", "[" * 100_000])
def test_what_is_no_card_is_refused(text: str, saved: weights.Weights) -> None:
    card_of(saved.path).write_text(text)
    assert "cannot be used" in refusal(lambda: load_weights(saved.path))


@pytest.mark.parametrize("key", [key for key in card_to_dict(make()[1]) if key != "format"])
def test_a_card_without_one_of_its_keys_is_refused(key: str, saved: weights.Weights) -> None:
    facts = json.loads(card_of(saved.path).read_text())
    del facts[key]
    card_of(saved.path).write_text(json.dumps(facts))
    assert repr(key) in refusal(lambda: load_weights(saved.path))


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_kill_while_saving_leaves_the_old_the_new_or_what_is_refused(
    moves: int, existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    if existed:
        save_weights(*make(seed=1), path)
    done = 0

    def move(*words: Any) -> None:
        nonlocal done
        if done == moves:
            raise KeyboardInterrupt
        done += 1
        rename(*words)

    rename = os.rename
    monkeypatch.setattr("napari_toposeg.formats.atomic.os.replace", move)
    network, card = make(seed=2)
    if moves < 2:
        with pytest.raises(KeyboardInterrupt):
            save_weights(network, card, path)
    else:
        save_weights(network, card, path)
    if moves == 1 or (moves == 0 and not existed):
        refusal(lambda: load_weights(path))
    else:
        expected = (network if moves == 2 else make(seed=1)[0]).state_dict()
        found = load_weights(path)[0].state_dict()
        assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of weights, and an empty cache."""
    monkeypatch.setenv("TOPOSEG_WEIGHTS", str(tmp_path / "own"))
    monkeypatch.setattr(registry, "_cache", lambda: tmp_path / "cache")
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def test_the_users_own_folder_is_what_the_variable_says_or_the_systems(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_folder() == folder
    monkeypatch.delenv("TOPOSEG_WEIGHTS")
    assert "napari-toposeg" in own_folder().parts


def test_weights_in_the_users_own_folder_have_a_name(folder: Path, resources: Path) -> None:
    save_weights(*make(), folder / "ring-v1.2.safetensors")
    (folder / "notes.txt").write_text("not weights")
    (known,) = known_weights()
    assert (known.name, known.place, known.trouble) == ("ring-v1.2", "own", "")
    assert load_weights("ring-v1.2")[1] == known.card
    message = refusal(lambda: load_weights("ring"))
    assert str(folder) in message
    assert "toposeg models" in message


def test_no_folder_is_no_weights(folder: Path, resources: Path) -> None:
    folder.rmdir()
    assert known_weights() == ()


def test_weights_without_a_card_are_listed_with_the_reason_and_refused_by_name(folder: Path, resources: Path) -> None:
    save_weights(*make(), folder / "ring.safetensors")
    (folder / "ring.json").unlink()
    (known,) = known_weights()
    assert known.card is None
    assert "ring.json is not beside it" in known.trouble
    assert known.trouble == refusal(lambda: load_weights("ring"))


@pytest.fixture
def resources(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the package's resources, with an empty index."""
    (tmp_path / "resources" / "weights").mkdir(parents=True)
    (tmp_path / "resources" / "weights.json").write_text("{}")
    monkeypatch.setattr(registry, "files", lambda package: tmp_path / "resources")
    return tmp_path / "resources"


def test_a_name_that_stands_for_two_different_weights_is_refused(folder: Path, resources: Path) -> None:
    own = save_weights(*make(seed=1), folder / "ring.safetensors")
    shipped = save_weights(*make(seed=1), resources / "weights" / "ring.safetensors")
    assert [known.place for known in known_weights()] == ["own", "shipped"]
    assert find_weights("ring").place == "own"  # the same file twice is no contradiction
    save_weights(*make(seed=2), shipped.path)
    message = refusal(lambda: load_weights("ring"))
    assert "ambiguous" in message
    assert str(own.path) in message
    assert str(shipped.path) in message
    assert load_weights(shipped.path)[1].name == "ring"


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *words: Any) -> None:
        self.asked.append(self.path)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path, list[str]]]:
    """A web server on this computer: its address, its folder, and what it was asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "served").mkdir()
    handler = type("Handler", (Quiet,), {"asked": []})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "served"))
    ) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", tmp_path / "served", handler.asked
        served.shutdown()
        thread.join()


def put_into_index(resources: Path, url: str, card: Card) -> None:
    (resources / "weights.json").write_text(json.dumps({card.name: {"url": url, "card": card_to_dict(card)}}))


def test_weights_of_the_index_are_retrieved_once_and_only_when_they_are_asked_for(
    resources: Path, server: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    address, served, asked = server
    online = save_weights(*make(), served / "ring.safetensors")
    put_into_index(resources, f"{address}/ring.safetensors", online.card)
    assert [(known.place, known.card) for known in known_weights()] == [("online", online.card)]
    assert asked == []
    for _ in range(2):
        network, card = load_weights("ring")
        assert card == online.card
        assert not network.training
        assert asked == ["/ring.safetensors"]
    assert find_weights("ring").place == "retrieved"
    # What was damaged in the cache is retrieved again.
    (tmp_path / "cache" / "ring.safetensors").write_bytes(b"damaged")
    assert load_weights("ring")[1] == online.card
    assert len(asked) == 2


def test_what_is_not_the_expected_file_or_does_not_come_is_refused(
    resources: Path, server: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    address, served, _ = server
    online = save_weights(*make(), served / "ring.safetensors")
    put_into_index(resources, f"{address}/ring.safetensors", online.card)
    save_weights(*make(seed=1), online.path)
    assert "SHA-256 is not the one that is expected" in refusal(lambda: load_weights("ring"))
    put_into_index(resources, f"{address}/nothing.safetensors", online.card)
    assert "could not be retrieved" in refusal(lambda: load_weights("ring"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        put_into_index(resources, f"http://127.0.0.1:{unused.getsockname()[1]}/ring.safetensors", online.card)
        assert "could not be retrieved" in refusal(lambda: load_weights("ring"))
    assert not list((tmp_path / "cache").glob("ring*"))


def test_what_ships_can_be_listed_and_loaded() -> None:
    """The index that ships has no defect, and neither has what is shipped."""
    registry._in_index()
    for known in known_weights():
        if known.place == "shipped":
            assert not known.trouble
            load_weights(known.path)


def test_importing_loads_neither_safetensors_nor_pooch() -> None:
    look = "import sys, napari_toposeg.inference.weights; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert "'safetensors'" not in loaded
    assert "'pooch'" not in loaded
