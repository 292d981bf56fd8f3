"""The docks come back where they were left, and whatever is remembered, the window opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
from napari_toposeg.docks.layout_memory import LayoutMemory
from napari_toposeg.docks.workspace import workspace_of


def opened(make_napari_viewer: Any) -> tuple[Any, QMainWindow, dict[str, Any]]:
    viewer = make_napari_viewer(show=True)
    open_all(viewer)
    docks = {name: viewer.window.add_plugin_dock_widget(PLUGIN, name)[0] for name in DOCKS}
    window = docks["Prior"].window()
    assert isinstance(window, QMainWindow)
    return viewer, window, docks


def test_docks_come_back_where_they_were_left_and_the_command_puts_them_right(
    tidy: None, make_napari_viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPOSEG_LAYOUT", str(tmp_path / "new" / "layout.json"))
    viewer, window, docks = opened(make_napari_viewer)
    assert window.dockWidgetArea(docks["Measure"]) == Qt.DockWidgetArea.RightDockWidgetArea
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks["Measure"])
    docks["Barcode"].hide()
    workspace_of(viewer).session.close()
    viewer.close()

    viewer, window, docks = opened(make_napari_viewer)
    assert window.dockWidgetArea(docks["Measure"]) == Qt.DockWidgetArea.LeftDockWidgetArea
    assert docks["Barcode"].isHidden()
    open_all(viewer)
    assert window.dockWidgetArea(docks["Measure"]) == Qt.DockWidgetArea.RightDockWidgetArea
    assert not docks["Barcode"].isHidden()
    workspace_of(viewer).session.close()


def test_what_cannot_be_used_is_not_used_and_the_window_opens(
    tidy: None, make_napari_viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "layout.json"
    monkeypatch.setenv("TOPOSEG_LAYOUT", str(path))
    path.write_text("no JSON {", encoding="utf-8")
    viewer, window, docks = opened(make_napari_viewer)
    memory = window.findChild(LayoutMemory)
    assert not docks["Prior"].isHidden()
    memory.remember()
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert memory.recall()
    for dock in docks.values():
        dock.hide()
    workspace = workspace_of(viewer)
    viewer.window.dock_widgets["Certificate"].parent().hide()
    memory.remember()
    open_all(viewer)
    viewer.window.dock_widgets["Certificate"].parent().show()
    nothing_in_sight = path.read_text(encoding="utf-8")
    for broken in (
        nothing_in_sight,
        "[]",
        "7",
        json.dumps({**kept, "state": "AAAA"}),
        json.dumps({**kept, "state": "not base 64!"}),
        json.dumps({**kept, "state": 3}),
        json.dumps({**kept, "docks": ["of another version"]}),
        json.dumps({"docks": kept["docks"]}),
        "\0\0",
    ):
        path.write_text(broken, encoding="utf-8")
        assert not memory.recall(), broken
        assert not docks["Prior"].isHidden()
    workspace.session.close()


def test_a_folder_that_cannot_be_written_keeps_no_window_open(
    tidy: None,
    make_napari_viewer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("TOPOSEG_LAYOUT", str(tmp_path / "file" / "layout.json"))
    viewer, _, _ = opened(make_napari_viewer)
    workspace_of(viewer).session.close()
    viewer.close()
    assert "not remembered" in caplog.text
