"""What a person can choose about the refinement of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_toposeg.errors import ToposegError

RefineObjective = Literal["ph", "ph-dense"]

_RATES: dict[str, float] = {"ph": 1.0, "ph-dense": 4.0}


@dataclass(frozen=True)
class RefineSettings:
    """How a map is brought to its topology.

    The defaults of `keep`, `spread` and the learning rates are those that ``benchmarks/dense_gradient.py`` chose.

    Attributes
    ----------
    objective : {"ph", "ph-dense"}
        "ph": the persistence loss as published, whose gradient lives on the critical voxels, minimised by Adam.
        "ph-dense": the same loss, its gradient spread over their neighbourhood, and minimised by `ProportionalSteps`.
    iterations : int
        At most so many. 0: only correction.
    keep : float
        Weight of the mean squared change of the map against the persistence loss: 1 / lambda of Eq. 5.
    learning_rate : float or None
        In logits. None: 1 with "ph", 4 with "ph-dense".
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
        The loss has stalled where it has not fallen by a thousandth within so many iterations; and a topology that was
        right and so many iterations later has not stayed so will not settle.
    give_back : float or None
        What the loss has changed goes back, as far as the topology allows it, where the first map was at least so far
        from 0.5. None: nothing goes back.
    correct : bool
        Whether a loss that stalls or runs out of iterations is followed by homotopic correction.
    """

    objective: RefineObjective = "ph-dense"
    iterations: int = 200
    keep: float = 10.0
    learning_rate: float | None = None
    network_learning_rate: float = 1e-4
    spread: float = 2.0
    connectivity: int | None = None
    band: float = 0.01
    stay: int = 3
    patience: int = 25
    give_back: float | None = 0.3
    correct: bool = True

    def __post_init__(self) -> None:
        if self.objective not in get_args(RefineObjective):
            raise ToposegError(
                f"There is no objective {self.objective!r}.", todo=f"Choose {' or '.join(get_args(RefineObjective))}."
            )
        for name, count, least in (
            ("iterations", self.iterations, 0),
            ("stay", self.stay, 0),
            ("patience", self.patience, 1),
        ):
            if count < least:
                raise ToposegError(f"{name} cannot be {count}.", todo=f"Give a whole number from {least}.")
        for name, value in (
            ("learning_rate", self.rate),
            ("network_learning_rate", self.network_learning_rate),
            ("spread", self.spread),
        ):
            if not 0.0 < value < float("inf"):
                raise ToposegError(f"{name} cannot be {value:g}.", todo="Give a number above 0.")
        if not 0.0 <= self.keep < float("inf"):
            raise ToposegError(f"keep cannot be {self.keep:g}.", todo="Give a weight that is not negative.")
        if self.give_back is not None and not 0.0 <= self.give_back <= 0.5:
            raise ToposegError(f"give_back cannot be {self.give_back:g}.", todo="Give a number from 0 to 0.5, or None.")
        if not 0.0 <= self.band < 0.5:
            raise ToposegError(f"band cannot be {self.band:g}.", todo="Give a number from 0 up to, not including, 0.5.")

    @property
    def rate(self) -> float:
        """The learning rate of logits."""
        return _RATES[self.objective] if self.learning_rate is None else self.learning_rate
