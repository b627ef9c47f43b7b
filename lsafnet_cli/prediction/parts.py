"""Parts on disk: renamed to their final names when complete, and verified before they are used again."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import rasterio

from lsafnet_cli.files.publishing import remove_whatever
from lsafnet_cli.files.rasters import RASTER_ERRORS, rasterio_open
from lsafnet_cli.files.replacing import output_errors, replacing
from lsafnet_cli.files.vrt import BLOCK_PX, Part

CHECKSUM = "LSAFNET_CHECKSUM"


def write_part(
    part: Part, pixels: np.ndarray[Any, Any], nodata: int, tags: Mapping[str, str] | None = None
) -> None:
    """Write (rows, cols) and tags to a part, under its name only when complete. Raises OutputError."""
    profile = {
        "driver": "GTiff",
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "count": 1,
        "dtype": pixels.dtype,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "compress": "zstd",
        "zstd_level": 1,
        "sparse_ok": True,
    }
    with replacing(part.path) as path, rasterio.Env(), rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels, 1)
        dataset.update_tags(**{**(tags or {}), CHECKSUM: checksum(pixels, tags or {})})


def checksum(pixels: np.ndarray[Any, Any], tags: Mapping[str, str]) -> str:
    """Return a checksum of the pixels and tags of a part."""
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).view(np.uint8).data, digest_size=16)
    digest.update(repr((pixels.shape, str(pixels.dtype), sorted(tags.items()))).encode())
    return digest.hexdigest()


def is_whole(part: Part) -> bool:
    """Return whether a part exists and is intact; a damaged one is removed. Raises OutputError."""
    if not part.path.exists():
        return False
    try:
        with rasterio_open(part.path) as dataset:
            pixels = dataset.read(1)
            tags = {name: text for name, text in dataset.tags().items() if name.startswith("LSAFNET_")}
        whole = pixels.shape == (part.end - part.first, part.right - part.left)
        if whole and tags.pop(CHECKSUM, "") == checksum(pixels, tags):
            return True
    except RASTER_ERRORS:
        pass
    with output_errors(part.path):
        remove_whatever(part.path)
    return False
