"""Small change maps with known pieces, and what is read back from polygon files."""

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from scipy import ndimage

from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend

from .conftest import write_raster

NAMES = ("unchanged", "water", "ground", "building")
LAND = Legend(NAMES, ((255, 255, 255), (0, 0, 255), (128, 128, 128), (128, 0, 0)))
NODATA = 255
WATER_TO_GROUND, GROUND_TO_WATER, WATER_TO_BUILDING = 2, 4, 3


def write_map(path: Path, codes: Any, **profile: Any) -> Path:
    """Write (rows, cols) codes as a change map of LAND."""
    tags = {LEGEND: LAND.to_json()} | profile.pop("tags", {})
    return write_raster(path, np.asarray(codes, np.uint8)[None], nodata=NODATA, tags=tags, **profile)


def write_probability(map_path: Path, percent: Any, **profile: Any) -> Path:
    """Write (rows, cols) percents beside a map."""
    path = map_path.with_name(f"{map_path.stem}.probability.tif")
    return write_raster(path, np.asarray(percent, np.uint8)[None], nodata=255, **profile)


def random_codes(rows: int, cols: int, codes: int, seed: int, coarse: int = 1) -> Any:
    """Return (rows, cols) codes 0..codes in squares of `coarse` pixels; a few squares have no data."""
    rng = np.random.default_rng(seed)
    shape = -(-rows // coarse), -(-cols // coarse)
    squares = rng.integers(0, codes + 1, shape)
    squares[rng.random(shape) < 0.05] = NODATA
    return squares.repeat(coarse, 0).repeat(coarse, 1)[:rows, :cols].astype(np.uint8)


def blobs(rows: int, cols: int, seed: int = 0, sigma: float = 3.0) -> Any:
    """Return (rows, cols) codes in round blobs that touch each other, with a corner that has no data."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(rows, cols)), sigma)
    field /= field.std()
    codes = np.select([field > 1, field > 0.6, field < -1], [2, 3, 4], 0).astype(np.uint8)
    codes[: rows // 5, : cols // 4] = NODATA
    return codes


def read_polygons(path: Path) -> tuple[Any, dict[str, Any], str | None]:
    """Return geometries, columns by name, and CRS of a polygon file."""
    layer = "changes" if path.suffix == ".gpkg" else None
    meta, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], columns, strict=True)), meta["crs"]
