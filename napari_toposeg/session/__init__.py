"""The interactive state, without Qt: what a window, a notebook and a test share."""

from napari_toposeg.session.autosave import Autosave, LeftOver, discard, left_over
from napari_toposeg.session.events import SessionEvents
from napari_toposeg.session.networks import NetworkChoice
from napari_toposeg.session.saving import ImageNotFoundError, SavedSession, read_session
from napari_toposeg.session.session import Session
from napari_toposeg.session.session_object import SessionObject

__all__ = [
    "Autosave",
    "ImageNotFoundError",
    "LeftOver",
    "NetworkChoice",
    "SavedSession",
    "Session",
    "SessionEvents",
    "SessionObject",
    "discard",
    "left_over",
    "read_session",
]
