"""Files that may not grow, as on a full disk: one line with exit code 6, and nothing under a final name."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from .change_maps import random_codes, write_map, write_probability
from .conftest import noise, write_raster

pytestmark = [
    pytest.mark.usefixtures("preloaded"),
    pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are handed over on Linux"),
]

COMMANDS = {
    "predict": ("predict", "a.tif", "b.tif", "-o", "out.tif"),
    "predict, with layers": ("predict", "a.tif", "b.tif", "-o", "out.tif", "--also", "probability,before,quicklook"),
    "vectorize, GeoPackage": ("vectorize", "map.tif", "-o", "out.gpkg"),
    "vectorize, shapefile": ("vectorize", "map.tif", "-o", "out.shp"),
    "vectorize, GeoJSON": ("vectorize", "map.tif", "-o", "out.geojson"),
    "vectorize, FlatGeobuf": ("vectorize", "map.tif", "-o", "out.fgb"),
    "report": ("report", "map.tif", "-o", "out.html"),
    "review": ("review", "map.tif", "-o", "out.gpkg"),
    "sample": ("sample", "map.tif", "-o", "out.gpkg", "--per-stratum", "2"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for seed, name in ((1, "a.tif"), (2, "b.tif")):
        write_raster(tmp_path / name, noise(seed, 90, 80))
    codes = random_codes(90, 80, 9, seed=3, coarse=2)
    write_map(tmp_path / "map.tif", codes)
    write_probability(tmp_path / "map.tif", np.where(codes == 255, 255, np.arange(80) % 101))
    return tmp_path


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("most_bytes", [500, 3000])
def test_a_file_that_may_not_grow_is_one_line(folder, tiny_checkpoint, kind, most_bytes):
    there = set(folder.iterdir())
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "LSAFNET_CHECKPOINT": str(tiny_checkpoint)}
    done = subprocess.run(
        [sys.executable, "-m", "lsafnet_cli.app", *COMMANDS[kind]], cwd=folder, env=settings, check=False,
        capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )  # fmt: skip
    *notes, last = done.stderr.splitlines()
    assert (done.returncode, last[:9]) == (6, "lsafnet: "), done.stderr
    assert all(note.startswith("note: ") for note in notes), done.stderr
    assert [path.name for path in set(folder.iterdir()) - there if not path.name.startswith(".")] == []
