"""Canonical volumes, what napari shows of them, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from napari.layers import Image, Labels

from napari_toposeg.docks.display import (
    frame_arguments,
    from_display,
    image_layer_data,
    layout_of,
    shown_by,
    to_display,
    volume_of_layer,
    voxels_of_layer,
)
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import picture_volume
from napari_toposeg.frame import Frame, box_slices
from napari_toposeg.volume import Volume


def some_volume(shape: tuple[int, ...], orientation: str = "RAS") -> Volume:
    """Numbered voxels in a file whose axes run this way."""
    letters = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.eye(4)
    for axis, letter in enumerate(orientation):
        world, sign = letters[letter]
        affine[:3, axis] = 0.0
        affine[world, axis] = sign * (1.0 + 0.5 * axis)
    affine[:3, 3] = 3.0, -20.0, 7.5
    return Volume.from_stored(np.arange(np.prod(shape)).reshape(shape), affine)


def layer_of(volume: Volume) -> Image:
    data, arguments = image_layer_data(volume)
    return Image(data, **arguments)


shapes = some.lists(some.integers(2, 5), min_size=2, max_size=3).map(tuple)


@given(shapes)
def test_what_is_shown_comes_back_and_nothing_is_copied(shape) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    assert np.array_equal(from_display(to_display(array)), array)
    assert np.shares_memory(to_display(array), array)


@settings(max_examples=25, deadline=None)
@given(some.tuples(*[some.integers(2, 5)] * 3), some.sampled_from(["RAS", "LPS", "SRA", "PIL", "ILP"]))
def test_the_world_of_napari_is_minus_ras_reversed(shape, orientation) -> None:
    volume = some_volume(shape, orientation)
    layer = layer_of(volume)
    for index in np.ndindex(*layer.data.shape):
        place = -np.array(layer.data_to_world(index))[::-1]
        stored = np.linalg.inv(volume.stored.affine) @ [*place, 1.0]
        file_index = tuple(np.round(stored[:3]).astype(int))
        assert layer.data[index] == np.arange(np.prod(shape)).reshape(shape)[file_index]


def test_axial_coronal_and_sagittal_slices_are_upright_and_radiological() -> None:
    layer = layer_of(some_volume((4, 5, 6)))
    ras = -np.array([layer.data_to_world(np.eye(3)[axis]) for axis in range(3)])[:, ::-1]
    steps = ras + np.array(layer.data_to_world(np.zeros(3)))[::-1]
    # Rows run from head to foot or from front to back, columns from right to left.
    assert (np.sign(np.round(steps, 9)) == [[0, 0, -1], [0, -1, 0], [-1, 0, 0]]).all()


def test_a_picture_comes_out_as_drawn() -> None:
    drawn = np.arange(12).reshape(3, 4)
    assert np.array_equal(image_layer_data(picture_volume(drawn))[0], drawn)


def test_every_layer_has_the_unit_of_its_spacing() -> None:
    for shape in ((4, 5), (4, 5, 6)):
        arguments = frame_arguments(Frame(np.diag([1.0, 2.0, 3.0, 1.0]), shape))
        assert arguments["units"] == ("mm",) * len(shape)
        assert list(arguments["scale"]) == [3.0, 2.0, 1.0][3 - len(shape) :]


@settings(max_examples=30, deadline=None)
@given(some.data(), some.tuples(*[some.integers(3, 7)] * 3))
def test_a_box_lies_over_the_voxels_that_it_holds(data, shape) -> None:
    volume = some_volume(shape, "LPS")
    layer = layer_of(volume)
    layout = layout_of(layer)
    lows = [data.draw(some.integers(0, size - 1)) for size in shape]
    box = tuple((low, data.draw(some.integers(low + 1, size))) for low, size in zip(lows, shape, strict=True))
    assert layout.canonical_box(layout.box(box)) == box
    part = Image(layout.array(volume.voxels[box_slices(box)]), **layout.box_arguments(box))
    for index in np.ndindex(*part.data.shape):
        there = np.round(layer.world_to_data(part.data_to_world(index))).astype(int)
        assert part.data[index] == layer.data[tuple(there)]
    assert np.array_equal(np.asarray(layer.data)[box_slices(layout.box(box))], part.data)


def test_vectors_point_where_their_voxels_go() -> None:
    volume = some_volume((4, 5, 6), "LPS")
    layout = layout_of(layer_of(volume))
    start, end = np.array([1.0, 2.0, 3.0]), np.array([1.5, 1.0, 5.0])
    field = np.broadcast_to((end - start)[:, None, None, None], (3, 4, 5, 6))
    shown = layout.vectors(field)[(slice(None), *layout.index(start).astype(int))]
    assert np.allclose(layout.index(start) + shown, layout.index(end))
    assert np.allclose(layout.canonical_index(layout.index(end)), end)


def test_an_oblique_image_is_shown_along_its_own_axes_and_keeps_its_affine() -> None:
    turn = np.deg2rad(20.0)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, 3] = 10.0, 20.0, 30.0
    volume = Volume.from_stored(np.zeros((4, 5, 6)), affine)
    layer = layer_of(volume)
    assert np.allclose(np.asarray(layer.affine), np.eye(4))
    assert np.array_equal(layer.metadata["affine"], affine)
    assert volume_of_layer(layer) is volume


def test_a_layer_of_another_plugin_keeps_its_scale_and_its_place() -> None:
    layer = Image(np.random.default_rng(0).random((4, 5, 6)), scale=(2.0, 1.0, 0.5), translate=(10.0, -4.0, 3.0))
    volume = volume_of_layer(layer)
    assert np.allclose(volume.spacing, [0.5, 1.0, 2.0])
    assert np.array_equal(to_display(volume.voxels), layer.data)
    assert np.allclose(layout_of(layer).world([0, 0, 0]), -volume.frame.world([0, 0, 0])[::-1])


def test_a_layer_of_napari_nifti_gives_back_the_file_and_its_affine() -> None:
    # Its axes run to the head, front and right, and a negative scale turns them on the screen.
    volume = some_volume((4, 5, 6), "LPS")
    layer = Image(
        volume.voxels.transpose(),
        scale=-volume.spacing[::-1],
        translate=(volume.spacing * (np.array(volume.shape) - 1))[::-1],
        metadata={"affine": volume.stored.affine},
    )
    shown = shown_by(layer)
    assert np.array_equal(shown.volume.voxels, volume.voxels)
    assert np.allclose(shown.volume.stored.affine, volume.stored.affine)
    layout = layout_of(layer)
    box = ((0, 2), (1, 4), (3, 6))
    part = Image(layout.array(volume.voxels[box_slices(box)]), **layout.box_arguments(box))
    first = np.round(layer.world_to_data(part.data_to_world((0, 0, 0)))).astype(int)
    assert layer.data[tuple(first)] == part.data[0, 0, 0]


def test_colours_become_luminance_and_more_axes_are_refused() -> None:
    grey = volume_of_layer(Image(np.full((5, 6, 3), 100, np.uint8), rgb=True))
    assert grey.shape == (6, 5)
    assert np.allclose(grey.voxels, 100, atol=0.1)
    with pytest.raises(ToposegError, match="4 axes"):
        volume_of_layer(Image(np.zeros((2, 4, 5, 6)), name="series"))


def test_labels_on_another_grid_are_refused_and_those_on_the_same_are_turned() -> None:
    volume = some_volume((4, 5, 6), "LPS")
    image = layer_of(volume)
    mask = volume.voxels % 3 == 0
    same = Labels(to_display(mask.astype(np.uint8)), **frame_arguments(volume.frame))
    assert np.array_equal(voxels_of_layer(same, image) != 0, mask)
    with pytest.raises(ToposegError, match="another grid"):
        voxels_of_layer(Labels(np.ones((3, 4, 5), np.uint8)), image)
