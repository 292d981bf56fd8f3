"""The steps keep the gradient's proportions, whatever its scale."""

from __future__ import annotations

import pytest
import torch

from napari_toposeg.inference.proportional_steps import ProportionalSteps


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_largest_gradient_moves_by_the_rate_and_the_others_in_proportion(scale: float) -> None:
    moving = torch.zeros(3, requires_grad=True)
    optimizer = ProportionalSteps([moving], 2.0, momentum=0.5)
    slopes = scale * torch.tensor([4.0, -1.0, 0.0])
    for share in (1.0, 2.5):  # half of the first step is made again: 1, then 1 + 1.5
        optimizer.zero_grad()
        (slopes * moving).sum().backward()
        optimizer.step()
        assert moving.tolist() == pytest.approx([-2.0 * share, 0.5 * share, 0.0])


def test_what_has_no_gradient_stays() -> None:
    still, flat = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    optimizer = ProportionalSteps([still, flat], 1.0)
    (0.0 * flat).sum().backward()
    optimizer.step()
    assert still.tolist() == flat.tolist() == [1.0, 1.0]
