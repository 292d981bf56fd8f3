"""The certificate as a line that is always in sight, and beside it what has to be said."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_toposeg.docks import colours
from napari_toposeg.docks.canvas_guard import guard_canvases
from napari_toposeg.docks.session_keeping import RecoveryRow, SessionButton
from napari_toposeg.docks.workspace import Workspace
from napari_toposeg.session import Session, SessionObject
from napari_toposeg.topology import betti_words

NAME = "Certificate"

_RUNNING = (
    "The template is being deformed. The certificate comes with the result.",
    "The templates are being deformed, one after the other. The certificates come with the result.",
)

_BADGE = "QLabel {{ background: {}; color: white; border-radius: 9px; padding: 1px 9px; font-weight: bold; }}"
_MESSAGE = "QLabel {{ color: {}; font-weight: bold; }}"


def show_certificate_line(workspace: Workspace) -> None:
    """Put the line under the canvas where it is not there already."""
    window = workspace.viewer.window
    if NAME not in window.dock_widgets:
        dock = window.add_dock_widget(
            CertificateLine(workspace), name=NAME, area="bottom", allowed_areas=["bottom"], add_vertical_stretch=False
        )
        # No bar with buttons: a line that can be closed by accident is not always in sight.
        dock.setTitleBarWidget(QWidget())
        guard_canvases(dock.window())


class CertificateLine(QWidget):
    """A badge, a sentence, and below them the newest message, if there is one."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._session = workspace.session
        self.badge = QLabel()
        self.badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence = QLabel()
        self.message = QLabel()
        for label in (self.sentence, self.message):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.badge.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        line = QHBoxLayout()
        line.addWidget(self.badge)
        line.addWidget(self.sentence, 1)
        self.session_button = SessionButton(workspace)
        line.addWidget(self.session_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(10, 4, 10, 6)
        rows.setSpacing(2)
        rows.addLayout(line)
        rows.addWidget(self.message)
        self.recovery = RecoveryRow(workspace)
        rows.addWidget(self.recovery)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        signals = workspace.signals
        for signal in (
            signals.volume,
            signals.prior,
            signals.placement,
            signals.running,
            signals.result,
            signals.edited,
            signals.objects,
        ):
            signal.connect(self._show)
        for signal in (signals.prior, signals.placement, signals.result):
            signal.connect(self._forget_message)
        signals.running.connect(self._forget_message_of_the_last_run)
        signals.failed.connect(self._show_error)
        signals.said.connect(self._show_message)
        self._forget_message()
        self._show()

    def _show(self, _: object = None) -> None:
        colour, word, sentence = state_of(self._session)
        self.badge.setText(word)
        self.badge.setStyleSheet(_BADGE.format(colour))
        self.sentence.setText(sentence)

    def _show_error(self, sentence: str) -> None:
        self._say(sentence, colours.BAD)

    def _show_message(self, sentence: str) -> None:
        self._say(sentence, colours.ACCENT)

    def _say(self, sentence: str, colour: str) -> None:
        self.message.setText(sentence)
        self.message.setStyleSheet(_MESSAGE.format(colour))
        self.message.show()

    def _forget_message_of_the_last_run(self, running: bool) -> None:
        if running:
            self._forget_message()

    def _forget_message(self, _: object = None) -> None:
        self.message.clear()
        self.message.hide()


def state_of(session: Session) -> tuple[str, str, str]:
    """Colour, word and sentence that say how far a session is, and what its mask's certificate says."""
    if session.several and not session.running and any(one.result is not None for one in session.objects):
        return _state_of_several(session.objects)
    result = session.result
    if session.running:
        return colours.ACCENT, "Running", _RUNNING[session.several]
    if result is not None:
        certificate = session.certificate
        if certificate is None:
            return colours.DOUBTFUL, "Edited", "The mask was edited without the lock: its topology is being counted."
        sentence = f"{certificate.sentence} Corrected by hand." if session.edited else certificate.sentence
        if certificate.topology_ok:
            return colours.GOOD, "✓ Certified", sentence
        return colours.DOUBTFUL, "! Not as the prior", sentence
    if session.volume is None:
        return colours.NEUTRAL, "No certificate", "Open an image to begin."
    if session.prior is None:
        return colours.NEUTRAL, "No certificate", "Choose the shape that the organ has."
    if session.placement is None:
        return colours.NEUTRAL, "No certificate", "Draw a box over the organ, or place the template in another way."
    return colours.NEUTRAL, "No certificate", "Press Run: nothing has been segmented yet."


def _state_of_several(objects: Sequence[SessionObject]) -> tuple[str, str, str]:
    """The same for several objects of which at least one was run: what each one's topology is."""
    told = []
    for one in objects:
        certificate = one.certificate
        if certificate is None:
            told.append(f"{one.name}: {'not run yet' if one.result is None else 'being counted'}")
        else:
            off = "" if certificate.topology_ok else f" where the prior has {betti_words(certificate.betti_prior)}"
            told.append(f"{one.name}: {betti_words(certificate.betti_mask)}{off}")
    sentence = f"{'; '.join(told)}."
    certificates = [one.certificate for one in objects]
    if any(certificate is not None and not certificate.topology_ok for certificate in certificates):
        return colours.DOUBTFUL, "! Not as the prior", sentence
    if None in certificates:
        return colours.NEUTRAL, "Not all certified", sentence
    return colours.GOOD, "✓ Certified", sentence
