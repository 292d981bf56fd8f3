"""Pictures of barcodes say what the barcode says."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from napari_toposeg.topology.persistence import Barcode, barcode
from napari_toposeg.topology.persistence.plots import DIMENSION_COLOURS, plot_barcode, plot_diagram

PLOTS = [plot_barcode, plot_diagram]


@pytest.fixture(scope="module")
def bars() -> Barcode:
    return barcode(np.random.default_rng(0).uniform(size=(12, 10)))


def many(count: int) -> Barcode:
    rng = np.random.default_rng(0)
    ends = np.sort(rng.uniform(size=(count, 2)), axis=1)
    dimension = rng.integers(0, 3, count).astype(np.int8)
    places = np.zeros((count, 3), int)
    return Barcode((99, 99, 99), 26, dimension, ends[:, 1], ends[:, 0], places, places)


def drawn(figure: Figure) -> dict[str, np.ndarray]:
    """(n, 2) birth and death of what is drawn, by colour."""
    found = {}
    for one in figure.axes[0].collections:
        if isinstance(one, LineCollection):
            segments = np.array(one.get_segments())
            found[to_hex(one.get_colors()[0])] = segments[:, :, 0] if len(segments) else np.zeros((0, 2))
            assert all((line[0, 1] == line[1, 1]) for line in segments)
        elif isinstance(one, PathCollection) and len(one.get_facecolors()):
            found[to_hex(one.get_facecolors()[0])] = np.asarray(one.get_offsets())
    return found


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.mark.parametrize("plot", PLOTS)
def test_every_bar_is_drawn_once_in_the_colour_of_its_dimension(plot, bars):
    found = drawn(plot(bars))
    for dimension, colour in enumerate(DIMENSION_COLOURS[:2]):
        some = bars.of_dimension(dimension)
        expected = np.stack([some.birth, some.death], axis=1)
        np.testing.assert_allclose(found[colour][np.lexsort(found[colour].T)], expected[np.lexsort(expected.T)])


@pytest.mark.parametrize("plot", PLOTS)
def test_the_level_falls_from_left_to_right(plot, bars):
    assert plot(bars).axes[0].get_xlim() == (1.0, 0.0)


def test_the_longest_bar_of_a_dimension_is_on_top(bars):
    axes = plot_barcode(bars.select(np.arange(len(bars))[::-1])).axes[0]
    bottom, top = axes.get_ylim()
    for lines in axes.collections:
        segments = np.array(lines.get_segments())
        from_the_top = np.argsort(np.abs(segments[:, 0, 1] - top))
        assert (np.diff((segments[:, 0, 0] - segments[:, 1, 0])[from_the_top]) <= 0).all()
        assert (np.abs(segments[:, 0, 1] - top) < abs(bottom - top)).all()


@pytest.mark.parametrize("plot", PLOTS)
def test_the_legend_counts_the_bars_and_those_at_the_level(plot, bars):
    numbers = [int(np.sum(bars.dimension == k)) for k in range(2)]
    betti = bars.betti(0.5)
    assert legend(plot(bars)) == [
        f"pieces: {numbers[0]}, {betti[0]} at 0.5",
        f"holes: {numbers[1]}, {betti[1]} at 0.5",
    ]
    assert legend(plot(bars, level=None))[0] == f"pieces: {numbers[0]}"


@pytest.mark.parametrize("plot", PLOTS)
def test_the_legend_says_where_short_bars_were_left_out_before(plot, bars):
    titles = [plot(some).axes[0].get_legend().get_title().get_text() for some in (bars, bars.longer_than(0.25))]
    assert titles == ["", "bars longer than 0.25"]


@pytest.mark.parametrize("plot", PLOTS)
def test_of_too_many_bars_the_longest_are_drawn_and_the_rest_are_counted(plot):
    bars = many(30_000)
    figure = plot(bars, most=50)
    for dimension, colour in enumerate(DIMENSION_COLOURS):
        some = bars.of_dimension(dimension)
        ends = drawn(figure)[colour]
        np.testing.assert_allclose(np.sort(ends[:, 0] - ends[:, 1]), np.sort(some.length)[-50:])
        assert f"({len(some) - 50:,} shortest not drawn)" in legend(figure)[dimension]


def test_the_component_that_never_dies_is_marked_and_no_other(bars):
    def marked(some: Barcode) -> int:
        arrows = [line for line in plot_barcode(some).axes[0].lines if line.get_linestyle() == "None"]
        rings = [
            one
            for one in plot_diagram(some).axes[0].collections
            if isinstance(one, PathCollection) and not len(one.get_facecolors()) and len(one.get_offsets())
        ]
        assert len(arrows) == len(rings)
        return len(arrows)

    assert bars.everlasting.sum() == 1
    assert marked(bars) == 1
    assert marked(bars.select(~bars.everlasting)) == 0


@pytest.mark.parametrize("plot", PLOTS)
def test_no_bars_make_an_empty_picture(plot, bars):
    empty = bars.select(np.zeros(0, int))
    assert legend(plot(empty)) == ["pieces: 0, 0 at 0.5", "holes: 0, 0 at 0.5"]
    plot(empty).savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize("plot", PLOTS)
def test_a_picture_can_be_drawn_in_any_thread_and_on_given_axes(plot, bars):
    files = []

    def draw() -> None:
        figure = Figure()
        axes = figure.add_subplot()
        assert plot(bars, axes, title="heart") is figure
        assert axes.get_title(loc="left") == "heart"
        files.append(io.BytesIO())
        figure.savefig(files[0], format="pdf")

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert files[0].getvalue().startswith(b"%PDF")


def test_neither_matplotlib_is_loaded_with_barcodes_nor_pyplot_with_their_pictures():
    program = (
        "import sys, numpy as np\n"
        "from napari_toposeg.topology.persistence import plots, bars\n"
        "assert 'matplotlib' not in sys.modules\n"
        "none = np.zeros(0); rows = np.zeros((0, 2), int)\n"
        "plots.plot_barcode(bars.Barcode((3, 3), 8, none.astype(np.int8), none, none, rows, rows))\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)


def test_bars_too_short_to_be_seen_are_counted_but_not_drawn():
    p = np.zeros((5, 9))
    p[2, 1], p[2, 4], p[2, 7] = 0.9, 0.5, 0.004
    figure = plot_barcode(barcode(p))
    np.testing.assert_allclose(np.sort(drawn(figure)[DIMENSION_COLOURS[0]][:, 0]), [0.5, 0.9])
    assert "pieces: 3 (1 shortest not drawn)" in legend(figure)[0]
