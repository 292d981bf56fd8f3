"""The plugin's page in napari's Preferences."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, get_args

import pytest
from napari.settings._plugin_config_generator import plugin_configuration_generator
from npe2 import PluginManager

from napari_toposeg.docks import preferences
from napari_toposeg.inference import Settings
from napari_toposeg.inference.settings import Certify


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What napari makes of the manifest, without anybody's file."""
    manager = PluginManager()
    manager.register(str(files("napari_toposeg").joinpath("napari.yaml")))
    made = plugin_configuration_generator(manager)["napari-toposeg"](config_path=None)
    monkeypatch.setattr(preferences, "get_plugin_settings", lambda name: {"napari-toposeg": made}[name])
    return made


def test_who_prefers_nothing_has_python_s_own_defaults(page: Any) -> None:
    assert preferences.preferred(Settings()) == Settings()
    assert preferences.remembers_layout()


def test_what_is_preferred_is_what_a_session_begins_with(page: Any) -> None:
    page.run.device, page.run.certify, page.docks.remember = "cpu", "report", False
    assert preferences.preferred(Settings(iterations=70)) == Settings(iterations=70, device="cpu", certify="report")
    assert not preferences.remembers_layout()


@pytest.mark.parametrize("certify", get_args(Certify))
def test_every_certificate_can_be_preferred_and_nothing_else(page: Any, certify: str) -> None:
    page.run.certify = certify
    assert preferences.preferred(Settings()).certify == certify
    with pytest.raises(ValueError, match="certify"):
        page.run.certify = "perhaps"


def test_without_a_page_the_defaults_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "get_plugin_settings", lambda name: {}[name])
    assert preferences.preferred(Settings()) == Settings()
    assert preferences.remembers_layout()
