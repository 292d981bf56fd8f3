"""The Segment dock: the network that is asked, what it will take, and what came out in plain words."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_toposeg.docks.display import from_display
from napari_toposeg.docks.placement_panel import Way

WINDOW = "Works on 24 \u00d7 24 \u00d7 24 voxels"


def labels(box: Any) -> list[str]:
    return [box.itemText(number) for number in range(box.count())]


def test_the_shipped_network_is_offered_asked_and_seen_before_it_is_certified(
    ship, window, ball_file, organ_box, tmp_path
) -> None:
    ship("synthetic-ball")
    ship("mine", place=tmp_path / "own_weights")
    dock, method = window.segment, window.segment.method
    window.session.network = None
    window.open(ball_file)
    window.place(organ_box)
    # Why it is that network comes with the list, which is looked up once more when the template stands.
    window.until(lambda: WINDOW in method.expected.text() and "trained with the prior 'ball'" in method.why.text())
    assert labels(method.network) == [
        "Automatic: synthetic-ball", "mine", "synthetic-ball", "Fit this image (Chan-Vese)", "Weights file…",
    ]  # fmt: skip
    # What belongs to the fit alone is not there.
    assert method.refine.isVisible()
    assert not any(widget.isVisible() for widget in (method.moves, method.iterations, method.objective))
    assert not dock.certificate.isVisible()

    previews = []
    window.workspace.signals.steps.connect(lambda steps: previews.append(window.workspace.layers.preview is not None))
    dock.run_button.click()
    window.until(lambda: dock.run_button.isEnabled() and window.session.result is not None)
    result = window.session.result
    assert [network["weights"] for network in result.networks] == ["synthetic-ball"]
    assert any(previews)
    assert np.array_equal(from_display(window.workspace.layers.mask.data), result.full_mask())
    assert "synthetic-ball" in dock.progress.text()
    assert not dock.curve.isVisible()
    assert dock.certificate.sentence.text() == "One piece, no holes: as a ball must be."
    assert not dock.certificate.numbers.isVisible()
    dock.certificate.button.click()
    assert dock.certificate.numbers.isVisible()

    fit = labels(method.network).index("Fit this image (Chan-Vese)")
    method.network.setCurrentIndex(fit)
    method.network.activated.emit(fit)
    assert window.session.network == "none"
    window.until(lambda: method.iterations.isVisible() and not method.refine.isVisible())
    window.until(lambda: WINDOW not in method.expected.text())
    window.run(iterations=10)
    assert window.session.result.networks == ()
    assert dock.curve.values


def test_where_a_network_cannot_be_asked_the_dock_says_that_it_will_fit_and_why(ship, window, ball_file) -> None:
    ship("synthetic-ball")
    method = window.segment.method
    window.session.network = None
    window.open(ball_file)
    window.prior.gallery.button("ball").click()
    window.prior.placement.choose(Way.IMAGE)
    window.until(lambda: "looks around a box" in method.why.text())
    assert labels(method.network)[0] == "Automatic: fit this image"
    assert method.iterations.isVisible()
    window.prior.gallery.button("torus").click()
    window.until(lambda: "No shipped network was trained with the prior 'torus'" in method.why.text())


def test_a_file_of_weights_is_asked_and_one_that_does_not_fit_says_so_at_once(
    ship, window, ball_file, organ_box, tmp_path
) -> None:
    other = ship("rings", "tube", place=tmp_path / "elsewhere")
    balls = ship("balls", "ball", place=tmp_path / "elsewhere")
    method = window.segment.method
    window.open(ball_file)
    window.place(organ_box)
    window.session.network = str(other.path)
    window.until(lambda: "trained with the prior 'tube'" in method.why.text())
    assert method.network.currentText() == "rings"
    window.segment.run_button.click()
    window.until(lambda: "do not fit the prior 'ball'" in window.line.message.text())
    window.session.network = str(balls.path)
    window.until(lambda: method.network.currentText() == "balls")
    window.segment.run_button.click()
    window.until(lambda: window.session.result is not None)
    assert [network["weights"] for network in window.session.result.networks] == ["balls"]
