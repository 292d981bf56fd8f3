"""What a labeller can choose about the network that learns from the accepted masks."""

from __future__ import annotations

from dataclasses import dataclass

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.window import Window

NETWORKS = ("mltpsn", "unet")
"""One that deforms the prior; and a pixel-wise one, whose map is corrected by few voxels."""

_SIDE = {2: 96, 3: 48}
_VALIDATED_FROM = 3
"""Of fewer accepted masks none is kept back: what is left could not be learnt from."""


@dataclass(frozen=True)
class LabellingSettings:
    """How the network learns.

    Attributes
    ----------
    network : {"mltpsn", "unet"}
        "mltpsn" deforms the prior. "unet" answers voxel by voxel, and learns the prior's topology from the images
        without a label, too (Clough et al.). From three hippocampi and 40 epochs the first came to a Dice of .63 to .84
        on eight others, the second to .57 to .71.
    side : int
        Voxels along each side of the grid on which the network sees a whole image; 0: 48, and 96 in 2-D.
    features, resolutions : int
        Of the network: channels on its finest grid, and how many grids there are, each half as fine as the one before.
    epochs : int
        How often each accepted mask is seen, at most.
    batch : int
        Images in a batch.
    unlabelled : bool
        Whether the images without an accepted mask are learnt from as well (`mode: semi-supervised`).
    validation : float
        Share of the accepted masks that is kept back, to choose the best epoch by and to measure Dice on; none of fewer
        than three. Who was kept back once is so in every later round.
    labels : tuple of int
        Which values of the given labels are the organ. Empty: all but 0.
    seed : int
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises
    ------
    ToposegError
        If a value is out of range.
    """

    network: str = "mltpsn"
    side: int = 0
    features: int = 8
    resolutions: int = 3
    epochs: int = 60
    batch: int = 2
    unlabelled: bool = True
    validation: float = 0.2
    labels: tuple[int, ...] = ()
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        wrong = ""
        if self.network not in NETWORKS:
            wrong = f"there is no network {self.network!r} to choose; there are {', '.join(NETWORKS)}"
        elif self.side and self.side < 8:
            wrong = f"a side of {self.side} voxels is less than 8"
        elif min(self.features, self.resolutions, self.epochs, self.batch) < 1:
            wrong = "features, resolutions, epochs and batch have to be at least 1"
        elif not 0.0 <= self.validation < 1.0:
            wrong = f"validation is {self.validation:g}, not a share from 0 to below 1"
        elif any(value < 1 for value in self.labels):
            wrong = f"the labels of the organ are {list(self.labels)}, not whole numbers from 1"
        if wrong:
            raise ToposegError("The labelling cannot be done like this.", why=f"{wrong[0].upper()}{wrong[1:]}.")

    def window(self, ndim: int) -> Window:
        """How the network sees an image: all of it, since nobody has said yet where the organ is."""
        return Window((self.side or _SIDE[ndim],) * ndim, "image")

    def kept_back(self, accepted: int) -> int:
        """How many of so many accepted masks are kept back."""
        if not self.validation or accepted < _VALIDATED_FROM:
            return 0
        return min(max(1, round(self.validation * accepted)), accepted - 1)
