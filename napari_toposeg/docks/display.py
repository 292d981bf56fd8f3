"""The one place that maps canonical volumes to what napari shows, and back.

Canonical voxels count to the patient's right, front and head. napari draws the last axis to the right, the one before
it downwards, and a slider along the first. So an image is shown with its axes reversed and all of them flipped:
the slider runs from head to foot, rows from front to back, columns from right to left. A slice of any direction is
then upright and in the radiological convention, whichever way the axes are rolled; the volume is not mirrored in 3-D,
where napari's first axis points towards the viewer; and a picture comes out as drawn. Nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from nibabel.affines import apply_affine
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import on_grid_of
from napari_toposeg.frame import Box, Frame
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari.layers import Layer

METADATA = "napari-toposeg"
"""Key of a layer's metadata under which `Shown` is kept."""

Array = TypeVar("Array", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Shown:
    """What a layer shows, kept in its metadata.

    Attributes
    ----------
    volume : Volume
        The image, or the image on whose grid a mask lies.
    flipped : bool
        Whether the layer's indices run against the canonical ones, as ours do; the axes are reversed in any case.
    """

    volume: Volume
    flipped: bool = True


def to_display(array: NDArray[Array], *, flipped: bool = True) -> NDArray[Array]:
    """Turn a canonical array into the one that napari shows.

    Parameters
    ----------
    array : (*grid) array
        Two or three axes.
    flipped : bool
        As in `Shown`.

    Returns
    -------
    array
        A view.
    """
    reversed_axes = array.transpose()
    return np.flip(reversed_axes) if flipped else reversed_axes


def from_display(array: NDArray[Array], *, flipped: bool = True) -> NDArray[Array]:
    """Turn what napari shows into a canonical array: a view. The same turn as `to_display`, which undoes itself."""
    return to_display(array, flipped=flipped)


def image_layer_data(volume: Volume) -> tuple[NDArray[Any], dict[str, Any]]:
    """The data of an image layer and how to add it: ``viewer.add_image(data, **arguments)``."""
    arguments = frame_arguments(volume.frame)
    arguments["name"] = volume.name
    # The true affine stands here for whoever reads it: napari slices only along the axes of its world.
    arguments["metadata"] = {METADATA: Shown(volume), "affine": volume.stored.affine}
    return to_display(volume.voxels), arguments


def frame_arguments(frame: Frame) -> dict[str, Any]:
    """Scale, translate and units of a layer that shows a canonical grid.

    napari's world is then minus the RAS millimetres in reversed order. For an oblique grid it is measured along the
    grid's own axes, so that its slices are the file's slices.
    """
    ndim = frame.ndim
    directions = frame.affine[:3, :3] / np.linalg.norm(frame.affine[:3, :3], axis=0)
    origin = np.linalg.solve(directions, frame.affine[:3, 3])[:ndim]
    last = origin + frame.spacing * (np.array(frame.shape) - 1)
    return {"scale": frame.spacing[::-1], "translate": -last[::-1], "units": ("mm",) * ndim}


@dataclass(frozen=True, eq=False)
class Layout:
    """How the canonical voxels of an image lie in its layer and in napari's world, whichever plugin made the layer.

    Attributes
    ----------
    shape : tuple of int
        The image's canonical shape.
    flipped : bool
        As in `Shown`.
    linear, origin : (ndim, ndim) and (ndim,) float64
        From the layer's data indices to its parent's world, before `arguments["affine"]`.
    arguments : dict
        What a derived layer takes over as it is: affine, rotate, shear, units.
    """

    shape: tuple[int, ...]
    flipped: bool
    linear: NDArray[np.float64]
    origin: NDArray[np.float64]
    scale: NDArray[np.float64]
    arguments: dict[str, Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def array(self, canonical: NDArray[Array]) -> NDArray[Array]:
        """A canonical array, of the image or of a box of it, as its layer shows it; a view."""
        return to_display(canonical, flipped=self.flipped)

    def canonical(self, array: NDArray[Array]) -> NDArray[Array]:
        """The way back from `array`."""
        return from_display(array, flipped=self.flipped)

    def index(self, canonical: NDArray[Any]) -> NDArray[np.float64]:
        """Data indices in the image's layer of canonical voxel indices (..., ndim); not necessarily whole."""
        canonical = np.asarray(canonical, float)
        turned = np.array(self.shape) - 1 - canonical if self.flipped else canonical
        return turned[..., ::-1]

    def canonical_index(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """The way back from `index`."""
        turned = np.asarray(index, float)[..., ::-1]
        return np.array(self.shape) - 1 - turned if self.flipped else turned

    def box(self, canonical: Box) -> Box:
        """A canonical box as ranges of the layer's data indices."""
        if self.flipped:
            canonical = tuple(
                (size - high, size - low) for (low, high), size in zip(canonical, self.shape, strict=True)
            )
        return tuple(reversed(canonical))

    def canonical_box(self, box: Box) -> Box:
        """The way back from `box`."""
        turned = tuple(reversed(box))
        if self.flipped:
            turned = tuple((size - high, size - low) for (low, high), size in zip(turned, self.shape, strict=True))
        return turned

    def vectors(self, canonical: NDArray[Any]) -> NDArray[Any]:
        """Vectors (ndim, *grid) in canonical voxels, as the layer shows them: both components and grid are turned."""
        turned = np.stack([self.array(component) for component in canonical[::-1]])
        return -turned if self.flipped else turned

    def world(self, canonical: NDArray[Any]) -> NDArray[np.float64]:
        """World position in napari of canonical voxel indices (..., ndim)."""
        inner = self.index(canonical) @ self.linear.T + self.origin
        return apply_affine(np.asarray(self.arguments["affine"]), inner)

    def grid_arguments(self, low: NDArray[Any], step: NDArray[Any], shape: tuple[int, ...]) -> dict[str, Any]:
        """How to add a layer that shows another canonical grid, along the same axes.

        Parameters
        ----------
        low : (ndim,) array
            Where its first voxel lies, in canonical voxels of the image.
        step : (ndim,) array
            How far its voxels are apart, in canonical voxels of the image.
        shape : tuple of int
            Its canonical shape.
        """
        step = np.asarray(step, float)
        first = np.asarray(low, float) + (step * (np.array(shape) - 1) if self.flipped else 0.0)
        return {
            **self.arguments,
            "scale": self.scale * step[::-1],
            "translate": self.index(first) @ self.linear.T + self.origin,
        }

    def box_arguments(self, box: Box) -> dict[str, Any]:
        """How to add a layer that shows a canonical box of the image, voxel for voxel."""
        low = np.array([start for start, _ in box])
        return self.grid_arguments(low, np.ones(self.ndim), tuple(high - start for start, high in box))

    def frame_arguments(self, frame: Frame, volume: Volume) -> dict[str, Any]:
        """How to add a layer that shows a grid along the volume's axes, such as that of its displacement."""
        matrix = frame.index_in(volume.frame)
        return self.grid_arguments(matrix[: self.ndim, 3], np.diag(matrix)[: self.ndim], frame.shape)


def layout_of(layer: Layer) -> Layout:
    """How the image's canonical voxels lie in this layer, as it stands now: scale and translate may be edited."""
    shown = shown_by(layer)
    data_axes = shown.volume.ndim
    total = np.array([layer.data_to_world(corner) for corner in np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])])
    outer = np.asarray(layer.affine)
    inner = apply_affine(np.linalg.inv(outer), total)[:, -data_axes:]
    return Layout(
        shape=shown.volume.shape,
        flipped=shown.flipped,
        linear=(inner[-data_axes:] - inner[0]).T,
        origin=inner[0],
        scale=np.asarray(layer.scale)[-data_axes:],
        arguments={"affine": outer, "rotate": layer.rotate, "shear": layer.shear, "units": layer.units},
    )


def shown_by(layer: Layer) -> Shown:
    """What an image or labels layer shows; its volume is made, and kept, where another plugin made the layer.

    Raises
    ------
    ToposegError
        If it has another number of axes than two or three.
    """
    kept = layer.metadata.get(METADATA)
    if isinstance(kept, Shown) and kept.volume.shape == _spatial_shape(layer)[::-1]:
        return kept
    shown = _shown_of_another_plugin(layer)
    layer.metadata[METADATA] = shown
    return shown


def volume_of_layer(layer: Layer) -> Volume:
    """The image that a layer shows, or on whose grid its labels lie. See `shown_by`."""
    return shown_by(layer).volume


def voxels_of_layer(layer: Layer, image: Layer) -> NDArray[Any]:
    """The values of a labels layer on the canonical grid of an image's layer.

    Raises
    ------
    ToposegError
        If it lies on another grid.
    """
    volume, labels = shown_by(image), _spatial(layer)
    ends = [np.zeros(layer.ndim), np.array(layer.data.shape[-layer.ndim :]) - 1]
    last = [np.zeros(image.ndim), np.array(_finest(image).shape[: image.ndim]) - 1]
    if labels.shape[::-1] == volume.volume.shape and all(
        np.allclose(layer.data_to_world(one)[-labels.ndim :], image.data_to_world(other)[-labels.ndim :], atol=1e-3)
        for one, other in zip(ends, last, strict=True)
    ):
        # Drawn over the image in napari: whatever its metadata say, it lies where it is seen.
        return from_display(labels, flipped=volume.flipped)
    shown = shown_by(layer)
    return on_grid_of(from_display(labels, flipped=shown.flipped), shown.volume, volume.volume)


def _finest(layer: Layer) -> Any:
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def _spatial_shape(layer: Layer) -> tuple[int, ...]:
    """Shape of the layer's data without colours and without leading axes of a single entry."""
    shape = tuple(_finest(layer).shape)
    shape = shape[:-1] if getattr(layer, "rgb", False) else shape
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _spatial(layer: Layer) -> NDArray[Any]:
    """The layer's data of `_spatial_shape`; colours become their luminance as ITU-R 601 weighs it."""
    array = np.asarray(_finest(layer))
    if getattr(layer, "rgb", False):
        array = (array[..., :3] @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    return array.reshape(_spatial_shape(layer))


def _shown_of_another_plugin(layer: Layer) -> Shown:
    array = _spatial(layer)
    if array.ndim not in (2, 3):
        raise ToposegError(
            f"The layer {layer.name!r} has {array.ndim} axes.",
            why="Only 2-D and 3-D images can be segmented.",
            todo="Take one frame or channel out of it first: Layers > Split Stack.",
        )
    affine = layer.metadata.get("affine")
    if affine is not None and np.shape(affine) == (4, 4) and array.ndim == 3:
        # napari-nifti: axes head, front, right, drawn downwards by a negative scale; the affine is that of the file.
        affine = np.asarray(affine, float)
        canonical = array.transpose()
        orientation = io_orientation(affine)
        stored = apply_orientation(canonical, _inverse(orientation))
        path = layer.source.path
        return Shown(Volume.from_stored(stored, affine, name=layer.name, path=path and str(path)), flipped=False)
    return Shown(_volume_in_display_order(array, layer))


def _inverse(orientation: NDArray[Any]) -> NDArray[np.float64]:
    back = np.empty((3, 2))
    for axis, (canonical_axis, sign) in enumerate(orientation):
        back[int(canonical_axis)] = axis, sign
    return back


def _volume_in_display_order(array: NDArray[Any], layer: Layer) -> Volume:
    """A volume of an array that says nothing about a patient: its axes are taken as those that we display."""
    ndim = array.ndim
    scale = np.abs(np.asarray(layer.scale, float)[-ndim:])
    translate = np.asarray(layer.translate, float)[-ndim:]
    canonical = from_display(array)
    affine = np.eye(4)
    affine[range(ndim), range(ndim)] = scale[::-1]
    affine[:ndim, 3] = -(translate + scale * (np.array(array.shape) - 1))[::-1]
    path = layer.source.path
    return Volume.from_stored(canonical, affine, name=layer.name, path=path and str(path))


__all__ = [
    "METADATA",
    "Layout",
    "Shown",
    "frame_arguments",
    "from_display",
    "image_layer_data",
    "layout_of",
    "shown_by",
    "to_display",
    "volume_of_layer",
    "voxels_of_layer",
]
