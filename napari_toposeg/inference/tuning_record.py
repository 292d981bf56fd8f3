"""What a report says of a fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_toposeg.inference.refined import Refined
from napari_toposeg.inference.segmentation import Outcome
from napari_toposeg.inference.tuning_settings import TuningSettings


def record(
    tuning: TuningSettings,
    source: str,
    made: Outcome,
    result: Outcome | None,
    iterations: int,
    losses: Mapping[str, float],
) -> dict[str, Any]:
    """What a report says of a tuned deformation."""
    before = None if result is None else result.full_mask()
    return {
        "source": source,
        **tuning.as_dict(),
        "iterations_done": iterations,
        "losses": dict(losses),
        "betti_before": None if result is None else list(result.certificate.betti_mask),
        "betti_after": list(made.certificate.betti_mask),
        "changed_voxels": None if before is None else int(np.count_nonzero(made.full_mask() != before)),
    }


def record_of_refined(tuning: TuningSettings, source: str, refined: Refined) -> dict[str, Any]:
    """What a report says of a tuned map."""
    return {
        "source": source,
        **tuning.as_dict(),
        "iterations_done": refined.iterations,
        "losses": {name: value for name, value in refined.losses.items() if not name[1:].isdigit()},
        "solved_by": refined.solved_by,
        "ended": refined.ended,
        "betti_before": list(refined.betti_before),
        "betti_after": list(refined.betti_after),
        "changed_voxels": refined.changed_voxels,
    }
