"""Opening rasters; every failure becomes a one-line error."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError, RPCError, TransformError

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.gdal_errors import GdalError
from lsafnet_cli.files.sources import open_source, reading_failed, unreadable
from lsafnet_cli.geometry.grid import Grid

# `ScenePair` reports missing georeferencing. Never reset, since catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


# rasterio lets some of GDAL's own errors through, and has some that are no RasterioError
RASTER_ERRORS = (RasterioError, GdalError, CRSError, RPCError, UnicodeDecodeError, OSError)


CACHE_BYTES = 64 << 20


@contextmanager
def bounded_cache() -> Iterator[None]:
    """Let GDAL keep few blocks: by default a twentieth of the machine's memory, which large rasters fill."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        yield


@contextmanager
def open_raster(path: str | Path) -> Iterator[Any]:
    """Open a raster for reading; failures while it is open become an InputError naming the file."""
    try:
        with rasterio_open(path) as dataset:
            yield dataset
    except RASTER_ERRORS as error:
        raise InputError(unreadable(str(path), error)) from error


@contextmanager
def reading_pixels(path: str) -> Iterator[None]:
    """Turn failures of reading pixels of an open image into an InputError naming the file."""
    try:
        yield
    except RASTER_ERRORS as error:
        raise InputError(reading_failed(path, error)) from error


def rasterio_open(path: str | Path) -> Any:
    """Open a raster for reading; the caller reports errors and closes it."""
    return open_source(str(path))


def work_profile(grid: Grid, dtype: str, nodata: int | None) -> dict[str, Any]:
    """Return how a one-band raster is made that is written by row bands and read again soon: quick, in blocks."""
    return {
        "driver": "GTiff", "height": grid.height, "width": grid.width, "count": 1, "dtype": dtype, "nodata": nodata,
        "crs": grid.crs, "transform": grid.transform, "tiled": True, "blockxsize": 512, "blockysize": 512,
        "compress": "zstd", "zstd_level": 1, "bigtiff": "if_safer",
    }  # fmt: skip


def grid_of(dataset: Any) -> Grid:
    """Return the grid of an open raster. A CRS without a transform is ignored. Raises TransformError if its
    transform is degenerate.
    """
    transform = dataset.transform
    invertible = all(map(math.isfinite, transform)) and transform.determinant != 0
    if not invertible or not all(map(math.isfinite, ~transform)):
        raise TransformError("its transform is degenerate and gives pixels no position")
    crs = None if transform.is_identity else dataset.crs
    return Grid(crs, transform, dataset.width, dataset.height)
