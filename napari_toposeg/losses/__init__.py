"""What is minimised."""

from napari_toposeg.losses.chan_vese import chan_vese
from napari_toposeg.losses.regularization import gradient_magnitude, laplacian_magnitude, relu_jacobian

__all__ = ["chan_vese", "gradient_magnitude", "laplacian_magnitude", "relu_jacobian"]
