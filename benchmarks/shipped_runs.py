"""One real image and one way to segment it: what is measured of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from halves import Subject
from numpy.typing import NDArray
from oracle import betti_by_gudhi

from napari_toposeg.evaluation import CaseMetrics, evaluate_case
from napari_toposeg.formats import replacing
from napari_toposeg.frame import Box, box_of, box_slices, clip_box, grow_box
from napari_toposeg.inference import (
    Segmentation,
    Settings,
    Site,
    TrainedNetwork,
    segment,
    segment_by_network,
    site_in_box,
    trained_network,
)
from napari_toposeg.inference.weights import default_weights, load_weights
from napari_toposeg.priors import Placement, Prior, find_prior, signed_distance
from napari_toposeg.steps import last

OUT = Path(__file__).parents[1] / ".benchmarks" / "shipped"
FITS = OUT / "fits"


@dataclass(frozen=True, eq=False)
class Measured:
    """What came of one subject in one way.

    Attributes
    ----------
    task, name : str
        Of the subject.
    method : str
        In words.
    metrics : CaseMetrics
        Against the label.
    right : bool
        Whether gudhi counts the prior's Betti numbers.
    folds : int
        Cells of the field whose determinant is not above 0; 0 where nothing was deformed.
    seconds, processor : float
        On the clock, and of the processor. 0 where nothing ran.
    mask : (*shape) bool or None
        What came out; None where it was measured before and only the figures were kept.
    """

    task: str
    name: str
    method: str
    metrics: CaseMetrics
    right: bool
    folds: int = 0
    seconds: float = 0.0
    processor: float = 0.0
    mask: NDArray[np.bool_] | None = None

    def kept(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        figures = {"right": self.right, "folds": self.folds, "seconds": self.seconds, "processor": self.processor}
        return {**figures, "metrics": self.metrics.as_dict()}


def networks(given: tuple[str, ...]) -> dict[str, TrainedNetwork]:
    """By prior: the shipped networks, and those given as PRIOR=FILE instead."""
    from napari_toposeg.priors import builtin_priors

    found: dict[str, str | Path] = {}
    for prior in builtin_priors():
        shipped = default_weights(prior)
        if shipped is not None:
            found[prior.name] = shipped.path
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or find_prior(name) is None:
            raise SystemExit(f"--weights {one}: it is not PRIOR=FILE.")
        found[name] = path
    return {name: trained_network(*load_weights(Path(path))) for name, path in found.items()}


def prior_asked(subject: Subject, known: Mapping[str, TrainedNetwork]) -> Prior | None:
    """The subject's prior where there is a network for it, else another of its topology; None where there is none."""
    wanted = _prior(subject.prior)
    alike = [prior for prior in map(_prior, known) if prior.betti == wanted.betti]
    return next((prior for prior in alike if prior is wanted), alike[0] if alike else None)


def drawn_box(subject: Subject, larger: float = 0.0) -> Box:
    """The box that a person is taken to draw: the label's, so much of each side larger at either end of it."""
    box = box_of(subject.label)
    assert box is not None
    grown = grow_box(box, [round(larger * (high - low)) for low, high in box])
    return clip_box(grown, subject.volume.shape)


def site_of(subject: Subject, prior: Prior, larger: float = 0.0) -> Site:
    """The prior in the drawn box."""
    return site_in_box(prior, subject.volume, drawn_box(subject, larger), margin=subject.margin)


def standing(subject: Subject, prior: Prior, placement: Placement) -> NDArray[np.bool_]:
    """The template's voxels."""
    return (signed_distance(prior, placement, subject.volume.frame) > 0).numpy()


def placed(subject: Subject, larger: float = 0.0) -> Measured:
    """The template as it is placed, before anything ran."""
    prior = _prior(subject.prior)
    mask = standing(subject, prior, site_of(subject, prior, larger).placement)
    return Measured(subject.task, subject.name, "template, as placed", *_against(subject, mask, prior), mask=mask)


def shown(subject: Subject, prior: Prior, result: Segmentation) -> Measured:
    """The template as the network is shown it: it fills the box, whatever proportions it has."""
    mask = standing(subject, prior, result.placement)
    words = "template, as the network is shown it"
    return Measured(subject.task, subject.name, words, *_against(subject, mask, prior), mask=mask)


def fitted(subject: Subject, larger: float = 0.0, *, again: bool = False) -> Measured:
    """The Chan-Vese fit; what was measured before is read."""
    words = "Chan-Vese fit"
    # A file for each, so that two processes can share the work.
    kept = FITS / f"{subject.task}-{subject.name}-{larger:g}.json"
    if kept.exists() and not again:
        figures = json.loads(kept.read_text(encoding="utf-8"))
        return Measured(subject.task, subject.name, words, CaseMetrics(**figures.pop("metrics")), **figures)
    prior = _prior(subject.prior)
    settings = Settings(device="cpu")
    site = site_of(subject, prior, larger)
    run = lambda: last(segment(subject.volume, prior, site, settings, previews=False))  # noqa: E731
    measured, _ = _timed(subject, prior, words, run)
    FITS.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as part:
        part.write_text(json.dumps(measured.kept(), indent=1), encoding="utf-8")
    return measured


def predicted(
    subject: Subject, prior: Prior, network: TrainedNetwork, settings: Settings, larger: float = 0.0
) -> tuple[Measured, Segmentation]:
    """What a network says, refined where the settings say so."""
    site = site_of(subject, prior, larger)
    run = lambda: last(segment_by_network(subject.volume, prior, site, network, settings))  # noqa: E731
    return _timed(subject, prior, way(subject, prior, settings), run)


def way(subject: Subject, prior: Prior, settings: Settings) -> str:
    """What a table calls a network's mask."""
    words = "network" if prior.name == subject.prior else f"network of the {prior.name}"
    return words if settings.refine == "none" else f"{words}, then {settings.refine_iterations} steps of Chan-Vese"


def _timed(
    subject: Subject, prior: Prior, words: str, run: Callable[[], Segmentation]
) -> tuple[Measured, Segmentation]:
    clock, processor = perf_counter(), process_time()
    result = run()
    seconds, processor = perf_counter() - clock, process_time() - processor
    mask = result.full_mask()
    metrics, right = _against(subject, mask, prior)
    folds = result.jacobian.folding
    return Measured(subject.task, subject.name, words, metrics, right, folds, seconds, processor, mask), result


def _against(subject: Subject, mask: NDArray[np.bool_], prior: Prior) -> tuple[CaseMetrics, bool]:
    """Figures of a mask against the label, and whether its topology is the prior's."""
    box = box_of(mask | subject.label)
    assert box is not None
    # Nothing that is reported depends on the background beyond.
    part = box_slices(clip_box(grow_box(box, [2] * mask.ndim), mask.shape))
    spacing = subject.volume.spacing
    metrics = evaluate_case(mask[part], subject.label[part], spacing, betti_expected=prior.betti, name=subject.name)
    return metrics, betti_by_gudhi(mask) == prior.betti


def refined(settings: Settings) -> Settings:
    """The same with a few steps of Chan-Vese after the network."""
    return replace(settings, refine="chan-vese")


def _prior(name: str) -> Prior:
    prior = find_prior(name)
    assert prior is not None
    return prior
