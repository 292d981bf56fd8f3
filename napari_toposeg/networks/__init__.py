"""Networks: tensors in, tensors out."""

from napari_toposeg.networks.deformed import DeformationNetwork, Deformed
from napari_toposeg.networks.mltpsn import MLTPSN, MLTPSNSettings
from napari_toposeg.networks.presets import PRESET_NAMES, Preset, preset
from napari_toposeg.networks.registry import NETWORK_NAMES, build, settings_from_dict
from napari_toposeg.networks.settings import NetworkSettings, settings_to_dict
from napari_toposeg.networks.tedsnet import TEDSNet, TEDSNetSettings
from napari_toposeg.networks.tetris import TeTrIS, TeTrISSettings
from napari_toposeg.networks.tpsn import TPSN, MultiTPSNSettings, TPSNSettings
from napari_toposeg.networks.unet import UNet, UNetSettings, WUNet, WUNetSettings
from napari_toposeg.networks.voxelmorph import VoxelMorph, VoxelMorphSettings

__all__ = [
    "MLTPSN",
    "NETWORK_NAMES",
    "PRESET_NAMES",
    "TPSN",
    "DeformationNetwork",
    "Deformed",
    "MLTPSNSettings",
    "MultiTPSNSettings",
    "NetworkSettings",
    "Preset",
    "TEDSNet",
    "TEDSNetSettings",
    "TPSNSettings",
    "TeTrIS",
    "TeTrISSettings",
    "UNet",
    "UNetSettings",
    "VoxelMorph",
    "VoxelMorphSettings",
    "WUNet",
    "WUNetSettings",
    "build",
    "preset",
    "settings_from_dict",
    "settings_to_dict",
]
