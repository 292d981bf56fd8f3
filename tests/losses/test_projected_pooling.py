"""The projected pooling loss."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import max_pool2d, max_pool3d

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import ProjectedPoolingLoss


def random_maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_stray_voxel_counts_as_much_as_its_block_in_each_view() -> None:
    reference = torch.zeros(1, 1, 40, 40, 40)
    p = reference.clone()
    p[..., 7, 30, 22] = 1
    for kernel in (4, 5, 8, 10, 20):
        assert float(ProjectedPoolingLoss([kernel])(p, reference)) == pytest.approx(kernel**2 / 40**2)
    every = (4**2 + 5**2 + 8**2 + 10**2 + 20**2) / 5 / 40**2
    assert float(ProjectedPoolingLoss()(p, reference)) == pytest.approx(every)
    assert every > 2000 * float((p - reference).abs().mean())


def test_in_2d_the_map_is_its_own_view() -> None:
    reference = torch.zeros(1, 1, 40, 20)
    p = reference.clone()
    p[..., 39, 19] = 0.5
    assert float(ProjectedPoolingLoss([4, 10])(p, reference)) == pytest.approx(0.5 * (16 + 100) / 2 / 800)


def test_a_stray_voxel_in_the_shadow_of_the_organ_shows_in_the_other_views() -> None:
    reference = torch.zeros(1, 1, 40, 40, 40)
    reference[..., 10:20, 10:20, 10:20] = 1
    p = reference.clone()
    p[..., 35, 15, 15] = 1
    # Along the first axis it is hidden; in each of the two other views one block of 5 x 5 differs.
    assert float(ProjectedPoolingLoss([5])(p, reference)) == pytest.approx(2 / 3 * 5**2 / 40**2)


def test_a_cavity_has_no_shadow() -> None:
    reference = torch.zeros(1, 1, 20, 20, 20)
    reference[..., 5:15, 5:15, 5:15] = 1
    p = reference.clone()
    p[..., 8:12, 8:12, 8:12] = 0
    assert ProjectedPoolingLoss()(p, reference) == 0


def test_where_every_kernel_fits_it_is_plain_max_pooling() -> None:
    kernels, shape = (2, 3, 6), (2, 3, 12, 6, 18)
    p, reference = random_maps(1, *shape), random_maps(2, *shape)
    depth, height, width = shape[2:]
    differences = []
    for kernel in kernels:
        for ray in ((depth, 1, 1), (1, height, 1), (1, 1, width)):
            axis = 2 + next(k for k in range(3) if ray[k] > 1)
            one, other = (max_pool2d(max_pool3d(maps, ray).squeeze(axis), kernel) for maps in (p, reference))
            differences.append((one - other).abs().mean())
    expected = torch.stack(differences).mean()
    assert float(ProjectedPoolingLoss(kernels)(p, reference)) == pytest.approx(float(expected))


@given(seed=st.integers(0, 1000), shape=st.lists(st.integers(1, 12), min_size=2, max_size=3), kernel=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_every_voxel_counts_also_at_the_border_and_where_the_kernel_is_larger_than_the_map(seed, shape, kernel) -> None:
    reference = torch.zeros(1, 1, *shape)
    p = reference.clone()
    where = torch.randint(p.numel(), (), generator=torch.Generator().manual_seed(seed))
    p.view(-1)[where] = 1
    loss = float(ProjectedPoolingLoss([kernel])(p, reference))
    assert 0 < loss <= 1
    assert loss == pytest.approx(float(ProjectedPoolingLoss([kernel])(reference, p)))
    assert ProjectedPoolingLoss([kernel])(p, p) == 0


def test_a_batch_is_the_mean_of_its_samples_and_classes() -> None:
    p, reference = random_maps(3, 2, 3, 9, 8, 7), random_maps(4, 2, 3, 9, 8, 7)
    loss = ProjectedPoolingLoss((2, 4))
    single = [float(loss(p[n : n + 1, c : c + 1], reference[n : n + 1, c : c + 1])) for n in range(2) for c in range(3)]
    assert float(loss(p, reference)) == pytest.approx(sum(single) / 6)


@pytest.mark.parametrize("shape", [(2, 2, 7, 9), (1, 2, 5, 6, 4)])
def test_its_gradient_is_right(shape) -> None:
    p, reference = random_maps(5, *shape).requires_grad_(), random_maps(6, *shape).round()
    assert torch.autograd.gradcheck(lambda one: ProjectedPoolingLoss((2, 3, 20))(one, reference), p)


def test_voxels_of_one_ray_that_are_as_high_share_the_gradient() -> None:
    p = torch.zeros(1, 1, 4, 4, 4)
    p[..., 1:3, 2, 2] = 0.9
    p.requires_grad_()
    ProjectedPoolingLoss([1])(p, torch.zeros_like(p)).backward()
    assert p.grad is not None
    assert float(p.grad[0, 0, 1, 2, 2]) == pytest.approx(float(p.grad[0, 0, 2, 2, 2]))
    assert float(p.grad[0, 0, 1, 2, 2]) > 0


@pytest.mark.parametrize("kernels", [(), (0,), (4, -1)])
def test_kernels_that_make_no_sense_are_refused(kernels) -> None:
    with pytest.raises(ToposegError, match="cannot be pooled"):
        ProjectedPoolingLoss(kernels)


@pytest.mark.parametrize("shapes", [((1, 1, 4, 4), (1, 1, 4, 5)), ((1, 4, 4), (1, 4, 4)), ((2, 1, 4, 4), (1, 1, 4, 4))])
def test_maps_of_different_shapes_are_refused(shapes) -> None:
    with pytest.raises(ToposegError, match="cannot be compared"):
        ProjectedPoolingLoss()(torch.zeros(shapes[0]), torch.zeros(shapes[1]))
