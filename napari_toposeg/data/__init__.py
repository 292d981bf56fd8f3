"""Images and masks with known answers."""

from napari_toposeg.data.broken_masks import BETTI, Broken, broken_mask
from napari_toposeg.data.phantom import Phantom, phantom

__all__ = ["BETTI", "Broken", "Phantom", "broken_mask", "phantom"]
