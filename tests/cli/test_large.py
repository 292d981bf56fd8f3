"""A whole CT of the abdomen, 512 x 512 x 300, of which one organ is wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_toposeg.data import phantom

GIBIBYTE = 2**30

# Not by ru_maxrss: on Linux a child begins with its parent's, which holds the volume that it made.
RUN = """
import json, re, sys
from pathlib import Path
from napari_toposeg.cli import main

code = main(sys.argv[1:])
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"code": code, "peak": peak}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read as Linux tells it")
def test_a_region_of_a_large_volume_is_segmented_in_less_than_3_gib(tmp_path: Path) -> None:
    made = phantom("ellipsoid", (128, 128, 96), spacing=(1.0, 1.0, 1.0), seed=2)
    volume = np.full((512, 512, 300), 180, np.int16)
    volume[200:328, 150:278, 100:196] = made.volume.voxels
    image, mask = tmp_path / "ct.nii", tmp_path / "mask.nii.gz"
    nibabel.Nifti1Image(volume, np.eye(4)).to_filename(image)
    del volume
    words = ["segment", image, "-o", mask, "--prior", "ellipsoid", "--roi", "200:328,150:278,100:196"]
    words += ["--margin", "0", "--iterations", "20", "--quiet", "--jacobian", tmp_path / "jacobian.nii.gz"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, words)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["code"] == 0, done.stderr
    # Measured: 1.1 GiB, of which torch and numba are .5 and the volume .15.
    assert found["peak"] < 3 * GIBIBYTE
    segmented = nibabel.load(mask)
    assert segmented.shape == (512, 512, 300)
    inner = np.asarray(segmented.dataobj[200:328, 150:278, 100:196]) != 0
    assert int(np.count_nonzero(np.asarray(segmented.dataobj))) == np.count_nonzero(inner)
    jacobian = nibabel.load(tmp_path / "jacobian.nii.gz").dataobj
    assert np.asarray(jacobian[0, 0]) == pytest.approx(1.0, abs=0)
    assert np.asarray(jacobian[260, 210]).min() > 0
    assert 2 * (inner & made.mask).sum() / (inner.sum() + made.mask.sum()) > 0.8
