"""One volume: segment it, certify any mask of it."""

from napari_toposeg.inference.certification import CertifiedMask, certify_mask
from napari_toposeg.inference.devices import available_devices, choose_device
from napari_toposeg.inference.saving import save
from napari_toposeg.inference.segment import segment
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site, site_in_box, site_in_image, site_on_mask
from napari_toposeg.inference.warm_up import warm_up

__all__ = [
    "CertifiedMask",
    "Segmentation",
    "Settings",
    "Site",
    "available_devices",
    "certify_mask",
    "choose_device",
    "save",
    "segment",
    "site_in_box",
    "site_in_image",
    "site_on_mask",
    "warm_up",
]
