"""Pairs and maps to measure on, made from the sample pair: real texture, any size, deflate in tiles of 512."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend, transition_codes

SAMPLE = Path(__file__).parents[1] / "sample_data"
BLOCK_PX = 512
LAND_COVER = Legend(
    ("unchanged", "water", "ground", "vegetation", "building"),
    ((255, 255, 255), (0, 0, 255), (128, 128, 128), (0, 128, 0), (128, 0, 0)),
)


def make_pair(folder: Path, size_px: int, *, flat: bool = False) -> tuple[Path, Path]:
    """Return a pair of `size_px` squares, made once and kept in `folder`.

    It repeats the sample pair, or where `flat` a plain of which a square in five hundred pixels has brightened.
    """
    kind = "flat" if flat else "sample"
    made = tuple(folder / f"{kind}-{date}-{size_px}.tif" for date in ("before", "after"))
    for path, date in zip(made, ("before", "after"), strict=True):
        if not path.exists():
            _repeat(_flat(date) if flat else _sample(date), path, size_px)
    return made[0], made[1]


def make_map(folder: Path, size_px: int) -> Path:
    """Return the sample pair's true change map, repeated to a square of `size_px`, made once and kept in `folder`."""
    path = folder / f"sample-changes-{size_px}.tif"
    if not path.exists():
        _repeat(
            _sample_codes()[None], path, size_px, {LEGEND: LAND_COVER.to_json()}, nodata=LAND_COVER.nodata
        )
    return path


def _sample_codes() -> NDArray[np.uint8]:
    before, after = (rasterio.open(SAMPLE / f"label_{date}.tif").read(1) for date in ("before", "after"))
    changed = (before > 0) & (after > 0) & (before != after)
    codes = transition_codes(before.astype(int), after.astype(int), changed, LAND_COVER.class_count)
    return np.asarray(codes, np.uint8)


def _sample(date: str) -> NDArray[np.uint8]:
    with rasterio.open(SAMPLE / f"{date}.tif") as dataset:
        pixels = dataset.read()
    return np.where(pixels.max(axis=0) == 0, np.uint8(90), pixels)


def _flat(date: str) -> NDArray[np.uint8]:
    pixels = np.full((3, 500, 500), 90, np.uint8)
    pixels[:, 100:220, 60:200] = 90 if date == "before" else 240
    return pixels


def _repeat(
    pixels: NDArray[np.uint8], target: Path, size_px: int, tags: Mapping[str, str] | None = None, **more: Any
) -> None:
    temporary = target.with_suffix(".tmp")
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": size_px, "height": size_px, "count": len(pixels), "dtype": "uint8",
        "crs": "EPSG:32632", "transform": Affine(0.5, 0, 600000, 0, -0.5, 5335000), "tiled": True,
        "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "compress": "deflate", "zlevel": 1,
        "interleave": "pixel", "bigtiff": "if_safer", "num_threads": "all_cpus", **more,
    }  # fmt: skip
    with rasterio.open(temporary, "w", **profile) as dataset:
        dataset.update_tags(**(tags or {}))
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
