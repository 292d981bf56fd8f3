"""Files to read, made by nibabel or byte by byte: never by what is being tested."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)]


@pytest.fixture(scope="session", params=range(48), ids=lambda number: f"{ORDERS[number][0]}{ORDERS[number][1]}")
def axis_order(request: pytest.FixtureRequest) -> np.ndarray:
    """Each of the 48 signed axis orders, as an affine with three different spacings."""
    order, signs = ORDERS[request.param]
    affine = np.zeros((4, 4))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (0.75, 1.25, 2.5)[axis]
    affine[:, 3] = (-31.5, 12.25, 104.0, 1.0)
    return affine


@pytest.fixture
def nifti(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes raw numbers as NIfTI: ``nifti(array, affine, name="a.nii", **header_fields)``."""

    def write(
        array: np.ndarray, affine: np.ndarray | None = None, *, name: str = "image.nii", kind: Any = None, **fields: Any
    ) -> Path:
        kind = kind or nibabel.Nifti1Image
        header = kind.header_class(endianness=fields.pop("endianness", "<"))
        header.set_data_dtype(array.dtype)
        image = kind(array, np.diag([1.0, 1.5, 2.0, 1.0]) if affine is None else affine, header)
        extension = fields.pop("extension", None)
        if extension is not None:
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", extension))
        path = tmp_path / name
        nibabel.save(image, path)
        if fields:
            # nibabel writes no scaling of its own choice for whole numbers: the fields are set in the bytes.
            header_path = path.with_suffix(".hdr") if path.suffix == ".img" else path
            content = bytearray(header_path.read_bytes())
            size = kind.header_class.template_dtype.itemsize
            block = kind.header_class(bytes(content[:size]), header.endianness, check=False)
            for field, value in fields.items():
                block[field] = value
            content[:size] = block.binaryblock
            header_path.write_bytes(bytes(content))
        return path

    return write
