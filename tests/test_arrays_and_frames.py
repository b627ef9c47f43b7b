"""Arrays in, arrays out; numbers and polygons as tables of pandas and geopandas; networks of installed packages."""

import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio

from lsafnet_cli import (
    InputError,
    OutputOptions,
    PredictOptions,
    predict_arrays,
    predict_change,
    summarize_map,
    vectorize_changes,
)
from tests.conftest import noise, write_raster

LAYERS = ("from", "to", "before", "after", "probability")


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_have_the_answers_of_files(tmp_path, tiny_checkpoint, dtype):
    pixels = [noise(seed, 100, 130).astype(dtype) for seed in (1, 2)]
    valid = np.ones((100, 130), bool)
    valid[:20, :30] = False
    files = [write_raster(tmp_path / f"{n}.tif", array, mask=valid) for n, array in enumerate(pixels)]
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions(also=LAYERS))
    predict_change(*files, tmp_path / "changes.tif", options)
    found = predict_arrays(*pixels, tiny_checkpoint, valid=valid, layers=LAYERS)
    assert list(found) == ["codes", *LAYERS]
    np.testing.assert_array_equal(found.pop("codes"), read(tmp_path / "changes.tif"))
    for name, array in found.items():
        np.testing.assert_array_equal(array, read(tmp_path / f"changes.{name}.tif"))


@pytest.mark.parametrize(
    ("before", "after", "valid", "words"),
    [
        ((3, 8, 8), (3, 8, 9), None, "must be equal"),
        ((8, 8), (8, 8), None, r"\(bands, rows, cols\)"),
        ((3, 8, 8), (3, 8, 8), np.ones((8, 9), bool), "valid"),
    ],
)
def test_arrays_that_do_not_fit_are_rejected(tiny_checkpoint, before, after, valid, words):
    with pytest.raises(InputError, match=words):
        predict_arrays(np.ones(before, np.uint8), np.ones(after, np.uint8), tiny_checkpoint, valid=valid)


def test_tables_hold_the_numbers_of_the_map_and_its_polygons(pair, tmp_path, tiny_checkpoint):
    pytest.importorskip("geopandas")
    from lsafnet_cli import polygons_frame

    predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    summary = summarize_map(tmp_path / "changes.tif")
    table = summary.to_frame()
    rows = summary.whole.table.transitions
    assert table["pixels"].tolist() == [row.pixels for row in rows] != []
    assert set(table["area"]) == {"map"}
    made = vectorize_changes(tmp_path / "changes.tif", [tmp_path / "a.gpkg", tmp_path / "a.parquet"])
    for name in ("a.gpkg", "a.parquet"):
        frame = polygons_frame(tmp_path / name)
        assert len(frame) == made.polygon_count
        assert frame["pixels"].sum() == table.loc[table["code"] > 0, "pixels"].sum()
        assert frame.crs == "EPSG:32632"
    with pytest.raises(InputError, match=r"none\.gpkg"):
        polygons_frame(tmp_path / "none.gpkg")


NETWORK = """
from lsafnet.registry import NetworkSpec, NETWORKS
built_in = NETWORKS["lsafnet-tiny"]
SPEC = NetworkSpec("my-network", "not published", built_in.builder, dict(built_in.options))
"""
PROGRAM = """
import sys
from lsafnet import NETWORKS, build_network
assert "my_package" not in sys.modules
assert "my-network" in list(NETWORKS) and len(NETWORKS) == len(list(NETWORKS))
assert "my_package" not in sys.modules
print(type(build_network("my-network", num_classes=3)).__name__, "my_package" in sys.modules)
try:
    build_network("broken", num_classes=3)
except ValueError as error:
    print(error)
"""


@pytest.fixture
def package(tmp_path):
    """Return a folder that an installed package with two networks lies in, one of them broken."""
    (tmp_path / "my_package.py").write_text(NETWORK)
    metadata = tmp_path / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[lsafnet.networks]\nmy-network = my_package:SPEC\nbroken = no_such_module:SPEC\n"
    )
    return tmp_path


def test_a_network_of_an_installed_package_is_known_and_imported_when_asked_for(package):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "LSAFNet True"
    assert "'broken' of no_such_module:SPEC cannot be loaded" in second
