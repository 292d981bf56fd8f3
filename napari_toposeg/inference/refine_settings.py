"""What a person can choose about the refinement of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_toposeg.errors import ToposegError

RefineObjective = Literal["ph", "ph-dense"]


@dataclass(frozen=True)
class RefineSettings:
    """How a map is brought to its topology.

    Attributes
    ----------
    objective : {"ph", "ph-dense"}
        "ph": the persistence loss as published, whose gradient lives on the critical voxels. "ph-dense": the same loss,
        its gradient spread over their neighbourhood.
    iterations : int
        At most so many.
    keep : float
        Weight of the mean squared change of the map against the persistence loss: 1 / lambda of Eq. 5.
    learning_rate : float
        Of Adam, in logits.
    network_learning_rate : float
        Of Adam, for a network's weights.
    spread : float
        Standard deviation, in voxels, of the Gaussian that spreads the gradient with "ph-dense".
    connectivity : int or None
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. None: 8, 26.
    band : float
        Bars are taken of the map clipped to [band, 1 - band], which costs less time. Where a wanted feature has no bar
        there, a tenth of it is taken.
    stay : int
        For so many further iterations the topology has to stay right.
    patience : int
        The loss has stalled where it has not fallen by a thousandth within so many iterations.
    correct : bool
        Whether a loss that stalls or runs out of iterations is followed by homotopic correction.
    """

    objective: RefineObjective = "ph-dense"
    iterations: int = 200
    keep: float = 100.0
    learning_rate: float = 0.5
    network_learning_rate: float = 1e-4
    spread: float = 2.0
    connectivity: int | None = None
    band: float = 0.01
    stay: int = 3
    patience: int = 25
    correct: bool = True

    def __post_init__(self) -> None:
        if self.objective not in get_args(RefineObjective):
            raise ToposegError(
                f"There is no objective {self.objective!r}.", todo=f"Choose {' or '.join(get_args(RefineObjective))}."
            )
        for name, count, least in (
            ("iterations", self.iterations, 1),
            ("stay", self.stay, 0),
            ("patience", self.patience, 1),
        ):
            if count < least:
                raise ToposegError(f"{name} cannot be {count}.", todo=f"Give a whole number from {least}.")
        for name, value in (
            ("learning_rate", self.learning_rate),
            ("network_learning_rate", self.network_learning_rate),
            ("spread", self.spread),
        ):
            if not 0.0 < value < float("inf"):
                raise ToposegError(f"{name} cannot be {value:g}.", todo="Give a number above 0.")
        if not 0.0 <= self.keep < float("inf"):
            raise ToposegError(f"keep cannot be {self.keep:g}.", todo="Give a weight that is not negative.")
        if not 0.0 <= self.band < 0.5:
            raise ToposegError(f"band cannot be {self.band:g}.", todo="Give a number from 0 up to, not including, 0.5.")
