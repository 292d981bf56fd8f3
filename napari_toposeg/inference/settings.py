"""What a person can choose about a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_toposeg.errors import ToposegError

Objective = Literal["chan-vese"]
Moves = Literal["velocity", "tpsn"]
Certify = Literal["strict", "report", "off"]
RefineBy = Literal["none", "chan-vese"]


@dataclass(frozen=True)
class Settings:
    """How one volume is segmented.

    Attributes
    ----------
    objective : {"chan-vese"}
        What is minimised: the Chan-Vese energy needs no training and no labels.
    moves : {"velocity", "tpsn"}
        What is optimised: a velocity field, or the weights of a TPSN that starts untrained (several times slower).
    iterations : int
        Iterations over all stages, at least 10.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    seed : int
        Seed of everything random. The velocity field has nothing random; a TPSN's first weights have.
    certify : {"strict", "report", "off"}
        "strict": folds are repaired and the mask is carried along the deformation by simple points, so that its
        topology is the prior's. "report": the mask is where the warped signed distance is positive, and its topology is
        only counted. "off": as "report", and a wrong topology is not a failure.
    refine : {"none", "chan-vese"}
        What comes after a trained network: nothing, or a few steps down the Chan-Vese energy from its deformation. A
        fit to one image has been there already.
    refine_iterations : int
        How many steps, at least 1; as many follow each prompt, also one that is given to a fit.
    reach : float
        The Chan-Vese energy takes its means over this share of the template's mean half-size around each voxel; 0 for
        the whole region, as the energy was published. Only where the organ is said to lie in a box.
    outside_weight : float
        Weight of the share of the mask that leaves that box.
    jacobian_weight : float
        Weight of the mean ReLU-Jacobian against the Chan-Vese energy.
    laplacian_weight : float
        Weight of the mean absolute Laplacian.
    gradient_weight : float
        Weight of the mean squared gradient. With more of the Laplacian instead, a loosely placed ball vanished and the
        deformation wandered.
    """

    objective: Objective = "chan-vese"
    moves: Moves = "velocity"
    iterations: int = 160
    device: str = "auto"
    seed: int = 0
    certify: Certify = "strict"
    refine: RefineBy = "none"
    refine_iterations: int = 30
    reach: float = 0.35
    outside_weight: float = 1.0
    jacobian_weight: float = 10.0
    laplacian_weight: float = 0.02
    gradient_weight: float = 0.1

    def __post_init__(self) -> None:
        for name, value, known in (
            ("objective", self.objective, get_args(Objective)),
            ("moves", self.moves, get_args(Moves)),
            ("certify", self.certify, get_args(Certify)),
            ("refinement", self.refine, get_args(RefineBy)),
        ):
            if value not in known:
                raise ToposegError(f"There is no {name} {value!r}.", todo=f"Choose one of {', '.join(known)}.")
        if self.iterations < 10:
            raise ToposegError(
                f"{self.iterations} iterations are too few.",
                why="The affine stage and each finer one need some.",
                todo="Ask for at least 10.",
            )
        if self.refine_iterations < 1:
            raise ToposegError(
                f"{self.refine_iterations} iterations cannot refine anything.", todo="Ask for at least 1."
            )
