"""Repair of the cells of a deformation that fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.deformation.cells import HALVINGS, examine
from napari_toposeg.deformation.regularity import flat_field
from napari_toposeg.deformation.velocity import border_window
from napari_toposeg.errors import ToposegError

_PATIENCE = 4
"""Sweeps for which a cell may stay folded before the region that is relaxed round it grows by a voxel."""

_STALL = 24
"""Sweeps without a new least number of folding cells after which relaxation gives up."""

_WIDEST = 16.0
"""Widest Gaussian, in voxels."""

_SHRINK = 0.85
"""Factor of the displacement at each try of the last resort."""


@dataclass(frozen=True, eq=False)
class Unfolded:
    """A deformation without folds, and what that took.

    Attributes
    ----------
    values : (ndim, *grid) float32
        The displacement, regular in every cell. The very array that was given where nothing folded.
    repaired_cells : int
        Cells that folded in what was given.
    moved_voxels : int
        Voxels whose displacement is not what it was.
    sweeps : int
        Rounds of local relaxation.
    smoothings : int
        Rounds of local Gaussian smoothing, which come where relaxation does not do; usually 0.
    held : bool
        Whether the border had to be made the identity, because the deformation folded there.
    scale : float
        What the whole displacement was multiplied by in the last resort; usually 1.
    remaining : int
        Cells that still fold. Always 0: kept so that a report can say that it was counted.
    moved : (moved_voxels,) int64
        Flat indices of those voxels.
    was : (ndim, moved_voxels) float32
        Their displacement before: a repair touches few, so that the field before need not be kept whole.
    """

    values: NDArray[np.float32]
    repaired_cells: int
    moved_voxels: int
    sweeps: int
    smoothings: int
    held: bool
    scale: float
    remaining: int
    moved: NDArray[np.int64]
    was: NDArray[np.float32]

    def before(self) -> NDArray[np.float32]:
        """(ndim, *grid) the displacement as it was given; a copy where anything was moved."""
        if self.moved.size == 0:
            return self.values
        values = self.values.copy()
        values.reshape(len(values), -1)[:, self.moved] = self.was
        return values


def unfold(values: NDArray[Any], *, least: float = 0.02, iterations: int = 100) -> Unfolded:
    """Relax the voxels round folding cells until no cell folds.

    Parameters
    ----------
    values : (ndim, *grid) array
        Displacement in voxels of its grid. Not changed.
    least : float
        What the determinant must exceed in every cell that relaxation touches; below 1. Cells that it does not touch
        must only be regular, and the last resort ends as soon as all are.
    iterations : int
        Rounds of relaxation before stronger means are used.

    Returns
    -------
    Unfolded
        Its values pass the strict test of `jacobian_map` in every cell. Where the border of the grid is the identity
        it stays so, exactly; any other border stays as it is unless the deformation folds there and `held` says so.

    Raises
    ------
    ToposegError
        If the displacement is not finite.
    ValueError
        If `least` is 1 or more, which not even the identity exceeds.

    Notes
    -----
    Each round replaces the displacement at the voxels round folding cells by nearly the mean of its neighbours, and
    only the cells next to them are tested again. Where a cell stays folded, its region grows by a voxel every few
    rounds. On 128x128x64 voxels this kept a Dice of .9999, .999 and .995 or more to the mask before for .1, 1 and 5 %
    of folded cells, in .1, .15 and .3 s; smoothing the whole field kept .975, .958 and .933, and descending along the
    gradient was 300 times slower.

    If that does not end, the displacement is blended near the folds with its own Gaussian smoothing, wider each time.
    If the border is not the identity and folds, no voxel that may move can mend it: the displacement is then brought
    to zero over the outer four voxels (`border_window`) and repaired again. In the last resort all of it is scaled
    down, which makes any displacement regular in the end.
    """
    if least >= 1.0:
        raise ValueError(f"least must be below 1, not {least}")
    field = flat_field(values)
    if not np.isfinite(field).all():
        raise ToposegError(
            "The deformation holds values that are not numbers.",
            why="The optimisation or the network that made it diverged.",
            todo="Lower the learning rate, or check the image for values that are not finite.",
        )
    grid = values.shape[1:]
    strides = _strides(grid)
    is_cell, is_free = _cells_and_free_voxels(grid)
    folded = _folding(field, strides, is_cell, 0.0)
    repaired = int(folded.size)
    if repaired == 0:
        given = np.asarray(values, np.float32)
        return Unfolded(given, 0, 0, 0, 0, False, 1.0, 0, np.empty(0, np.int64), np.empty((len(field), 0), np.float32))
    original = field
    field = field.copy()
    sweeps, smoothings, folded = _repair(field, grid, folded, least, iterations)
    border = ~is_free
    held = False
    if folded.size and field[:, border].any():
        held = True
        field *= border_window(grid).numpy().reshape(-1)
        more_sweeps, more_smoothings, folded = _repair(
            field, grid, _folding(field, strides, is_cell, 0.0), least, iterations
        )
        sweeps += more_sweeps
        smoothings += more_smoothings
    scale = 1.0
    smoothed = field
    while folded.size:
        scale *= _SHRINK
        field = smoothed * np.float32(scale)
        folded = _folding(field, strides, is_cell, 0.0)
    moved = np.flatnonzero((field != original).any(axis=0))
    return Unfolded(
        values=field.reshape(values.shape),
        repaired_cells=repaired,
        moved_voxels=moved.size,
        sweeps=sweeps,
        smoothings=smoothings,
        held=held,
        scale=scale,
        remaining=int(folded.size),
        moved=moved,
        was=original[:, moved],
    )


def _repair(
    field: NDArray[np.float32], grid: tuple[int, ...], folded: NDArray[np.int64], least: float, iterations: int
) -> tuple[int, int, NDArray[np.int64]]:
    """Relax and, where that does not do, smooth a flat field in place; its border stays.

    Returns
    -------
    sweeps, smoothings, folded : int, int, (number,) int64
        What was done, and the cells that still fold.
    """
    strides = _strides(grid)
    is_cell, is_free = _cells_and_free_voxels(grid)
    border_moves = bool(field[:, ~is_free].any())
    sizes = np.array(grid, np.int64)
    sweeps = smoothings = 0
    width = 2.0
    while True:
        done, folded = _relax(field, sizes, strides, is_free, folded, least, iterations)
        sweeps += done
        if folded.size:
            # Some of these may exceed 0 and not `least`.
            folded = _folding(field, strides, is_cell, 0.0)
        if folded.size == 0 or width > min(max(grid) / 4, _WIDEST):
            return sweeps, smoothings, folded
        cells = np.stack(np.unravel_index(folded, grid))
        at_border = ((cells == 0) | (cells == sizes[:, None] - 2)).any(axis=0)
        if border_moves and at_border.any():
            return sweeps, smoothings, folded
        _smooth_near(field.reshape(-1, *grid), cells, width)
        folded = _folding(field, strides, is_cell, 0.0)
        smoothings += 1
        width *= 2.0


def _strides(grid: tuple[int, ...]) -> NDArray[np.int64]:
    """Voxels from one neighbour to the next along each axis."""
    return np.array([int(np.prod(grid[axis + 1 :])) for axis in range(len(grid))], np.int64)


def _cells_and_free_voxels(grid: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which voxels are the low corner of a cell, and which lie off the border, both flat."""
    is_cell = np.zeros(grid, np.bool_)
    is_cell[(slice(None, -1),) * len(grid)] = True
    is_free = np.zeros(grid, np.bool_)
    is_free[(slice(1, -1),) * len(grid)] = True
    return is_cell.reshape(-1), is_free.reshape(-1)


def _smooth_near(field: NDArray[np.float32], cells: NDArray[Any], width: float) -> None:
    """Blend a displacement with its Gaussian smoothing near some cells; the border stays.

    Parameters
    ----------
    field : (ndim, *grid) float32
        Changed in place.
    cells : (ndim, number) int
        Indices of the cells.
    width : float
        Of the Gaussian, in voxels.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    near = np.ones(field.shape[1:], bool)
    near[tuple(cells)] = False
    # One within a width of the folds, falling to none over two more.
    share = np.clip(1.5 - distance_transform_edt(near) / (2.0 * width), 0.0, 1.0).astype(np.float32)
    for axis, size in enumerate(share.shape):
        index = np.arange(size, dtype=np.float32)
        ramp = np.minimum(np.minimum(index, size - 1 - index) / width, 1.0)
        share *= ramp.reshape([-1 if k == axis else 1 for k in range(share.ndim)])
    for component in field:
        component += share * (gaussian_filter(component, width, mode="nearest") - component)


@njit(cache=True, nogil=True)
def _folding(
    field: NDArray[np.float32], strides: NDArray[np.int64], is_cell: NDArray[np.bool_], least: float
) -> NDArray[np.int64]:
    """Flat indices of the cells that are not proven to exceed a determinant."""
    scratch = np.empty((HALVINGS + 2, 3, 3, 3))
    found = np.zeros(is_cell.size, np.bool_)
    for cell in range(is_cell.size):
        if is_cell[cell]:
            found[cell] = not examine(field, cell, strides, least, scratch)[1]
    return np.flatnonzero(found)


@njit(cache=True, nogil=True)
def _relax(
    field: NDArray[np.float32],
    grid: NDArray[np.int64],
    strides: NDArray[np.int64],
    is_free: NDArray[np.bool_],
    folded: NDArray[np.int64],
    least: float,
    iterations: int,
) -> tuple[int, NDArray[np.int64]]:
    """Relax a field in place until no cell folds, the rounds are used up or no longer help.

    Returns
    -------
    rounds, folded : int, (number,) int64
        Rounds done, and the cells that still fold.
    """
    ndim, size = field.shape
    scratch = np.empty((HALVINGS + 2, 3, 3, 3))
    # Full-size lists: memory that is not written is never taken.
    voxels = np.empty(size, np.int64)
    cells = np.empty(size, np.int64)
    is_listed = np.zeros(size, np.bool_)
    is_tested = np.zeros(size, np.bool_)
    age = np.zeros(size, np.uint16)
    fewest = folded.size + 1
    fewest_at = 0
    for sweep in range(iterations):
        if folded.size < fewest:
            fewest, fewest_at = folded.size, sweep
        if folded.size == 0 or sweep - fewest_at > _STALL:
            return sweep, folded
        listed = 0
        for cell in folded:
            listed = _list_voxels_round(cell, age[cell] // _PATIENCE, grid, strides, is_free, is_listed, voxels, listed)
            age[cell] += 1
        for _ in range(2):
            for voxel in voxels[:listed]:
                for component in range(ndim):
                    around = 0.0
                    for stride in strides:
                        around += field[component, voxel - stride] + field[component, voxel + stride]
                    old = field[component, voxel]
                    field[component, voxel] = old + 0.8 * (around / (2.0 * ndim) - old)
        tested = 0
        for voxel in voxels[:listed]:
            is_listed[voxel] = False
            for corner in range(1 << ndim):
                cell = voxel
                for axis in range(ndim):
                    cell -= ((corner >> axis) & 1) * strides[axis]
                if not is_tested[cell]:
                    is_tested[cell] = True
                    cells[tested] = cell
                    tested += 1
        left = 0
        # A folded cell without a voxel that may move has not been listed, and stays folded.
        for cell in folded:
            if not is_tested[cell]:
                is_tested[cell] = True
                cells[tested] = cell
                tested += 1
        for cell in cells[:tested]:
            is_tested[cell] = False
            if not examine(field, cell, strides, least, scratch)[1]:
                cells[left] = cell
                left += 1
        folded = cells[:left].copy()
    return iterations, folded


@njit(cache=True, nogil=True)
def _list_voxels_round(
    cell: int,
    reach: int,
    grid: NDArray[np.int64],
    strides: NDArray[np.int64],
    is_free: NDArray[np.bool_],
    is_listed: NDArray[np.bool_],
    voxels: NDArray[np.int64],
    listed: int,
) -> int:
    """Add the free voxels within reach of a cell's corners to a list; its new length."""
    ndim = grid.size
    # A 2-D grid is one of a single layer.
    low, high = np.zeros(3, np.int64), np.ones(3, np.int64)
    steps = np.zeros(3, np.int64)
    rest = cell
    for axis in range(ndim):
        place = axis + 3 - ndim
        steps[place] = strides[axis]
        index = rest // strides[axis]
        rest -= index * strides[axis]
        low[place] = max(index - reach, 0)
        high[place] = min(index + 2 + reach, grid[axis])
    for i in range(low[0], high[0]):
        for j in range(low[1], high[1]):
            for k in range(low[2], high[2]):
                voxel = i * steps[0] + j * steps[1] + k * steps[2]
                if is_free[voxel] and not is_listed[voxel]:
                    is_listed[voxel] = True
                    voxels[listed] = voxel
                    listed += 1
    return listed
