"""A pixel-wise network: its logits on an image's voxels, and the mask of them, with its topology made right."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.frame import Box, Frame, clip_box, resample
from napari_toposeg.inference.brightness import heeding_brightness
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.segmentation import PixelwiseSegmentation
from napari_toposeg.inference.settings import Certify, Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.trained import TrainedNetwork
from napari_toposeg.inference.window import shown_image, span_of, window_frame
from napari_toposeg.priors import Placement, Prior, template_mask
from napari_toposeg.steps import Step, Steps, announced
from napari_toposeg.topology import Certificate, certify, correct, snap
from napari_toposeg.volume import Volume, check_finite


def seen_box(window: Frame, frame: Frame) -> Box:
    """The voxels of an image's grid whose centres lie in a window; the axes of the two are the same."""
    reach = [(int(np.ceil(low - 1e-6)), int(np.floor(high + 1e-6)) + 1) for low, high in span_of(window, frame, 0.5)]
    return clip_box(tuple(reach), frame.shape)


def check_pixelwise(trained: TrainedNetwork, objects: int) -> None:
    """Refuse a network that does not answer with the logits of so many objects."""
    if trained.deforms:
        raise ToposegError(
            f"The network {trained.facts()['name']!r} answers with deformations, not with logits.",
            todo="Give the weights of a pixel-wise network, unet or wunet.",
        )
    outputs = getattr(getattr(trained.network, "settings", None), "outputs", objects)
    if outputs != objects:
        raise ToposegError(
            f"The network answers for {outputs} object(s), and {objects} prior(s) are given.",
            todo="Give one prior for each of its objects.",
        )


def pixelwise_logits(
    volume: Volume, site: Site, trained: TrainedNetwork, device: str | torch.device = "auto"
) -> tuple[NDArray[np.float32], Frame]:
    """What a pixel-wise network says of an image.

    Parameters
    ----------
    volume : Volume
        The image.
    site : Site
        Its `within` box says where the organ is; the rest of it does not matter.
    trained : TrainedNetwork
        A network that answers with logits.
    device : str or torch.device
        Where to compute.

    Returns
    -------
    logits : (q, *window) float32
        One channel by object, on the window's grid. They heed the image's brightness as `trained` says.
    frame : Frame
        Where that grid lies.

    Raises
    ------
    ToposegError
        If the window wants a box and the site has none, the dimensions differ, what is seen is not finite or of one
        single intensity, or the network answers with values that are not finite.
    """
    frame = window_frame(trained.window, volume.frame, site.within)
    check_finite(volume, seen_box(frame, volume.frame))
    where = choose_device(device, ndim=volume.ndim) if isinstance(device, str) else device
    shown = shown_image(volume, frame)
    logits = trained.logits(shown, where)[0].float().cpu().numpy()
    if trained.brightness:
        seen = shown[0, 0].numpy()
        logits = np.stack([heeding_brightness(channel, seen, trained.brightness) for channel in logits])
    return logits, frame


def logits_on_voxels(logits: NDArray[np.float32], frame: Frame, volume: Volume) -> tuple[NDArray[np.float32], Box]:
    """Logits (q, *window) on the image's own voxels (q, *box), and the box of those that the window holds."""
    box = seen_box(frame, volume.frame)
    grid = volume.frame.crop(box)
    return np.stack([resample(channel, frame, grid) for channel in logits]), box


def segment_by_logits(
    volume: Volume, prior: Prior, site: Site, trained: TrainedNetwork, settings: Settings | None = None
) -> Steps[PixelwiseSegmentation]:
    """Segment one volume by a pixel-wise network, and make the mask's topology the prior's.

    Parameters
    ----------
    volume : Volume
        The image.
    prior : Prior
        What topology the mask should have.
    site : Site
        Its `within` box says where the organ is. Its placement is where the template stands if all else fails.
    trained : TrainedNetwork
        Of one object.
    settings : Settings, optional
        `device` and `certify` matter. "strict": the mask of the positive logits is corrected by as few voxels as can be
        found.

    Yields
    ------
    Step[PixelwiseSegmentation]
        Stages prepare, predict and certify; the last carries the result.

    Raises
    ------
    ToposegError
        As `pixelwise_logits`; if the network is of another kind, or nothing with the prior's topology fits the image.

    Warns
    -----
    ToposegWarning
        Where the mask could not be corrected, and is the template moved towards the logits instead.
    """
    settings = settings or Settings()
    watch = Stopwatch()
    check_pixelwise(trained, 1)
    device = choose_device(settings.device, ndim=volume.ndim)
    watch.lap("prepare")
    yield from announced(Step("prepare", 1, 3))
    logits, frame = pixelwise_logits(volume, site, trained, device)
    (values,), box = logits_on_voxels(logits, frame, volume)
    watch.lap("predict")
    yield from announced(Step("predict", 2, 3))
    template = site.template_for(prior)
    mask, certificate, start = certified_logits(volume, template, site.placement, values, box, settings.certify)
    watch.lap("certify")
    result = PixelwiseSegmentation(
        volume=volume,
        prior=prior,
        box=box,
        mask=mask,
        certificate=certificate,
        settings=settings,
        device=str(device),
        seconds=watch.total(),
        networks=(trained.facts(),),
        start=start,
    )
    yield Step("certify", 3, 3, result=result)


def certified_logits(
    volume: Volume, prior: Prior, placement: Placement, values: NDArray[np.float32], box: Box, how: Certify
) -> tuple[NDArray[np.bool_], Certificate, str]:
    """The mask of positive logits, with its topology made right where that is asked for.

    Parameters
    ----------
    volume, prior
        The image, and whose topology the mask should have.
    placement : Placement
        Where the template stands if all else fails.
    values : (*box) float32
        Logits on the image's voxels.
    box : Box
        Which voxels these are.
    how : {"strict", "report", "off"}
        As in `Settings`.

    Returns
    -------
    mask : (*box) bool
    certificate : Certificate
    start : str
        What the mask was made from, in words.
    """
    plain = values > 0
    mask, start = plain, "the logits as they are"
    if how == "strict" and not certify(plain, prior.betti).topology_ok:
        mask, start = _corrected(volume, prior, placement, values, box)
    certificate = certify(
        mask,
        prior.betti,
        folding_voxels=None,
        least_jacobian=None,
        repaired_voxels=int((mask != plain).sum()),
    )
    if how == "strict" and not certificate.topology_ok:
        raise RuntimeError(f"The correction did not give the topology: {certificate.sentence}")
    return mask, certificate, start


def _corrected(
    volume: Volume, prior: Prior, placement: Placement, values: NDArray[np.float32], box: Box
) -> tuple[NDArray[np.bool_], str]:
    spacing = tuple(float(step) for step in volume.spacing)
    found = correct(values > 0, prior.betti, spacing=spacing)
    if found is not None:
        return found.mask, f"corrected: {found.start}"
    warnings.warn(
        f"The network's mask could not be brought to the topology of the prior {prior.name!r}: "
        "the template is moved towards its logits instead.",
        ToposegWarning,
        stacklevel=2,
    )
    template = template_mask(prior, placement, volume.frame.crop(box))
    return snap(template, values), "the template as it was placed"
