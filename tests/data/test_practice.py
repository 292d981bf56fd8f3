"""A folder to practise on is one that the labeller opens, and nobody's folder is written over."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.data import write_practice
from napari_toposeg.errors import ToposegError
from napari_toposeg.session import Session


def test_the_labeller_opens_it_with_its_labels_accepted(tmp_path) -> None:
    truth = write_practice(tmp_path / "practice", volumes=3, labelled=1, shape=(34, 34, 26))
    session = Session()
    try:
        session.choose_prior("torus")
        rows = session.labelling.open(tmp_path / "practice" / "rings", tmp_path / "practice" / "labels")
        assert {row.name: row.status for row in rows} == {
            "ring-01": "accepted",
            "ring-02": "unlabelled",
            "ring-03": "unlabelled",
        }
        session.labelling.choose("ring-01")
        assert np.array_equal(session.mask, truth["ring-01"])
        assert session.certificate.betti_mask == (1, 1, 0)
    finally:
        session.close()
    with pytest.raises(ToposegError, match="there already"):
        write_practice(tmp_path / "practice")
