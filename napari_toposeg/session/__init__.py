"""The interactive state, without Qt: what a window, a notebook and a test share."""

from napari_toposeg.session.session import Session, SessionEvents

__all__ = ["Session", "SessionEvents"]
