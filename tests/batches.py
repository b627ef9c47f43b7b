"""Folders of small pairs, and batches over them in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from .conftest import PLACE, noise, write_raster


def make_pairs(folder: Path, count: int, side: int = 72) -> list[str]:
    """Write pairs side by side in folders b and a; return their names."""
    names = [f"s{number:03d}" for number in range(count)]
    for date in ("b", "a"):
        (folder / date).mkdir(exist_ok=True)
    for number, name in enumerate(names):
        for date, seed in (("b", number), ("a", 1000 + number)):
            place = PLACE @ Affine.translation(number * side, 0)
            write_raster(folder / date / f"{name}.tif", noise(seed, side, side), transform=place)
    return names


def command(checkpoint: Path, *words: object) -> list[str]:
    """Return the command line of a batch."""
    return [
        sys.executable,
        "-m",
        "lsafnet_cli.app",
        "batch",
        *map(str, words),
        "--checkpoint",
        str(checkpoint),
    ]


def run(checkpoint: Path, folder: Path, *words: object, **options: object) -> subprocess.CompletedProcess:
    """Run a batch to its end."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    settings = {"capture_output": True, "text": True, "check": False, **options}
    return subprocess.run(command(checkpoint, *words), cwd=folder, env=environment, **settings)


def codes(path: Path) -> np.ndarray:
    """Return the pixels of a map."""
    with rasterio.open(path) as dataset:
        return dataset.read(1)
