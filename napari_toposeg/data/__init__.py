"""Images and masks with known answers, and images made harder on purpose."""

from napari_toposeg.data.broken_masks import BETTI, Broken, broken_mask
from napari_toposeg.data.phantom import Phantom, phantom
from napari_toposeg.data.undersampling import remove_lines, sampled_lines

__all__ = ["BETTI", "Broken", "Phantom", "broken_mask", "phantom", "remove_lines", "sampled_lines"]
