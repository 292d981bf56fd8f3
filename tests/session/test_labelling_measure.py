"""What is proposed has the prior's topology, and what makes a volume instructive is what the docstring says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_toposeg.evaluation import dice
from napari_toposeg.inference import TrainedNetwork, trained_network
from napari_toposeg.inference.weights import read_weights
from napari_toposeg.inference.window import Window
from napari_toposeg.priors import find_prior
from napari_toposeg.session.labelling_measure import entropy_near_boundary, proposal
from napari_toposeg.volume import Volume

SIZE = 40


class Bright(torch.nn.Module):
    """Says that what is brighter than the mean is the organ, and how sure it is."""

    def __init__(self, sureness: float) -> None:
        super().__init__()
        self.sureness = sureness

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.sureness * image


def disks(*centres: tuple[int, int]) -> Volume:
    """(40, 40) dark, with bright disks of a radius of 6."""
    y, x = np.indices((SIZE, SIZE))
    image = np.zeros((SIZE, SIZE), np.float32)
    for row, column in centres:
        image[np.hypot(y - row, x - column) < 6] = 1.0
    return Volume.from_stored(image, np.eye(4))


def asked(volume: Volume, sureness: float = 20.0):
    network = TrainedNetwork(Bright(sureness), Window((SIZE, SIZE), "image"))
    return proposal(volume, find_prior("disk"), network)


@pytest.mark.parametrize(
    ("centres", "found", "disagreement"),
    [([(20, 20)], (1, 0), 0), ([(10, 10), (30, 28)], (2, 0), 1), ([(8, 8), (8, 30), (30, 20)], (3, 0), 2)],
)
def test_pieces_too_many_are_counted_before_and_gone_after(centres, found, disagreement, gudhi_betti) -> None:
    proposed = asked(disks(*centres))
    assert (proposed.found, proposed.disagreement) == (found, disagreement)
    assert gudhi_betti(proposed.outcome.full_mask()) == (1, 0)
    assert proposed.outcome.certificate.topology_ok


def test_who_is_less_sure_is_more_uncertain() -> None:
    sure, doubtful = (asked(disks((20, 20)), sureness).uncertainty for sureness in (20.0, 0.5))
    assert 0.0 <= sure < 0.05 < 0.5 < doubtful <= 1.0


def test_entropy_has_the_values_that_are_known() -> None:
    logits = np.full((20, 20), -1e-9)
    logits[8:12, 8:12] = 1e-9
    assert entropy_near_boundary(logits) == pytest.approx(1.0)
    certain = np.where(logits > 0, 800.0, -800.0)
    assert entropy_near_boundary(certain) == 0.0
    # p = 1/4 on either side: H = 2 - 3/4 log2(3) bits.
    quarter = np.where(logits > 0, np.log(3.0), -np.log(3.0))
    assert entropy_near_boundary(quarter) == pytest.approx(2.0 - 0.75 * np.log2(3.0))
    assert entropy_near_boundary(-np.ones((5, 5))) == 1.0
    # Far from the boundary nothing counts.
    certain[:3] = -1e-9
    assert entropy_near_boundary(certain) == 0.0


@pytest.fixture
def still(ship):
    """A network that never moves its template."""
    kept = ship("still", "disk", window=Window((24, 24), "image"))
    network, card = read_weights(kept.path)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.zero_()
    return trained_network(network, card)


def test_a_template_that_does_not_follow_the_image_is_uncertain_by_as_much_as_it_stays_behind(still) -> None:
    proposed = proposal(disks((20, 20)), find_prior("disk"), still)
    assert proposed.found == (1, 0)
    # The template takes up half of the window of 24 pixels, which is moved by one along either axis, to either side.
    template = np.hypot(*(np.indices((24, 24)) - 11.5)) < 6.0
    apart = [1 - dice(np.roll(template, step, axis), template) for axis in (0, 1) for step in (1, -1)]
    assert proposed.uncertainty == pytest.approx(np.mean(apart), abs=0.02)
    assert proposed.uncertainty > 0.05
