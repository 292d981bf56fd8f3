"""Where the time of a long job goes."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter


class Stopwatch:
    """Seconds by stage, from when it is made."""

    def __init__(self) -> None:
        self._begun = perf_counter()
        self._seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """What has passed since the last lap belongs to this stage."""
        now = perf_counter()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._begun
        self._begun = now

    def total(self) -> Mapping[str, float]:
        """Seconds by stage, and "total"; rounded, as reports have them."""
        rounded = {stage: round(seconds, 4) for stage, seconds in self._seconds.items()}
        return {**rounded, "total": round(sum(self._seconds.values()), 4)}
