"""Small worlds with known answers: rasters that hold their own coordinates, networks that tell what they saw."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import Tensor, nn

from lsafnet import ChangeLogits, build_network, save_checkpoint
from lsafnet.checkpoint.files import Checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet_cli.checkpoints.choose import NamedCheckpoint

UTM = "EPSG:32632"
PLACE = Affine(0.5, 0, 600000, 0, -0.5, 5335000)
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
PRELOADED_PYTHON = Path(__file__).with_name("preloaded_python")
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and programs fold what they print by it


def write_raster(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    """Write (bands, rows, cols) as a GeoTIFF; `mask` (rows, cols) becomes an internal mask."""
    mask = profile.pop("mask", None)
    tags = profile.pop("tags", {})
    count, height, width = pixels.shape
    settings = {"crs": UTM, "transform": PLACE, "dtype": pixels.dtype, "count": count, **profile}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", height=height, width=width, **settings) as dataset,
    ):
        dataset.write(pixels)
        dataset.update_tags(**tags)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def noise(seed: int, rows: int, cols: int, bands: int = 3) -> np.ndarray:
    """Return (bands, rows, cols) uint8 1..255: smooth blobs, so that a network finds something."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(1, 256, (bands, rows // 16 + 2, cols // 16 + 2))
    return np.repeat(np.repeat(coarse, 16, 1), 16, 2)[:, :rows, :cols].astype(np.uint8)


class ReadingNetwork(nn.Module):
    """Says "changed" everywhere, and as land cover the number 1..K-1 that stands in the first band."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.arange(num_classes, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        land_cover = [-20 * (date[:, :1] - self.numbers).abs() for date in (before, after)]
        return ChangeLogits(torch.full_like(before[:, :1], 4.0), *land_cover)


def reading_checkpoint(num_classes: int = 16, bands: int = 1, tile_px: int = 64) -> NamedCheckpoint:
    """Return a checkpoint whose network reads its classes from the pixels."""
    plain = BandStatistics((0.0,) * bands, (1.0,) * bands)
    info = CheckpointInfo(
        network="lsafnet",
        classes=tuple(ClassEntry(f"class {n}", f"#{n:02x}{n:02x}{n:02x}") for n in range(num_classes)),
        bands=bands,
        normalization=Normalization(plain, plain),
        value_range=(0.0, 255.0),
        tile_px=tile_px,
        trained_on="nothing",
        license="Apache-2.0",
    )
    return NamedCheckpoint("reading.safetensors", "0" * 64, Checkpoint(ReadingNetwork(num_classes), info))


def write_tiny_checkpoint(path: Path) -> Path:
    """Write an untrained lsafnet-tiny with five classes and tiles of 64 pixels."""
    torch.manual_seed(21)  # under which about half of `noise` has changed, in many ways
    network = build_network("lsafnet-tiny", num_classes=5)
    names = ("unchanged", "water", "ground", "vegetation", "building")
    colors = ("#ffffff", "#0000ff", "#808080", "#008000", "#800000")
    usual = BandStatistics((110.0,) * 3, (50.0,) * 3)
    info = CheckpointInfo(
        network="lsafnet-tiny",
        classes=tuple(map(ClassEntry, names, colors)),
        bands=3,
        normalization=Normalization(usual, usual),
        value_range=(0.0, 255.0),
        tile_px=64,
        trained_on="nothing at all",
        license="Apache-2.0",
        gsd_m=0.5,
    )
    save_checkpoint(path, network, info)
    return path


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained lsafnet-tiny with five classes and tiles of 64 pixels."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Return two images of 150x203 pixels on one grid."""
    before = write_raster(tmp_path / "before.tif", noise(1, 150, 203))
    after = write_raster(tmp_path / "after.tif", noise(2, 150, 203))
    return before, after


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """Return the socket of a server that forks processes with all imports done; None where there is none."""
    if sys.platform != "linux":
        yield None
        return
    path = str(tmp_path_factory.mktemp("server") / "socket")
    root = str(Path(__file__).parents[1])
    settings = {"cwd": root, "env": {**os.environ, "OMP_NUM_THREADS": "1"}, "start_new_session": True}
    command = [sys.executable, "-m", "tests.fork_server", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **settings) as server:
        assert server.stdout.readline() == b"ready\n"
        yield path
        server.stdin.close()


@pytest.fixture
def preloaded(fork_server: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that this test and its program start as `sys.executable` begin with all imports done."""
    if fork_server is not None:
        monkeypatch.setattr(sys, "executable", str(PRELOADED_PYTHON))
        monkeypatch.setenv("LSAFNET_TEST_FORK_SERVER", fork_server)
