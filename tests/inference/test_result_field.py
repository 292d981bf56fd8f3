"""What a deformation was on its way: after the stages of a fit, after the levels of a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_toposeg.data import phantom
from napari_toposeg.deformation import jacobian_map, resize
from napari_toposeg.frame import box_of, box_slices, grow_box
from napari_toposeg.inference import (
    ResultField,
    Settings,
    TrainedNetwork,
    Window,
    segment,
    segment_by_network,
    site_in_box,
)
from napari_toposeg.inference.grids import WORKING_VOXELS
from napari_toposeg.inference.prediction import look
from napari_toposeg.networks import build, settings_from_dict
from napari_toposeg.priors import find_prior, signed_distance
from napari_toposeg.steps import last


def placed(prior: str, shape: tuple[int, ...]):
    image = phantom(prior, shape, seed=3)
    template = find_prior(prior)
    site = site_in_box(template, image.volume, grow_box(box_of(image.mask), [1] * image.mask.ndim))
    return image, template, site


def on_box(result, frame_mask: np.ndarray) -> np.ndarray:
    return frame_mask[box_slices(result.box)]


def test_a_fit_leaves_the_template_as_placed_as_moved_and_after_each_grid() -> None:
    image, prior, site = placed("annulus", (64, 60))
    result = last(segment(image.volume, prior, site, Settings(iterations=24, certify="report")))
    names = [one.name for one in result.way]
    assert names == ["as placed", "affine stage", "grid 1", "grid 2"]
    assert np.array_equal(result.way[0].placement.matrix, site.placement.matrix)
    assert np.array_equal(result.way[1].placement.matrix, result.placement.matrix)
    levels = ResultField(result).template_levels()
    assert [level.name for level in levels] == [*names, "deformed"]
    for level, placement in ((levels[0], site.placement), (levels[1], result.placement)):
        inside = signed_distance(prior, placement, image.volume.frame).numpy() > 0
        assert np.array_equal(level.distance > 0, on_box(result, inside)), level.name
    # Nothing was repaired: the last level is the mask.
    assert np.array_equal(levels[-1].distance > 0, result.mask)
    # What is kept of the way is on the working grids, however large the region.
    for one, most in zip(result.way[2:], WORKING_VOXELS[2], strict=False):
        assert np.prod(one.displacement.frame.shape) <= 1.1 * most


@pytest.mark.parametrize("levels", [2, 3])
def test_the_levels_of_a_network_are_composed_one_after_the_other(levels) -> None:
    image, prior, site = placed("disk", (48, 44))
    network = build(
        "mltpsn", settings_from_dict("mltpsn", {"ndim": 2, "features": 2, "resolutions": 2, "levels": levels})
    )
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
    trained = TrainedNetwork(network, Window((32, 32)))
    result = last(segment_by_network(image.volume, prior, site, trained, Settings(certify="report")))
    assert [one.name for one in result.way] == [
        "as shown to the network",
        *(f"level {number} of {levels}" for number in range(1, levels)),
    ]
    shown = look(image.volume, (prior,), site, trained)
    answer = trained.deformed(shown.image, shown.templates, torch.device("cpu"))
    first = resize(answer.levels[0], shown.frame.shape)[0].numpy()
    assert np.allclose(result.way[1].displacement.values, first, atol=1e-5)
    assert result.way[1].displacement.frame is not None
    found = ResultField(result).template_levels()
    assert not np.array_equal(found[0].distance > 0, found[1].distance > 0)
    assert np.array_equal(found[-1].distance > 0, result.mask)


def test_the_field_before_its_repair_folds_where_the_repair_says_so() -> None:
    image, prior, site = placed("disk", (48, 44))
    loose = Settings(iterations=40, jacobian_weight=0.0, laplacian_weight=0.0, gradient_weight=0.0)
    result = last(segment(image.volume, prior, site, loose))
    assert result.unfolded is not None
    before, after = ResultField(result, before=True), ResultField(result)
    assert before.jacobian.folding == result.unfolded.repaired_cells > 0
    assert after.jacobian.folding == 0
    assert jacobian_map(before.displacement.values).folding == before.jacobian.folding
    moved = (before.displacement.values != after.displacement.values).any(axis=0)
    assert moved.sum() == result.unfolded.moved_voxels
    assert before.worst_cells(1)[0].determinant < 0 < after.worst_cells(1)[0].determinant
    names = [level.name for level in after.template_levels()]
    assert names[-2:] == ["before repair", "deformed"]
    assert [level.name for level in before.template_levels()][-1] == "before repair"


def test_lengths_are_those_of_the_field_in_millimetres() -> None:
    image, prior, site = placed("disk", (48, 44))
    result = last(segment(image.volume, prior, site, Settings(iterations=12)))
    field = ResultField(result)
    lengths = np.linalg.norm(result.displacement.in_millimetres(), axis=-1)
    assert np.isclose(field.longest, lengths.max(), rtol=1e-5)
    mean, greatest = field.shifts()
    assert 0 < mean <= greatest <= field.longest + 1e-4
