"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gudhi
import numpy as np
import pytest
from numpy.typing import NDArray

# Before torch is imported: its threads wait for one another by spinning, and one of the cores draws the window.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))

# Sessions of tests are kept apart from those of whoever runs them.
os.environ["TOPOSEG_AUTOSAVE"] = tempfile.mkdtemp(prefix="toposeg-autosave-")

Count = Callable[..., tuple[int, ...]]


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Ship tiny weights instead of those that are shipped: (name, prior="ball", **card) to Weights.

    The network is a small mltpsn that moves its template a little, this way and that. No own weights are known.
    """
    import torch

    from napari_toposeg.inference.weights import Card, TrainedPrior, registry, save_weights
    from napari_toposeg.inference.window import Window
    from napari_toposeg.networks import build, settings_from_dict
    from napari_toposeg.priors import find_prior

    resources = tmp_path / "shipped_resources"
    (resources / "weights").mkdir(parents=True)
    (resources / "weights.json").write_text("{}")
    monkeypatch.setattr(registry, "files", lambda package: resources)
    monkeypatch.setenv("TOPOSEG_WEIGHTS", str(tmp_path / "own_weights"))

    def make(name: str, prior: str = "ball", *, place: Path | None = None, **card: Any) -> Any:
        template = find_prior(prior)
        assert template is not None
        settings = settings_from_dict(
            "mltpsn", {"ndim": template.ndim, "features": 2, "resolutions": 2, "levels": 2, "border": 2.0}
        )
        network = build("mltpsn", settings)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for tensor in network.parameters():
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
        facts: dict[str, Any] = {
            "priors": (TrainedPrior(template.name, template.betti),),
            "window": Window((24,) * template.ndim),
            "spacing": (1.0,) * template.ndim,
            "data": "synthetic images",
            "licence": "CC0",
            "split": {},
            "seed": 0,
            "metrics": {},
        }
        kept = Card(network="mltpsn", settings=settings, **{**facts, **card})
        folder = resources / "weights" if place is None else place
        folder.mkdir(parents=True, exist_ok=True)
        return save_weights(network, kept, folder / f"{name}.safetensors", half=True)

    return make


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images with labels; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TOPOSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder} (set TOPOSEG_DATA to the folder that holds them)")
    return folder


def _by_gudhi(mask: NDArray[Any], connectivity: int | None = None) -> tuple[int, ...]:
    mask = np.asarray(mask, bool)
    found = np.argwhere(mask)
    if not len(found):
        return (0,) * mask.ndim
    box = tuple(slice(low, high + 1) for low, high in zip(found.min(0), found.max(0), strict=True))
    values = np.where(np.pad(mask[box], 1), 0.0, 1.0)
    # Voxels as closed cubes touch at their corners; voxels as points touch along edges of the grid only.
    if connectivity in (None, 8, 26):
        complex_ = gudhi.CubicalComplex(top_dimensional_cells=values)
    else:
        complex_ = gudhi.CubicalComplex(vertices=values)
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    betti = [*complex_.persistent_betti_numbers(0.5, 0.5), 0, 0, 0]
    return tuple(int(number) for number in betti[: mask.ndim])


@pytest.fixture(scope="session")
def gudhi_betti() -> Count:
    """Betti numbers of a mask by gudhi: (mask, connectivity=None) to a tuple."""
    return _by_gudhi


@pytest.fixture
def dicom_series() -> Callable[..., list[Path]]:
    """A function that writes a DICOM series: ``dicom_series(folder, array, affine, **tags)``.

    `array` has the axes slices, rows, columns; `affine` leads from (column, row, slice) to LPS mm. A tag may be a
    function of the slice's number. The files' names do not tell their order.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    def write(folder: Path, array: np.ndarray, affine: np.ndarray | None = None, **tags: Any) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        affine = np.diag([1.0, 1.5, 2.0, 1.0]) if affine is None else affine
        steps = np.linalg.norm(affine[:3, :2], axis=0)
        facts = {
            "SOPClassUID": CTImageStorage,
            "SeriesInstanceUID": generate_uid(),
            "StudyInstanceUID": generate_uid(),
            "FrameOfReferenceUID": generate_uid(),
            "PatientID": "phantom",
            "PatientName": "Phantom",
            "Modality": "CT",
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": array.shape[1],
            "Columns": array.shape[2],
            "BitsAllocated": 8 * array.dtype.itemsize,
            "BitsStored": 8 * array.dtype.itemsize,
            "HighBit": 8 * array.dtype.itemsize - 1,
            "PixelRepresentation": int(array.dtype.kind == "i"),
            "PixelSpacing": [f"{step:.10g}" for step in steps[::-1]],
            "ImageOrientationPatient": [f"{x:.13f}"[:16] for x in (affine[:3, :2] / steps).T.ravel()],
            "ImagePositionPatient": lambda k: [f"{x:.10g}" for x in affine[:3, 3] + k * affine[:3, 2]],
            "InstanceNumber": lambda k: k + 1,
            **tags,
        }
        syntax = facts.pop("syntax", ExplicitVRLittleEndian)
        written = []
        for number, plane in enumerate(array):
            dataset = Dataset()
            for name, value in facts.items():
                told = value(number) if callable(value) else value
                if told is not None:
                    setattr(dataset, name, told)
            dataset.SOPInstanceUID = tags.get("SOPInstanceUID", generate_uid())
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.file_meta.TransferSyntaxUID = syntax
            order = "<" if syntax.is_little_endian else ">"
            dataset.add_new("PixelData", "OW", plane.astype(plane.dtype.newbyteorder(order)).tobytes())
            path = folder / f"{(7 * number) % 101:03d}_{len(list(folder.iterdir()))}"
            dataset.save_as(path, enforce_file_format=True)
            written.append(path)
        return written

    return write
