"""Vectorize: a change map becomes polygons, one for each 4-connected piece of a transition."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import rasterio
from affine import Affine
from fiona.errors import FionaError
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.windows import Window

from lsafnet_cli.classes import Transition
from lsafnet_cli.components import ComponentFinder, Components, Runs, find_runs
from lsafnet_cli.errors import OutputError, reason_of
from lsafnet_cli.ground import PixelAreas
from lsafnet_cli.provenance import Provenance
from lsafnet_cli.stages.read import grid_of, rasterio_open
from lsafnet_cli.types import Grid

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON"}
DRIVER_OPTIONS = {"GeoJSON": {"RFC7946": "YES"}, "GPKG": {"GEOMETRY_NAME": "geom"}}
LAYER_NAME = "changes"
BATCH = 2000  # features handed to the driver at once
PIXELS_AT_ONCE = 1 << 22
CACHE_BYTES = 64 << 20
SCHEMA = {
    "geometry": "Polygon",
    "properties": {
        "id": "int64",
        "from_class": "str",
        "to_class": "str",
        "transition": "str",
        "area_m2": "float",
        "area_ha": "float",
        "confidence": "float",
        "pixels": "int64",
        "before_date": "date",
        "after_date": "date",
        "scene": "str",
    },
}
Feature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeMap:
    """A map to be vectorized: codes, where known the probability of change in percent, and its origin."""

    codes: Path
    probability: Path | None
    provenance: Provenance
    scene: str


def vectorize_map(change_map: ChangeMap, targets: list[Path]) -> int:
    """Write the polygons of a map to each of some files, and return how many there are.

    Memory follows their number, not the number of pixels. Raises OutputError.
    """
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio_open(change_map.codes) as codes:
        grid = grid_of(codes)
        mask = targets[0].with_name("changed.mask.tif")
        components = find_components(change_map, mask)
        for target in targets:
            features = make_features(change_map, codes, mask, components)
            count = write_features(features, target, DRIVERS[target.suffix.lower()], grid)
            check_features(target, count)
    return len(components.first_pixel)


def find_components(change_map: ChangeMap, mask_path: Path) -> Components:
    """Return the components of a map's changed pixels, and leave a raster that is 1 on them at `mask_path`."""
    with rasterio_open(change_map.codes) as codes, _open_mask(mask_path, codes) as mask:
        finder = ComponentFinder(codes.width)
        areas = PixelAreas(grid_of(codes)) if codes.crs is not None else None
        for window in row_windows(grid_of(codes)):
            pixels = codes.read(1, window=window)
            changed = (pixels != 0) & (pixels != change_map.provenance.legend.nodata)
            runs = find_runs(pixels, window.row_off)
            score = runs.sums(_read_probability(change_map.probability, window, pixels.shape))
            finder.add(runs, pixels, changed, run_areas(runs, areas), score)
            mask.write(changed.astype(np.uint8), 1, window=window)
        return finder.finish()


def row_windows(grid: Grid) -> Iterator[Window]:
    """Yield full-width windows of about PIXELS_AT_ONCE pixels, from top to bottom, if possible of whole blocks."""
    rows = max(64, PIXELS_AT_ONCE // grid.width // 512 * 512)
    for top in range(0, grid.height, rows):
        yield Window(0, top, grid.width, min(rows, grid.height - top))


def run_areas(runs: Runs, areas: PixelAreas | None) -> NDArray[np.float64]:
    """Return the ground area of each run in m2; NaN where the map has no CRS."""
    if areas is None:
        return np.full(len(runs.code), np.nan)
    first, end = int(runs.row[0]), int(runs.row[-1]) + 1
    return areas.in_rows(first, end - first, runs.row, runs.centre_col) * runs.length


def _read_probability(path: Path | None, window: Window, shape: tuple[int, ...]) -> NDArray[np.floating]:
    if path is None:
        return np.full(shape, np.nan, np.float32)
    with rasterio_open(path) as dataset:
        return np.asarray(dataset.read(1, window=window) / np.float32(100))


@contextmanager
def _open_mask(path: Path, like: Any) -> Iterator[Any]:
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nbits": 1, "compress": "deflate"}
    size = {"width": like.width, "height": like.height, "transform": Affine.scale(2)}
    with rasterio.open(path, "w", tiled=True, blockxsize=512, blockysize=512, **profile, **size) as mask:
        yield mask


def make_features(
    change_map: ChangeMap, codes: Any, mask_path: Path, components: Components
) -> Iterator[Feature]:
    """Yield the polygons of an open map of codes, with their attributes, in the map's CRS."""
    provenance = change_map.provenance
    transitions = {transition.code: transition for transition in provenance.legend.transitions}
    to_pixels = ~codes.transform
    with rasterio_open(mask_path) as mask:
        found = shapes(rasterio.band(codes, 1), mask=rasterio.band(mask, 1), connectivity=4)
        for number, (geometry, code) in enumerate(found, start=1):
            row, col = first_pixel(geometry["coordinates"][0], to_pixels)
            index = components.index_of(row * codes.width + col)
            attributes = describe(components, index, transitions[int(code)], provenance)
            yield {
                "type": "Feature",
                "geometry": geometry,
                "properties": {"id": number, **attributes, "scene": change_map.scene},
            }


def first_pixel(ring: list[tuple[float, float]], to_pixels: Affine) -> tuple[int, int]:
    """Return (row, col) of the first pixel, in reading order, inside a ring that follows pixel borders."""
    a, b, c, d, e, f = to_pixels[:6]
    return min((round(d * x + e * y + f), round(a * x + b * y + c)) for x, y in ring)


def describe(
    components: Components, index: int, transition: Transition, provenance: Provenance
) -> dict[str, Any]:
    """Return the attributes of one component. What is not known is None."""
    legend = provenance.legend
    area, pixels = float(components.area_m2[index]), int(components.pixels[index])
    confidence = float(components.score[index]) / pixels
    known = not np.isnan(area)
    return {
        "from_class": legend.names[transition.from_class] if legend.semantic else None,
        "to_class": legend.names[transition.to_class] if legend.semantic else None,
        "transition": transition.name,
        "area_m2": round(area, 3) if known else None,
        "area_ha": round(area / 10_000, 7) if known else None,
        "confidence": None if np.isnan(confidence) else round(confidence, 4),
        "pixels": pixels,
        "before_date": provenance.before_date,
        "after_date": provenance.after_date,
    }


def write_features(features: Iterator[Feature], target: Path, driver: str, grid: Grid) -> int:
    """Write features to a new file and return how many there were. Raises OutputError."""
    crs = grid.crs.to_wkt() if grid.crs is not None else ""
    options = DRIVER_OPTIONS[driver] if grid.crs is not None else {}
    count = 0
    with (
        _output_errors(target),
        fiona.open(
            target, "w", driver=driver, layer=LAYER_NAME, schema=SCHEMA, crs_wkt=crs, **options
        ) as sink,
    ):
        while batch := list(islice(features, BATCH)):
            sink.writerecords(batch)
            count += len(batch)
    return count


def check_features(target: Path, count: int) -> None:
    """Raise OutputError unless a file holds `count` features: not every driver tells of a full disk."""
    with _output_errors(target), fiona.open(target) as written:
        if len(written) != count:
            raise OSError(f"{len(written)} of {count} polygons arrived")


@contextmanager
def _output_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except (FionaError, OSError, RuntimeError) as error:  # fiona raises plain RuntimeErrors too
        raise OutputError(f"{target.name}: polygons cannot be written ({reason_of(error)})") from error
