"""One volume: segment it, certify any mask of it."""

from napari_toposeg.inference.certification import CertifiedMask, certify_mask
from napari_toposeg.inference.devices import available_devices, choose_device
from napari_toposeg.inference.refine import refine, refine_network
from napari_toposeg.inference.refine_settings import RefineSettings
from napari_toposeg.inference.refine_target import check_target, parse_betti, target_words
from napari_toposeg.inference.refined import Refined
from napari_toposeg.inference.saving import save
from napari_toposeg.inference.segment import segment
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site, site_in_box, site_in_image, site_on_mask
from napari_toposeg.inference.warm_up import warm_up

__all__ = [
    "CertifiedMask",
    "RefineSettings",
    "Refined",
    "Segmentation",
    "Settings",
    "Site",
    "available_devices",
    "certify_mask",
    "check_target",
    "choose_device",
    "parse_betti",
    "refine",
    "refine_network",
    "save",
    "segment",
    "site_in_box",
    "site_in_image",
    "site_on_mask",
    "target_words",
    "warm_up",
]
