"""Images with known answers."""

from napari_toposeg.data.phantom import Phantom, phantom

__all__ = ["Phantom", "phantom"]
