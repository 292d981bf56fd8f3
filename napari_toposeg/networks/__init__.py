"""Networks: tensors in, tensors out."""

from napari_toposeg.networks.tpsn import TPSN, TPSNSettings
from napari_toposeg.networks.unet import UNet, UNetSettings

__all__ = ["TPSN", "TPSNSettings", "UNet", "UNetSettings"]
