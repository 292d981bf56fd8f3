"""What levels stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import barcode
from napari_toposeg.topology.persistence import Scale
from napari_toposeg.topology.persistence.plots import plot_barcode, plot_diagram

ENDS = st.floats(-1e4, 1e4)


@given(low=ENDS, width=st.floats(1e-3, 1e4), share=st.floats(0, 1))
def test_a_value_and_its_level_lead_to_each_other(low: float, width: float, share: float) -> None:
    scale = Scale(low, low + width, "")
    assert scale.level(scale.value(share)) == pytest.approx(share, abs=1e-6)
    assert scale.value(0.0) == low


def test_a_map_s_order_is_that_of_its_levels_from_0_to_1() -> None:
    values = np.random.default_rng(0).integers(-900, 3000, (20, 30)).astype(np.int16)
    levels = Scale.of(values, "intensity").levels(values)
    assert (levels.min(), levels.max()) == (0.0, 1.0)
    assert np.array_equal(np.unique(values, return_inverse=True)[1], np.unique(levels, return_inverse=True)[1])


def test_what_has_no_scale_is_refused() -> None:
    with pytest.raises(ToposegError, match="the same value, 3, everywhere"):
        Scale.of(np.full((4, 4), 3), "")
    with pytest.raises(ToposegError, match="infinite or not a number"):
        Scale.of(np.array([0.0, np.inf]), "")


@pytest.mark.parametrize(
    ("low", "high", "level", "text"),
    [(0, 1, 0.25, "0.250"), (-8, 12, 0.4, "0.0"), (0, 4000, 0.5, "2000"), (0, 645, 0.5, "323")],
)
def test_a_level_is_written_as_fine_as_its_scale_is_wide(low: float, high: float, level: float, text: str) -> None:
    assert Scale(low, high, "").text(level) == text


def test_a_picture_has_the_scale_s_round_numbers_where_they_belong() -> None:
    found = barcode(np.random.default_rng(1).random((9, 9)))
    scale = Scale(-3.0, 7.0, "distance, mm")
    axes = plot_barcode(found, scale=scale).axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert "0" in labels
    assert axes.get_xticks()[labels.index("0")] == pytest.approx(0.3)
    assert axes.get_xlabel() == "distance, mm"
    axes = plot_diagram(found, scale=scale).axes[0]
    assert axes.get_ylabel() == "death: distance, mm"
    assert [label.get_text() for label in axes.get_yticklabels()] == labels
