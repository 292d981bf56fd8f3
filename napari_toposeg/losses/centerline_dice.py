"""The usual loss for tubes, from MONAI."""

from __future__ import annotations

import inspect
from importlib import import_module

import torch
from torch import Tensor, nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses.batches import check_pair

# Next to nothing: MONAI's default of 1e-4 leaves a loss of 5e-5 between a mask and itself.
_TINY = 1e-8


class CenterlineDiceLoss(nn.Module):
    """One less the soft clDice: how much of each one's centre line lies in the other.

    Parameters
    ----------
    iterations : int
        Erosions that make the soft skeleton: at least the radius in voxels of the thickest tube, which has no skeleton
        with fewer and cannot be missed then. Each one keeps, in 3-D, as much memory as 32 maps until the backward
        pass: 128 x 128 x 64 voxels at three iterations keep half a gigabyte.

    Raises
    ------
    ToposegError
        If MONAI is not installed, or too old.

    Notes
    -----
    Shit et al., "clDice - a Novel Topology-Preserving Loss Function for Tubular Structure Segmentation", CVPR 2021, as
    `monai.losses.SoftclDiceLoss` has it, but for each class on its own: MONAI adds the classes' skeletons, and a long
    tube hides a short one. With S_p and S_g the soft skeletons of prediction and reference::

        precision = (|S_p G| + 1) / (|S_p| + 1)        sensitivity = (|S_g P| + 1) / (|S_g| + 1)
        L = 1 - 2 precision sensitivity / (precision + sensitivity)

    MONAI before 1.6 takes its two arguments in the other order and always drops the first channel, so that maps of one
    class cost nothing, whatever they are. It is refused.

    The soft skeleton is an approximation, and need not be connected (jocpae/clDice, issue 7); the loss does not count
    components or loops. It is here to compare with.
    """

    def __init__(self, iterations: int = 3) -> None:
        super().__init__()
        # Importing MONAI takes about 5 s: only those who use it wait.
        try:
            soft_cldice = import_module("monai.losses").SoftclDiceLoss
        except ImportError as error:
            raise ToposegError(
                "The centre line Dice loss needs MONAI, which is not installed.", todo="Install monai 1.6 or newer."
            ) from error
        if "include_background" not in inspect.signature(soft_cldice).parameters:
            raise ToposegError(
                "This MONAI is too old for the centre line Dice loss.",
                why="Before 1.6 its clDice is 0 for maps of one class.",
                todo="Install monai 1.6 or newer.",
            )
        self._loss = soft_cldice(iter_=iterations, smooth=_TINY)

    def forward(self, p: Tensor, reference: Tensor) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        p : (N, C, *spatial) tensor
            Probabilities in [0, 1], one channel by class, the background's left out; 2-D or 3-D.
        reference : (N, C, *spatial) tensor
            Masks or probabilities, one channel by class.

        Returns
        -------
        () tensor
            From 0 (each one's centre line lies in the other) to nearly 1. Mean over batch and classes.

        Raises
        ------
        ToposegError
            If the shapes differ, or the maps are not 2-D or 3-D.
        """
        check_pair(p, reference)
        # Sums over a volume overflow half precision.
        exact = p.to(torch.promote_types(p.dtype, torch.float32))
        loss: Tensor = self._loss(_one_class(exact), _one_class(reference.to(exact.dtype)))
        return loss


def _one_class(maps: Tensor) -> Tensor:
    """(N * C, 1, *spatial) view: every class a sample of its own."""
    return maps.flatten(0, 1).unsqueeze(1)
