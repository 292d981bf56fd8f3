"""What can be asked of a result's deformation: where it is worst, how it gets there, what it was before its repair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation import (
    Displacement,
    Histogram,
    JacobianMap,
    determinant_histogram,
    jacobian_map,
    on_lattice,
    worst_cells,
)
from napari_toposeg.frame import Frame
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.priors import Placement

_SAMPLE = 200_000
"""Voxels from which a scale of determinants is taken: 128x128x96 are 1.6 million, and it does not need them all."""


@dataclass(frozen=True)
class WorstCell:
    """A cell of a deformation, and where it lies.

    Attributes
    ----------
    rank : int
        1 for the worst.
    determinant : float
        The least Jacobian determinant in it.
    cell : tuple of int
        Its low corner, in voxels of the displacement's grid.
    index : tuple of float
        The same place in canonical voxels of the image; whole but for what rounding leaves, unless a very large region
        is held on a coarser grid.
    voxel : tuple of int
        The nearest voxel of the array in the image's file.
    place : tuple of float
        The same in RAS millimetres.
    """

    rank: int
    determinant: float
    cell: tuple[int, ...]
    index: tuple[float, ...]
    voxel: tuple[int, ...]
    place: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class TemplateLevel:
    """The template after one stage or level.

    Attributes
    ----------
    name : str
        Which.
    distance : (*result.box) float32
        Signed distance to its surface, positive inside.
    """

    name: str
    distance: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ResultField:
    """A result's deformation, as it stands or before its folds were repaired.

    What is derived is computed when it is first asked for, and kept: nothing here is for a window's thread.

    Attributes
    ----------
    result : Segmentation
        Whose.
    before : bool
        Whether it is the deformation as it was before the repair. Where nothing was repaired the two are one.
    """

    result: Segmentation
    before: bool = False

    @property
    def frame(self) -> Frame:
        """The grid of the displacement."""
        return self.result.displacement.frame

    @cached_property
    def displacement(self) -> Displacement:
        """The deformation."""
        if not self.before or self.result.unfolded is None:
            return self.result.displacement
        return Displacement(self.result.unfolded.before(), self.frame)

    @cached_property
    def jacobian(self) -> JacobianMap:
        """Its determinants."""
        if not self.before or self.result.unfolded is None:
            return self.result.jacobian
        return jacobian_map(self.displacement.values)

    @cached_property
    def unrepaired(self) -> ResultField | None:
        """The deformation before its repair; None where nothing was repaired, or this is it."""
        return None if self.before or self.result.unfolded is None else ResultField(self.result, before=True)

    def shifts(self) -> tuple[float, float]:
        """Mean and greatest length of u within the mask, in mm; 0 where the mask is empty."""
        result = self.result
        there = self.displacement.resampled(result.volume.frame.crop(result.box)).in_millimetres()[result.mask]
        lengths = np.linalg.norm(there, axis=-1)
        return (float(lengths.mean()), float(lengths.max())) if lengths.size else (0.0, 0.0)

    @cached_property
    def longest(self) -> float:
        """Greatest length of u anywhere, in mm."""
        # The squares are summed component by component: with `in_millimetres` 128x128x96 voxels took 3 times as long.
        frame = self.frame
        axes = frame.affine[:3, : frame.ndim]
        squares = np.zeros(frame.shape, np.float32)
        values = self.displacement.values
        gram = (axes.T @ axes).astype(np.float32)
        for one in range(frame.ndim):
            for other in range(frame.ndim):
                if abs(gram[one, other]) > 1e-9:
                    squares += gram[one, other] * values[one] * values[other]
        return float(np.sqrt(max(float(squares.max()), 0.0)))

    def worst_cells(self, number: int = 30, *, apart: int = 0) -> list[WorstCell]:
        """The cells with the least determinants, worst first, of those within the image.

        Parameters
        ----------
        number : int
            How many.
        apart : int
            Only cells that have no worse one within so many along every axis: places rather than cells.
        """
        volume, frame = self.result.volume, self.frame
        ndim = frame.ndim
        # The field may reach beyond the image, where there is nothing to see.
        to_field = volume.frame.index_in(frame)
        ends = to_field[:ndim, :ndim] @ np.array([[0.0] * ndim, volume.shape]).T + to_field[:ndim, 3:]
        within = tuple((round(float(low)), round(float(high))) for low, high in ends)
        to_image = frame.index_in(volume.frame)
        found = []
        for rank, (cell, least) in enumerate(worst_cells(self.jacobian, number, within=within, apart=apart), start=1):
            index = to_image[:ndim, :ndim] @ cell + to_image[:ndim, 3]
            nearest = np.clip(np.round(index), 0, np.array(volume.shape) - 1).astype(np.int64)
            found.append(
                WorstCell(
                    rank,
                    least,
                    cell,
                    tuple(map(float, index)),
                    tuple(volume.index_to_stored(nearest[None])[0].tolist()),
                    tuple(map(float, frame.world(np.array(cell)))),
                )
            )
        return found

    def histogram(self, bins: int = 60, *, log: bool = False, like: Histogram | None = None) -> Histogram:
        """How many cells have which least determinant: all of them, as the certificate counts folds.

        See `determinant_histogram`.
        """
        return determinant_histogram(self.jacobian, bins, log=log, like=like)

    def reach(self, *, log: bool = False) -> float:
        """How far from 1 a scale of determinants reaches on either side: as far as 99 % of the voxels.

        Parameters
        ----------
        log : bool
            In halvings and doublings, from 0.5 to 4 of them. Else from 0.25 to 1, so that no scale reaches below 0,
            what folds is at its end in any case, and what nearly folds is told from what is only squeezed.
        """
        values = self.jacobian.at_voxels.reshape(-1)
        sample = values[:: max(values.size // _SAMPLE, 1)]
        if log:
            sample = sample[sample > 0]
            spread = np.quantile(np.abs(np.log2(sample)), 0.99) if sample.size else 1.0
            return float(np.clip(spread, 0.5, 4.0))
        return float(np.clip(np.quantile(np.abs(sample - 1.0), 0.99), 0.25, 1.0))

    def template_at(self, share: float) -> NDArray[np.bool_]:
        """The template on its way along the deformation.

        Parameters
        ----------
        share : float
            By what the displacement is multiplied: 0 is the placed template, 1 the whole way.

        Returns
        -------
        (*result.box) bool
            Where the template is, then. At 1 this is the result's mask, with all that was done to it after the
            deformation; before the repair it is what the template came to.
        """
        if share >= 1.0 and not self.before:
            return self.result.mask
        inside: NDArray[np.bool_] = self._distance(self.result.placement, self.displacement, share) > 0
        return inside

    def template_levels(self) -> list[TemplateLevel]:
        """The template after each stage of the fit or level of the network, the whole deformation last."""
        result = self.result
        levels = [TemplateLevel(one.name, self._distance(one.placement, one.displacement, 1.0)) for one in result.way]
        if not any(one.displacement is None for one in result.way):
            levels.insert(0, TemplateLevel("undeformed", self._distance(result.placement, None, 0.0)))
        if self.unrepaired is not None:
            field = self.unrepaired.displacement
            levels.append(TemplateLevel("before repair", self._distance(result.placement, field, 1.0)))
        name = "before repair" if self.before else "deformed"
        levels.append(TemplateLevel(name, self._distance(result.placement, self.displacement, 1.0)))
        return levels

    def on_voxels(self) -> tuple[Displacement, JacobianMap]:
        """Displacement and determinants on the image's own voxels, as files have them."""
        return on_lattice(self.displacement, self.jacobian, self.result.volume.frame)

    def _distance(self, placement: Placement, displacement: Displacement | None, share: float) -> NDArray[np.float32]:
        grid = self.result.volume.frame.crop(self.result.box)
        if displacement is None:
            displacement, share = self.result.displacement, 0.0
        return warped_distance(self.result.prior, placement, grid, displacement.values, displacement.frame, share=share)
