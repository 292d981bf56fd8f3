"""Reports of what was done, as JSON beside the mask."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.origins import source_hash
from napari_toposeg.volume import Volume


def complete_report(report: Mapping[str, Any], volume: Volume) -> dict[str, Any]:
    """A report with the hash of the image's file added.

    Parameters
    ----------
    report : mapping
        As `Segmentation.report` gives it; left as it is.
    volume : Volume
        The image that was segmented.

    Returns
    -------
    dict
        ``report["input"]["sha256"]`` is that of `source_hash`: of the file's bytes in hexadecimal, or None where the
        image did not come from a file.

    Raises
    ------
    ToposegError
        If the file is no longer there.
    """
    source = dict(report.get("input", {}))
    source["sha256"] = source_hash(volume)
    return {**report, "input": source}


def report_text(report: Mapping[str, Any] | Sequence[Any]) -> str:
    """Facts as JSON, ending in a line break; numbers that are not finite become null, as JSON knows none."""
    return json.dumps(_finite(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_report(report: Mapping[str, Any], volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a report, completed with the hash of the image's file.

    Parameters
    ----------
    report : mapping
        As `Segmentation.report` gives it.
    volume : Volume
        The image that was segmented.
    path : path
        Appears whole or not at all.

    Raises
    ------
    ToposegError
        If the image's file is no longer there, or the report cannot be written.
    """
    text = report_text(complete_report(report, volume))
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
