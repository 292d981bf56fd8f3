"""The convolution of all networks says what PyTorch's own says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_toposeg.networks.convolution import Convolution3d


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_one_image_and_several_get_the_answer_and_the_gradient_of_a_plain_convolution(count, kernel, bias) -> None:
    torch.manual_seed(0)
    ours = Convolution3d(4, 6, kernel, padding=kernel // 2, bias=bias)
    plain = nn.Conv3d(4, 6, kernel, padding=kernel // 2, bias=bias)
    plain.load_state_dict(ours.state_dict())
    image = torch.randn(count, 4, 9, 8, 7, requires_grad=True)
    answers = [one(image) for one in (ours, plain)]
    assert torch.allclose(*answers, atol=1e-5)
    weights = torch.randn_like(answers[0])
    gradients = [
        torch.autograd.grad((answer * weights).sum(), [image, *one.parameters()])
        for answer, one in zip(answers, (ours, plain), strict=True)
    ]
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_one_image_is_left_to_the_quick_kernel() -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("PyTorch was built without oneDNN")
    ours = Convolution3d(4, 4, 3, padding=1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.no_grad():
        ours(torch.randn(1, 4, 8, 8, 8))
    names = {event.key for event in profile.key_averages()}
    assert "aten::mkldnn_convolution" in names
    assert "aten::slow_conv3d" not in names


def test_double_precision_is_convolved_as_ever() -> None:
    ours = Convolution3d(2, 3, 3, padding=1).double()
    assert ours(torch.randn(1, 2, 5, 5, 5, dtype=torch.float64)).dtype == torch.float64
