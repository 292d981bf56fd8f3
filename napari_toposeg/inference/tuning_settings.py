"""What a person can choose about fine-tuning on one volume, and which choices go together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.refine_settings import RefineObjective, RefineSettings

TuningLoss = Literal["ph", "ph-dense", "chan-vese"]
TuningMoves = Literal["map", "velocity", "network"]

_VELOCITY_RATES: dict[TuningLoss, float] = {"ph": 0.03, "ph-dense": 0.03, "chan-vese": 0.1}
"""A persistence gradient lives on few voxels and jumps: at 0.1 the loss of a ring that was right already rose."""
_NETWORK_RATE = 1e-4


@dataclass(frozen=True)
class TuningSettings:
    """How a result, a map or a network is tuned on one volume.

    Attributes
    ----------
    loss : {"ph", "ph-dense", "chan-vese"}
        The persistence loss, as published or with its gradient spread over each voxel's neighbourhood; or the
        Chan-Vese energy of the image.
    moves : {"map", "velocity", "network"}
        What is optimised: each voxel's logit, a further velocity field on top of the deformation that is there, or the
        weights of a network (a copy of them, for this volume alone).
    iterations : int
        At most so many, at least 1.
    rate : float or None
        The learning rate. None: that of `RefineSettings` for a map; for a velocity 0.03 by a PH loss and 0.1 by the
        Chan-Vese loss; 1e-4 for a network.
    keep : float
        Weight of the mean squared change of the map, or of the soft template, against the persistence loss: 1 / lambda
        of Clough et al., Eq. 5. The Chan-Vese energy has no such term.
    correct : bool
        Whether a loss on a map that comes to nothing is followed by homotopic correction.

    Raises
    ------
    ToposegError
        If a value is none that it can have, or loss and what moves do not go together.
    """

    loss: TuningLoss = "ph-dense"
    moves: TuningMoves = "map"
    iterations: int = 100
    rate: float | None = None
    keep: float = 10.0
    correct: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("loss", self.loss, get_args(TuningLoss)),
            ("way to move", self.moves, get_args(TuningMoves)),
        ):
            if value not in known:
                raise ToposegError(f"There is no {name} {value!r}.", todo=f"Choose one of {', '.join(known)}.")
        if self.iterations < 1:
            raise ToposegError(f"{self.iterations} iterations cannot tune anything.", todo="Ask for at least 1.")
        if self.rate is not None and not 0.0 < self.rate < float("inf"):
            raise ToposegError(f"A rate of {self.rate:g} moves nothing.", todo="Give a number above 0.")
        if not 0.0 <= self.keep < float("inf"):
            raise ToposegError(f"keep cannot be {self.keep:g}.", todo="Give a weight that is not negative.")
        if self.loss == "chan-vese" and self.moves == "map":
            raise ToposegError(
                "The Chan-Vese loss cannot move a map voxel by voxel.",
                why="Each voxel would follow its own intensity, whatever that does to the topology.",
                todo="Let the velocity field move instead, or choose a PH loss.",
            )

    @property
    def by_topology(self) -> bool:
        """Whether the persistence loss is minimised, not the image's energy."""
        return self.loss != "chan-vese"

    @property
    def step_size(self) -> float:
        """The learning rate as it is used."""
        if self.rate is not None:
            return self.rate
        if self.moves == "velocity":
            return _VELOCITY_RATES[self.loss]
        return self.refine.rate if self.moves == "map" else _NETWORK_RATE

    @property
    def refine(self) -> RefineSettings:
        """The same for `refine` and `refine_network`; those of the dense loss where the loss is another one."""
        objective: RefineObjective = "ph" if self.loss == "ph" else "ph-dense"
        return RefineSettings(
            objective=objective,
            iterations=self.iterations,
            keep=self.keep,
            learning_rate=self.rate if self.moves == "map" else None,
            network_learning_rate=_NETWORK_RATE if self.rate is None else self.rate,
            correct=self.correct,
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for a report."""
        return {**asdict(self), "rate": self.step_size}
