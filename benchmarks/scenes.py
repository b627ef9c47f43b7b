"""Pairs to measure on, made from the sample pair: real texture, any size, deflate in tiles of 512."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

SAMPLE = Path(__file__).parents[1] / "sample_data"
BLOCK_PX = 512


def make_pair(folder: Path, size_px: int) -> tuple[Path, Path]:
    """Return a pair of `size_px` squares, made once and kept in `folder`; like the sample's texture throughout."""
    made = tuple(folder / f"{date}-{size_px}.tif" for date in ("before", "after"))
    for path, date in zip(made, ("before", "after"), strict=True):
        if not path.exists():
            _repeat(SAMPLE / f"{date}.tif", path, size_px)
    return made[0], made[1]


def _repeat(source: Path, target: Path, size_px: int) -> None:
    with rasterio.open(source) as dataset:
        pixels, crs = dataset.read(), dataset.crs
    pixels = np.where(pixels.max(axis=0) == 0, np.uint8(90), pixels)
    temporary = target.with_suffix(".tmp")
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": size_px, "height": size_px, "count": 3, "dtype": "uint8", "crs": crs,
        "transform": Affine(0.5, 0, 600000, 0, -0.5, 5335000), "tiled": True, "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX, "compress": "deflate", "zlevel": 1, "interleave": "pixel", "bigtiff": "if_safer",
        "num_threads": "all_cpus",
    }  # fmt: skip
    with rasterio.open(temporary, "w", **profile) as dataset:
        for top in range(0, size_px, BLOCK_PX):
            rows = min(BLOCK_PX, size_px - top)
            dataset.write(_band(pixels, top, rows, size_px), window=Window(0, top, size_px, rows))
    temporary.replace(target)


def _band(pixels: NDArray[np.uint8], top: int, rows: int, width: int) -> NDArray[np.uint8]:
    """Return rows of the sample repeated for ever, every other copy mirrored."""
    side = pixels.shape[1]
    row = _mirror(np.arange(top, top + rows), side)
    col = _mirror(np.arange(width), side)
    return np.asarray(pixels[:, row[:, None], col])


def _mirror(index: NDArray[np.intp], side: int) -> NDArray[np.intp]:
    phase = index % (2 * side)
    return np.where(phase < side, phase, 2 * side - 1 - phase)
