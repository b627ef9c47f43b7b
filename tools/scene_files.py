"""The sample files: two pictures and two label rasters on one georeferenced grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from scene_frame import PIXEL_M

if TYPE_CHECKING:
    from make_sample import MadeScene

CRS = "EPSG:32632"
TRANSFORM = Affine(PIXEL_M, 0.0, 600000.0, 0.0, -PIXEL_M, 5335000.0)
TAKEN = {"before": "2019-06-15T10:30:00", "after": "2023-09-02T10:45:00"}
PALETTE = {0: (0, 0, 0), 1: (0, 0, 255), 2: (128, 128, 128), 3: (0, 128, 0), 4: (128, 0, 0)}
CORNER_SHARE = 0.06  # of the after picture, without data
JPEG_QUALITY = 88


def write_scene(scene: MadeScene, folder: Path) -> list[Path]:
    """Write before.tif, after.tif, label_before.tif and label_after.tif, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    size = scene.label_before.shape[0]
    pictures = (
        ("before", scene.before, np.ones((size, size), bool)),
        ("after", scene.after, seen_after(size)),
    )
    paths = []
    for name, picture, valid in pictures:
        paths.append(folder / f"{name}.tif")
        _write_picture(paths[-1], picture, valid, TAKEN[name])
    for name, label in (("label_before", scene.label_before), ("label_after", scene.label_after)):
        paths.append(folder / f"{name}.tif")
        _write_label(paths[-1], np.where(seen_after(size), label, np.uint8(0)))
    return paths


def write_series(
    names: Sequence[str],
    pictures: Sequence[NDArray[np.uint8]],
    labels: Sequence[NDArray[np.uint8]],
    folder: Path,
) -> list[Path]:
    """Write NAME.tif and label_NAME.tif for each date, and return their paths. Only the names tell the dates."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture, label in zip(names, pictures, labels, strict=True):
        paths += [folder / f"{name}.tif", folder / f"label_{name}.tif"]
        _write_picture(paths[-2], picture, np.ones(label.shape, bool), None)
        _write_label(paths[-1], label)
    return paths


def seen_after(size: int) -> NDArray[np.bool_]:
    """Return where the after picture has data: all but a slanted triangle in the north-east corner."""
    rows, cols = np.ogrid[:size, :size]
    height = size * (2 * CORNER_SHARE / 0.6) ** 0.5
    seen: NDArray[np.bool_] = rows / height + (size - 1 - cols) / (0.6 * height) >= 1
    return seen


def _write_picture(
    path: Path, picture: NDArray[np.uint8], valid: NDArray[np.bool_], taken: str | None
) -> None:
    """Write JPEG in tiles; an internal mask holds what is valid, as JPEG would smear a nodata value."""
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    packed = {"compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": JPEG_QUALITY}
    shape = {"count": 3, "height": picture.shape[1], "width": picture.shape[2]}
    place = {"dtype": "uint8", "crs": CRS, "transform": TRANSFORM}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", **shape, **place, **tiles, **packed) as dataset,
    ):
        # the hidden corner is grey: black would ring into the valid pixels of its JPEG blocks
        dataset.write(np.where(valid, picture, np.uint8(128)))
        dataset.write_mask(valid)
        dataset.descriptions = ("red", "green", "blue")
        if taken is not None:
            dataset.update_tags(ns="IMAGERY", ACQUISITIONDATETIME=taken)


def _write_label(path: Path, label: NDArray[np.uint8]) -> None:
    """Write a (rows, cols) label raster with its palette; 0 is nodata."""
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2}
    shape = {"count": 1, "height": label.shape[0], "width": label.shape[1]}
    place = {"dtype": "uint8", "crs": CRS, "transform": TRANSFORM, "nodata": 0}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place, **tiles) as dataset:
        dataset.write(label, 1)
        dataset.write_colormap(1, PALETTE)
        dataset.colorinterp = (ColorInterp.palette,)
        dataset.set_band_description(1, "land cover")
