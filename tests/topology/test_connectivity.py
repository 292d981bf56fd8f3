from __future__ import annotations

import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import check_connectivity, default_connectivity, dual_connectivity


def test_the_foreground_touches_at_corners_by_default():
    assert (default_connectivity(2), default_connectivity(3)) == (8, 26)
    assert (check_connectivity(None, 2), check_connectivity(None, 3)) == (8, 26)


@pytest.mark.parametrize("connectivity", [4, 8, 6, 26])
def test_the_dual_of_the_dual_is_the_connectivity_itself(connectivity):
    assert dual_connectivity(connectivity) != connectivity
    assert dual_connectivity(dual_connectivity(connectivity)) == connectivity


@pytest.mark.parametrize(("connectivity", "ndim"), [(8, 3), (26, 2), (18, 3), (0, 2)])
def test_a_connectivity_of_another_dimension_is_refused_with_those_that_exist(connectivity, ndim):
    with pytest.raises(
        ToposegError, match=rf"does not exist in {ndim}-D.*Choose {'8 or 4' if ndim == 2 else '26 or 6'}"
    ):
        check_connectivity(connectivity, ndim)


@pytest.mark.parametrize("ndim", [0, 1, 4])
def test_a_mask_that_is_neither_2d_nor_3d_is_refused(ndim):
    with pytest.raises(ToposegError, match=f"has {ndim} axes"):
        check_connectivity(None, ndim)
