"""Docks that do nothing while nobody looks."""

from __future__ import annotations

from typing import Any

from napari_toposeg.docks.dock import Dock


class Looked(Dock):
    """Counts how often it came in sight."""

    def __init__(self, napari_viewer: Any) -> None:
        self.times = 0
        super().__init__(napari_viewer)

    def came_in_sight(self) -> None:
        self.times += 1


def test_a_dock_behind_anothers_tab_is_not_in_sight_and_hears_when_it_comes(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    first, second = Looked(viewer), Looked(viewer)
    window = viewer.window
    holders = [window.add_dock_widget(one, name=name) for one, name in ((first, "first"), (second, "second"))]
    window._qt_window.tabifyDockWidget(*holders)
    qtbot.waitUntil(lambda: first.in_sight != second.in_sight, timeout=20_000)
    front, behind = (0, 1) if first.in_sight else (1, 0)
    docks = (first, second)
    before = docks[behind].times
    holders[behind].raise_()
    qtbot.waitUntil(lambda: docks[behind].in_sight and not docks[front].in_sight, timeout=20_000)
    qtbot.waitUntil(lambda: docks[behind].times == before + 1)
