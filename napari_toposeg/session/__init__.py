"""The interactive state, without Qt: what a window, a notebook and a test share."""

from napari_toposeg.session.events import SessionEvents
from napari_toposeg.session.networks import NetworkChoice
from napari_toposeg.session.session import Session

__all__ = ["NetworkChoice", "Session", "SessionEvents"]
