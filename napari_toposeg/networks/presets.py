"""The papers' own networks, and how they were trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from napari_toposeg.errors import ToposegError
from napari_toposeg.networks.mltpsn import MLTPSNSettings
from napari_toposeg.networks.settings import NetworkSettings
from napari_toposeg.networks.tedsnet import TEDSNetSettings
from napari_toposeg.networks.tpsn import MultiTPSNSettings, TPSNSettings
from napari_toposeg.networks.voxelmorph import VoxelMorphSettings


@dataclass(frozen=True)
class Preset:
    """A network as a paper has it, and what the paper says of its training.

    Attributes
    ----------
    network : str
        Its name in the registry.
    settings : NetworkSettings
        Its size and parts.
    optimizer : {"adam", "rmsprop"}
    learning_rate : float
    batch_size, epochs : int
    jacobian_weight, laplacian_weight, gradient_weight : float
        Of the paper's own terms against a Dice loss of weight 1: the first two multiply sums over voxels; the third a
        mean, of squared differences of identity and displacement on a grid that runs from -1 to 1, halved. They are no
        weights for the terms in `losses`, which are means in voxels. None where the paper does not say.
    source : str
        Where it is said.
    """

    network: str
    settings: NetworkSettings
    optimizer: Literal["adam", "rmsprop"]
    learning_rate: float
    batch_size: int
    epochs: int
    jacobian_weight: float
    laplacian_weight: float
    gradient_weight: float | None
    source: str


def preset(name: str, ndim: int) -> Preset:
    """A published network by its name.

    Parameters
    ----------
    name : str
        One of `PRESET_NAMES`. Those of TEDS-Net that end in a1 to a6 are the ablations of its paper's Tab. 1: a1 has no
        smoothing, gradient term and super-upsampling; a2 no smoothing; a3 no gradient term; a4 no super-upsampling; a5
        the bulk branch alone; a6 the fine-tuning branch alone.
    ndim : int
        2 or 3. TEDS-Net was published in 2-D.

    Returns
    -------
    Preset

    Raises
    ------
    ToposegError
        If there is none of that name, or no network of so many axes.

    Notes
    -----
    They are here to compare with; where they do not work as published, the defaults of the settings differ and say so.
    RMSprop at 1e-5 (TPSN) reached Dice .726 on synthetic disks in 150 iterations where Adam at 1e-3 reached .927. The
    size of TPSN's U-Net is not said anywhere; it is ours. TEDS-Net's fields fold in up to 39 % of their cells when
    random, and its masks are dilated by the max-pool: see `TEDSNet`.
    """
    if name not in _PRESETS:
        raise ToposegError(f"There is no preset {name!r}.", todo=f"Choose one of {', '.join(PRESET_NAMES)}.")
    return _PRESETS[name](ndim)


def _tpsn(ndim: int) -> Preset:
    return _zhang_and_lui("tpsn", TPSNSettings(ndim, answer="displacement", halvings=0, border=0.0))


def _mltpsn(ndim: int) -> Preset:
    return _zhang_and_lui("mltpsn", MLTPSNSettings(ndim, answer="displacement", halvings=0, border=0.0))


def _multi_tpsn(ndim: int) -> Preset:
    # The eight organs of Tab. IV.
    settings = MultiTPSNSettings(ndim, objects=8, answer="displacement", halvings=0, border=0.0)
    return _zhang_and_lui("multi-tpsn", settings)


def _zhang_and_lui(network: str, settings: NetworkSettings) -> Preset:
    source = "Zhang and Lui, Topology-Preserving Segmentation Network, Sec. IV-A"
    # 16 on ACDC, the paper's only images in 2-D with labels; 8 on volumes.
    batch_size = 16 if settings.ndim == 2 else 8
    return Preset(network, settings, "rmsprop", 1e-5, batch_size, 300, 1.0, 0.01, 0.0, source)


def _tedsnet(ndim: int) -> Preset:
    settings = TEDSNetSettings(
        ndim,
        features=12,
        resolutions=4,
        bound=0.5,
        compositions=8,
        rescale=False,
        gaussian_sigma=2.0,
        super_upsampling=True,
        warp_once=False,
        max_pool=True,
        sees_template=False,
        dropout=0.2,
        border=0.0,
    )
    source = "Wyburd et al., TEDS-Net, Sec. 2 and its public code"
    return Preset("tedsnet", settings, "adam", 1e-4, 5, 200, 0.0, 0.0, 1e4, source)


def _ablated(change: Callable[[TEDSNetSettings], TEDSNetSettings], *, gradient: bool = True) -> Callable[[int], Preset]:
    def make(ndim: int) -> Preset:
        whole = _tedsnet(ndim)
        assert isinstance(whole.settings, TEDSNetSettings)
        weight = whole.gradient_weight if gradient else 0.0
        return replace(whole, settings=change(whole.settings), gradient_weight=weight)

    return make


def _voxelmorph(ndim: int) -> Preset:
    source = "Wyburd et al., TEDS-Net, Sec. 2.1"
    return Preset("voxelmorph", VoxelMorphSettings(ndim, border=0.0), "adam", 1e-4, 5, 200, 0.0, 0.0, None, source)


_PRESETS: dict[str, Callable[[int], Preset]] = {
    "tpsn-published": _tpsn,
    "mltpsn-published": _mltpsn,
    "multi-tpsn-published": _multi_tpsn,
    "tedsnet-published": _tedsnet,
    "tedsnet-a1": _ablated(
        lambda settings: replace(settings, gaussian_sigma=0.0, super_upsampling=False, max_pool=False), gradient=False
    ),
    "tedsnet-a2": _ablated(lambda settings: replace(settings, gaussian_sigma=0.0)),
    "tedsnet-a3": _ablated(lambda settings: settings, gradient=False),
    "tedsnet-a4": _ablated(lambda settings: replace(settings, super_upsampling=False, max_pool=False)),
    "tedsnet-a5": _ablated(lambda settings: replace(settings, fine_tuning=False)),
    "tedsnet-a6": _ablated(lambda settings: replace(settings, bulk=False)),
    "voxelmorph-published": _voxelmorph,
}

PRESET_NAMES = tuple(_PRESETS)
"""Names that `preset` knows."""
