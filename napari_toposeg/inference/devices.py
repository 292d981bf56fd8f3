"""Which device computes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch

from napari_toposeg.errors import ToposegError, ToposegWarning


def available_devices() -> list[str]:
    """Names of the devices that this machine has, the CPU last."""
    names = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def free_memory(name: str) -> int | None:
    """Bytes that a device has free; None where it does not say.

    Parameters
    ----------
    name : str
        One of `available_devices`, or "auto".
    """
    name = available_devices()[0] if name == "auto" else name
    if name.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(torch.device(name))
        return int(free)
    meminfo = Path("/proc/meminfo")
    found = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text()) if name == "cpu" and meminfo.exists() else None
    return None if found is None else 1024 * int(found[1])


def choose_device(name: str, *, ndim: int = 2) -> torch.device:
    """The device of this name.

    Parameters
    ----------
    name : str
        "auto" (the first that there is), "cpu", "cuda", "cuda:N" or "mps".
    ndim : int
        Dimensions of the image: what mps cannot do in 3-D is done on the CPU, and said.

    Returns
    -------
    torch.device

    Raises
    ------
    ToposegError
        If the name is none of these, or the machine has no such device.

    Warns
    -----
    ToposegWarning
        Where "mps" is asked for, or found, and the image is 3-D: it has no 3-D grid sampling.
    """
    available = available_devices()
    wanted = available[0] if name == "auto" else ("cuda:0" if name == "cuda" else name)
    if wanted == "mps" and wanted in available and ndim == 3:
        warnings.warn(
            "The run is computed on the CPU: the mps device cannot sample 3-D grids.", ToposegWarning, stacklevel=2
        )
        return torch.device("cpu")
    if wanted in available:
        return torch.device(wanted)
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise ToposegError(f"There is no device {name!r}.", todo="Choose auto, cpu, cuda, cuda:N or mps.")
    raise ToposegError(
        f"This machine has no device {name!r}.",
        why=f"PyTorch finds: {', '.join(available)}.",
        todo="Choose one of these, or auto.",
    )
