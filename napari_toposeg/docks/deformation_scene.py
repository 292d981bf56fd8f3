"""What the layers of a deformation show: arrays, made in the compute thread, in the order in which layers have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.display import Layout
from napari_toposeg.docks.field_colours import length_rgba, level_colours, rgba_of
from napari_toposeg.docks.field_view import FieldView, contour_pieces, inside_image
from napari_toposeg.frame import Box, Frame, box_slices
from napari_toposeg.inference import ResultField


@dataclass(frozen=True)
class Cut:
    """A slice of a grid: the axes that are seen, in the layer's order, and where it lies along the other."""

    axes: tuple[int, ...]
    at: int

    @property
    def flat(self) -> tuple[int, ...]:
        """The two axes in which lines are drawn: in 3-D those of a slice that is seen from above."""
        return (1, 2) if len(self.axes) == 3 else self.axes


@dataclass(frozen=True, eq=False)
class Lines:
    """Short pieces or arrows (N, 2, ndim), in data indices, and a colour (N, 4) of each, or one of all."""

    pieces: NDArray[np.float32]
    colours: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """Values of a box of the displacement's grid or of the image's, and the ends of their scale where it has one."""

    values: NDArray[Any]
    limits: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Scene:
    """A deformation in the layout of the image's layer. All but its attributes is for the compute thread.

    Attributes
    ----------
    field : ResultField
        The deformation.
    layout : Layout
        How the image lies in its layer.
    """

    field: ResultField
    layout: Layout

    @property
    def inside(self) -> Box:
        """The part of the displacement's grid that lies within the image: all that layers show."""
        return inside_image(self.field.frame, self.field.result.volume)

    @property
    def mask_frame(self) -> Frame:
        """The grid of the mask's box."""
        return self.field.result.volume.frame.crop(self.field.result.box)

    @cached_property
    def view(self) -> FieldView:
        """The displacement as its layers see it."""
        return FieldView.of(self.field.displacement, self.field.result.volume, self.layout)

    @cached_property
    def level_names(self) -> tuple[str, ...]:
        """What the template's levels are called, first to last."""
        return tuple(level.name for level in self._levels)

    @cached_property
    def _levels(self) -> list[Any]:
        return self.field.template_levels()

    def arrows(self, stride: int, length: float, cut: Cut) -> Lines:
        """Displacement vectors, coloured by how long the displacement is."""
        arrows = self.view.arrows(stride, length, axes=cut.axes, at=cut.at)
        share = self.view.lengths(arrows, self.field.frame.spacing) / max(self.field.longest, 1e-6)
        return Lines(arrows, length_rgba(share))

    def grid(self, spacing: int, share: float, cut: Cut) -> Lines:
        """The warped grid."""
        return Lines(self.view.grid_lines(spacing, axes=cut.flat, at=cut.at, share=share))

    def levels(self, hidden: Sequence[int], cut: Cut) -> Lines:
        """The template's contour after each level but those that are hidden, in one slice."""
        tones = level_colours(len(self._levels))
        pieces, shades = [np.zeros((0, 2, self.layout.ndim), np.float32)], [np.zeros((0, 4))]
        for number, level in enumerate(self._levels):
            distance = self.layout.array(level.distance)
            hidden_axis = [axis for axis in range(distance.ndim) if axis not in cut.flat]
            if number in hidden or any(not 0 <= cut.at < distance.shape[axis] for axis in hidden_axis):
                continue
            plane = distance[tuple(slice(None) if axis in cut.flat else cut.at for axis in range(distance.ndim))]
            found = contour_pieces(plane, [0.0], sorted(cut.flat), cut.at, [0] * distance.ndim)
            pieces.append(found)
            shades.append(np.tile(rgba_of(tones[number]), (len(found), 1)))
        return Lines(np.concatenate(pieces), np.concatenate(shades))

    def template(self, share: float) -> Picture:
        """The template on its way, on the mask's box."""
        return Picture(self.layout.array(self.field.template_at(share).view(np.uint8)))

    def jacobian(self, *, log: bool) -> Picture:
        """The determinants within the image; with `log` in doublings, 0 where nothing is squeezed or stretched."""
        values = self.field.jacobian.at_voxels[box_slices(self.inside)]
        reach = self.field.reach(log=log)
        if log:
            # What folds has no logarithm: it is at the end of the scale.
            return Picture(
                self.layout.array(np.log2(np.maximum(values, np.float32(2.0 ** (-reach - 1))))), (-reach, reach)
            )
        return Picture(self.layout.array(values), (1.0 - reach, 1.0 + reach))

    def folding(self) -> Picture:
        """The voxels of cells that fold, within the image."""
        return Picture(self.layout.array(self.field.jacobian.folding_voxels[box_slices(self.inside)].view(np.uint8)))
