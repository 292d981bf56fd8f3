"""Small images with templates and reference masks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """Two noisy images of one soft shape each, and the template: the same shape elsewhere, of another size."""

    image: Tensor
    template: Tensor
    reference: Tensor


def _shape(grid: tuple[int, ...], centre: tuple[float, ...], outer: float, inner: float) -> Tensor:
    axes = torch.meshgrid(*[torch.arange(size, dtype=torch.float32) for size in grid], indexing="ij")
    radius = torch.stack([axis - at for axis, at in zip(axes, centre, strict=True)]).norm(dim=0)
    return (torch.sigmoid(2.0 * (outer - radius)) * torch.sigmoid(2.0 * (radius - inner)))[None, None]


def _case(grid: tuple[int, ...], hole: float) -> Case:
    generator = torch.Generator().manual_seed(0)
    least = min(grid)
    middle = tuple((size - 1) / 2 for size in grid)
    template = _shape(grid, middle, 0.26 * least, hole * 0.26 * least)
    references = [
        _shape(grid, tuple(at + shift for at in middle), size * least, hole * size * least)
        for shift, size in ((0.03 * least, 0.34), (-0.04 * least, 0.31))
    ]
    reference = torch.cat(references)
    image = reference + 0.1 * torch.randn(reference.shape, generator=generator)
    return Case((image - image.mean()) / image.std(), template, reference)


@pytest.fixture(scope="session")
def ring() -> Case:
    """In 2-D, with a hole."""
    return _case((27, 32), 0.4)


@pytest.fixture(scope="session")
def ball() -> Case:
    """In 3-D."""
    return _case((18, 15, 16), -10.0)
