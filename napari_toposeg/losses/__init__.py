"""What is minimised."""

from napari_toposeg.losses.betti_matching import BettiMatchingLoss
from napari_toposeg.losses.centerline_dice import CenterlineDiceLoss
from napari_toposeg.losses.chan_vese import chan_vese
from napari_toposeg.losses.dense_gradient import spread_gradient
from napari_toposeg.losses.dice import soft_dice_loss
from napari_toposeg.losses.persistence import BettiRange, BettiTarget, PersistenceLoss
from napari_toposeg.losses.projected_pooling import ProjectedPoolingLoss
from napari_toposeg.losses.regularization import gradient_magnitude, laplacian_magnitude, relu_jacobian

__all__ = [
    "BettiMatchingLoss",
    "BettiRange",
    "BettiTarget",
    "CenterlineDiceLoss",
    "PersistenceLoss",
    "ProjectedPoolingLoss",
    "chan_vese",
    "gradient_magnitude",
    "laplacian_magnitude",
    "relu_jacobian",
    "soft_dice_loss",
    "spread_gradient",
]
