"""What is drawn of a displacement."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_toposeg.deformation import Displacement
from napari_toposeg.docks.display import image_layer_data, layout_of
from napari_toposeg.docks.field_view import FieldView, inside_image
from napari_toposeg.volume import Volume


@pytest.fixture
def volume() -> Volume:
    return Volume.from_stored(np.zeros((20, 24, 16)), np.diag([1.0, 1.0, 2.0, 1.0]))


def view_of(volume: Volume, displacement: Displacement) -> FieldView:
    data, arguments = image_layer_data(volume)
    return FieldView.of(displacement, volume, layout_of(Image(data, **arguments)))


def test_a_field_that_reaches_beyond_the_image_is_drawn_within_it_only(volume) -> None:
    frame = volume.frame.crop(((-3, 10), (4, 30), (2, 9)))
    displacement = Displacement(np.ones((3, *frame.shape), np.float32), frame)
    assert inside_image(displacement.frame, volume) == ((3, 13), (0, 20), (0, 7))
    view = view_of(volume, displacement)
    arrows = view.arrows(1, 1.0, axes=[1, 2], at=3)
    assert len(arrows) == 20 * 10
    assert (arrows[:, 0, 1] >= 6).all()  # front to back: the first six rows lie before the image
    assert view.arrows(1, 1.0, axes=[1, 2], at=9).shape == (0, 2, 3)


def test_arrows_are_projected_into_the_slice_and_lengthened(volume) -> None:
    values = np.stack([np.full(volume.shape, part, np.float32) for part in (1.0, 2.0, 3.0)])
    view = view_of(volume, Displacement(values, volume.frame))
    assert np.allclose(view.arrows(4, 2.0, axes=[1, 2], at=5)[:, 1], [0.0, -4.0, -2.0])
    assert np.allclose(view.arrows(4, 1.0, axes=[0, 1, 2], at=0)[:, 1], [-3.0, -2.0, -1.0])


def test_the_grid_of_no_deformation_is_straight(volume) -> None:
    view = view_of(volume, Displacement.identity(volume.frame))
    pieces = view.grid_lines(5, axes=[1, 2], at=3)
    rows = np.isclose(pieces[:, 1, 1], 0.0) & np.isclose(pieces[:, 0, 1] % 5, 0.0)
    columns = np.isclose(pieces[:, 1, 2], 0.0) & np.isclose(pieces[:, 0, 2] % 5, 0.0)
    assert (rows | columns).all()
    assert np.allclose(pieces[:, 0, 0], 3)


def test_the_grid_moves_with_the_template(volume) -> None:
    # With u = +2 a voxel shows what the template has 2 voxels further to the front: the template went back,
    # which is down on the screen.
    values = np.zeros((3, *volume.shape), np.float32)
    values[1] = 2.0

    def rows(displacement: Displacement) -> list[int]:
        pieces = view_of(volume, displacement).grid_lines(6, axes=[1, 2], at=3)
        return sorted({round(float(row)) for row in pieces[np.isclose(pieces[:, 1, 1], 0.0), 0, 1]})

    assert rows(Displacement.identity(volume.frame)) == [0, 6, 12, 18]
    assert rows(Displacement(values, volume.frame)) == [2, 8, 14, 20]
