"""What a person prefers, as napari's Preferences have it under the plugin's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari.settings import get_plugin_settings

from napari_toposeg.inference import Settings

_PLUGIN = "napari-toposeg"


def preferred(settings: Settings) -> Settings:
    """These settings, with what is preferred for a run; unchanged where napari knows of no preferences of ours."""
    chosen = _preferences()
    if chosen is None:
        return settings
    return replace(settings, device=chosen.run.device, certify=chosen.run.certify)


def remembers_layout() -> bool:
    """Whether the docks come back where they stood."""
    chosen = _preferences()
    return chosen is None or bool(chosen.docks.remember)


def _preferences() -> Any:
    try:
        return get_plugin_settings(_PLUGIN)
    except KeyError:
        # The docks are used without the plugin being installed, as from a folder.
        return None
