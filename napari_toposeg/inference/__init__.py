"""One volume: segment it, certify any mask of it."""

from napari_toposeg.inference.certification import CertifiedMask, certify_mask
from napari_toposeg.inference.continuation import continue_segmentation
from napari_toposeg.inference.devices import available_devices, choose_device
from napari_toposeg.inference.method import Method, default_method
from napari_toposeg.inference.multiple import MultiSegmentation, segment_objects
from napari_toposeg.inference.objects import Resolved, resolve_overlaps
from napari_toposeg.inference.pixelwise import logits_on_voxels, pixelwise_logits, segment_by_logits
from napari_toposeg.inference.prediction import segment_by_network
from napari_toposeg.inference.prompts import Prompt, PromptOutcome, Prompts
from napari_toposeg.inference.refine import refine, refine_network
from napari_toposeg.inference.refine_settings import RefineSettings
from napari_toposeg.inference.refine_target import check_target, parse_betti, target_words
from napari_toposeg.inference.refined import Refined
from napari_toposeg.inference.result_field import ResultField, TemplateLevel, WorstCell
from napari_toposeg.inference.saving import save
from napari_toposeg.inference.segment import segment
from napari_toposeg.inference.segmentation import Outcome, PixelwiseSegmentation, Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import (
    Site,
    site_along_stroke,
    site_at_points,
    site_in_box,
    site_in_image,
    site_moved,
    site_on_mask,
)
from napari_toposeg.inference.together import ObjectTask, part_objects, region_of, segment_together
from napari_toposeg.inference.trained import TrainedNetwork, trained_network
from napari_toposeg.inference.tuning import tune_map, tune_network, tune_velocity
from napari_toposeg.inference.tuning_settings import TuningLoss, TuningMoves, TuningSettings
from napari_toposeg.inference.warm_up import warm_up
from napari_toposeg.inference.window import Window

__all__ = [
    "CertifiedMask",
    "Method",
    "MultiSegmentation",
    "ObjectTask",
    "Outcome",
    "PixelwiseSegmentation",
    "Prompt",
    "PromptOutcome",
    "Prompts",
    "RefineSettings",
    "Refined",
    "Resolved",
    "ResultField",
    "Segmentation",
    "Settings",
    "Site",
    "TemplateLevel",
    "TrainedNetwork",
    "TuningLoss",
    "TuningMoves",
    "TuningSettings",
    "Window",
    "WorstCell",
    "available_devices",
    "certify_mask",
    "check_target",
    "choose_device",
    "continue_segmentation",
    "default_method",
    "logits_on_voxels",
    "parse_betti",
    "part_objects",
    "pixelwise_logits",
    "refine",
    "refine_network",
    "region_of",
    "resolve_overlaps",
    "save",
    "segment",
    "segment_by_logits",
    "segment_by_network",
    "segment_objects",
    "segment_together",
    "site_along_stroke",
    "site_at_points",
    "site_in_box",
    "site_in_image",
    "site_moved",
    "site_on_mask",
    "target_words",
    "trained_network",
    "tune_map",
    "tune_network",
    "tune_velocity",
    "warm_up",
]
