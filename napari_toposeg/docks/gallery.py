"""The gallery of priors: a picture, a title, and the topology in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QScrollArea, QSizePolicy, QToolButton, QWidget

from napari_toposeg.docks import colours
from napari_toposeg.docks.workspace import Workspace
from napari_toposeg.priors import Prior, render
from napari_toposeg.topology import betti_words

PICTURE = 38
"""Side of a picture in pixels of the screen; rendered at twice that, for screens with fine pixels."""

_COLUMNS = 4
_ROW = 86
_STYLE = f"""
QToolButton {{ border: 2px solid transparent; border-radius: 6px; padding: 5px 1px 3px 1px; font-size: 11px;
  background: rgba(127, 140, 160, 28); }}
QToolButton:hover {{ background: rgba(127, 140, 160, 64); }}
QToolButton:checked {{ border-color: {colours.ACCENT}; background: rgba(47, 143, 224, 56); }}
"""


class PriorGallery(QScrollArea):
    """Buttons of which one is down; shows the priors of a session that fit its volume, and custom ones."""

    chosen = Signal(object)
    """The prior whose button a person pressed."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._priors: list[Prior] = []
        self._pictures: dict[str, QIcon] = {}
        self._buttons = QButtonGroup(self)
        self._buttons.setExclusive(True)
        self._buttons.idClicked.connect(self._clicked)
        self._board = QWidget()
        self._grid = QGridLayout(self._board)
        self._grid.setContentsMargins(0, 0, 4, 0)
        self._grid.setSpacing(5)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop)
        for column in range(_COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self.setWidget(self._board)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setStyleSheet(_STYLE)

    @property
    def priors(self) -> tuple[Prior, ...]:
        """What is shown, in order."""
        return tuple(self._priors)

    def button(self, name: str) -> QToolButton:
        """The button of the prior with this name."""
        number = next(number for number, prior in enumerate(self._priors) if prior.name == name)
        button = self._buttons.button(number)
        assert isinstance(button, QToolButton)
        return button

    def show_priors(self, priors: Sequence[Prior], chosen: Prior | None) -> None:
        """Show these priors, with one of them marked."""
        if [id(prior) for prior in priors] != [id(prior) for prior in self._priors]:
            self._fill(priors)
        self.mark(chosen)

    def mark(self, chosen: Prior | None) -> None:
        """Mark one prior as chosen, or none."""
        self._buttons.setExclusive(False)
        for number, prior in enumerate(self._priors):
            self._buttons.button(number).setChecked(prior is chosen)
            if prior is chosen:
                self.ensureWidgetVisible(self._buttons.button(number))
        self._buttons.setExclusive(True)

    def _clicked(self, number: int) -> None:
        self.chosen.emit(self._priors[number])

    def sizeHint(self) -> QSize:
        """Wide enough for its columns and as tall as two rows."""
        return QSize(_COLUMNS * 92, 2 * _ROW)

    def minimumSizeHint(self) -> QSize:
        """One row and the beginning of the next, so that it is seen that there is more."""
        return QSize(_COLUMNS * 80, round(1.2 * _ROW))

    def _fill(self, priors: Sequence[Prior]) -> None:
        for button in self._buttons.buttons():
            self._buttons.removeButton(button)
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._priors = list(priors)
        for number, prior in enumerate(priors):
            button = QToolButton(self._board)
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(PICTURE, PICTURE))
            button.setText(f"{prior.title}\n{betti_words(prior.betti, absent=False).replace(', ', ',' + chr(10))}")
            button.setToolTip(f"{prior.description}\n{betti_words(prior.betti, absent=False).capitalize()}.")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            button.setIcon(self._pictures.get(prior.name) or _empty_picture())
            self._buttons.addButton(button, number)
            self._grid.addWidget(button, number // _COLUMNS, number % _COLUMNS)
            if prior.name not in self._pictures:
                self._order_picture(prior)

    def _order_picture(self, prior: Prior) -> None:
        """Rendering takes about .2 s a picture: not here, but in the compute thread."""
        self._workspace.later(
            lambda: render(prior, 2 * PICTURE), lambda picture: self._show_picture(prior, picture), owner=self
        )

    def _show_picture(self, prior: Prior, picture: NDArray[np.uint8]) -> None:
        self._pictures[prior.name] = _icon(picture)
        for number, shown in enumerate(self._priors):
            if shown.name == prior.name:
                self._buttons.button(number).setIcon(self._pictures[prior.name])


def _icon(picture: NDArray[np.uint8]) -> QIcon:
    height, width = picture.shape[:2]
    data: Any = np.ascontiguousarray(picture).data
    image = QImage(data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    pixmap = QPixmap.fromImage(image.copy())
    icon = QIcon(pixmap)
    # Qt greys an icon whose button is down or disabled in some styles: the picture stays as it is.
    for mode in (QIcon.Mode.Active, QIcon.Mode.Selected, QIcon.Mode.Disabled):
        icon.addPixmap(pixmap, mode)
    return icon


def _empty_picture() -> QIcon:
    pixmap = QPixmap(PICTURE, PICTURE)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)
