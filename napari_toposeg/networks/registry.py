"""Every network by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.networks.mltpsn import MLTPSN, MLTPSNSettings
from napari_toposeg.networks.settings import NetworkSettings, settings_of_kind
from napari_toposeg.networks.tedsnet import TEDSNet, TEDSNetSettings
from napari_toposeg.networks.tetris import TeTrIS, TeTrISSettings
from napari_toposeg.networks.tpsn import TPSN, MultiTPSNSettings, TPSNSettings
from napari_toposeg.networks.unet import UNet, UNetSettings, WUNet, WUNetSettings
from napari_toposeg.networks.voxelmorph import VoxelMorph, VoxelMorphSettings


@dataclass(frozen=True)
class _System:
    settings: type[NetworkSettings]
    network: Callable[[Any], nn.Module]


_SYSTEMS = {
    "unet": _System(UNetSettings, UNet),
    "wunet": _System(WUNetSettings, WUNet),
    "tpsn": _System(TPSNSettings, TPSN),
    "mltpsn": _System(MLTPSNSettings, MLTPSN),
    "multi-tpsn": _System(MultiTPSNSettings, TPSN),
    "tedsnet": _System(TEDSNetSettings, TEDSNet),
    "voxelmorph": _System(VoxelMorphSettings, VoxelMorph),
    "tetris": _System(TeTrISSettings, TeTrIS),
}

NETWORK_NAMES = tuple(_SYSTEMS)
"""Names that `build` knows."""


def build(name: str, settings: NetworkSettings) -> nn.Module:
    """Make a network with random weights; torch's seed decides them.

    Parameters
    ----------
    name : str
        One of `NETWORK_NAMES`.
    settings : NetworkSettings
        Those of that network.

    Returns
    -------
    Module
        A `DeformationNetwork`, called with image and template; but ``unet`` and ``wunet`` are called with an image and
        answer with logits.

    Raises
    ------
    ToposegError
        If there is no network of that name.
    TypeError
        If the settings are another network's.
    """
    system = _system(name)
    if not isinstance(settings, system.settings):
        raise TypeError(f"{name} is built from {system.settings.__name__}, not from {type(settings).__name__}")
    return system.network(settings)


def settings_from_dict(name: str, values: Mapping[str, Any]) -> NetworkSettings:
    """Settings of a network from plain values; the way back from `settings_to_dict`.

    Parameters
    ----------
    name : str
        One of `NETWORK_NAMES`.
    values : mapping
        Plain values by attribute. What has a default may be left out.

    Returns
    -------
    NetworkSettings
        Of that network.

    Raises
    ------
    ToposegError
        If there is no network of that name, a key is unknown, one without a default is missing, or a value is of the
        wrong type or out of range.
    """
    return settings_of_kind(_system(name).settings, values)


def _system(name: str) -> _System:
    if name not in _SYSTEMS:
        raise ToposegError(f"There is no network {name!r}.", todo=f"Choose one of {', '.join(NETWORK_NAMES)}.")
    return _SYSTEMS[name]
