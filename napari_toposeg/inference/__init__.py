"""One volume: segment it, certify any mask of it."""

from napari_toposeg.inference.certification import CertifiedMask, certify_mask
from napari_toposeg.inference.devices import available_devices, choose_device
from napari_toposeg.inference.grids import default_margin, field_box
from napari_toposeg.inference.segment import segment
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.warm_up import warm_up

__all__ = [
    "CertifiedMask",
    "Segmentation",
    "Settings",
    "available_devices",
    "certify_mask",
    "choose_device",
    "default_margin",
    "field_box",
    "segment",
    "warm_up",
]
