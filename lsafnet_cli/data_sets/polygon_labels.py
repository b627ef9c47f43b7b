"""Polygon labels: a vector file with a column `class`, rasterized on an image's grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import fiona
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from rasterio.windows import Window
from shapely.geometry import mapping, shape

from lsafnet_cli.data_sets.description import UNKNOWN, Meanings
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.vectors import reading_vectors, shape_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import ClassArray

VECTOR_ENDINGS = (".gpkg", ".geojson", ".fgb", ".shp")
COLUMN = "class"


@dataclass(frozen=True, slots=True)
class PolygonLabels:
    """Polygons for any number of images. `meanings` are the meanings of texts and numbers in their column."""

    path: str
    meanings: Meanings

    def read(self, grid: Grid, window: Window | None = None) -> ClassArray:
        """Return (rows, cols) classes over a window of `grid`, UNKNOWN where there is no polygon.

        A pixel belongs to the last polygon that holds its centre. Raises InputError, also for a class that is none.
        """
        window = window or Window(0, 0, grid.width, grid.height)
        if grid.crs is None:
            raise InputError(f"{self.path}: polygons cannot be placed on an image that is not georeferenced")
        drawn = _drawn(self.path, grid.crs.to_wkt(), self.meanings)
        place = grid.transform @ grid.transform.translation(window.col_off, window.row_off)
        rows, cols = int(window.height), int(window.width)
        corners = [place @ corner for corner in ((0, 0), (cols, 0), (0, rows), (cols, rows))]
        box = shapely.box(*np.min(corners, axis=0), *np.max(corners, axis=0))
        near = np.sort(drawn.tree.query(box))
        found = np.full((rows, cols), UNKNOWN, np.uint8)
        if len(near):
            shapes = zip(drawn.polygons[near], drawn.classes[near].tolist(), strict=True)
            rasterize(shapes, out=found, transform=place)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The polygons of a file in one CRS, in the file's order, their classes, and a tree to find them by."""

    polygons: NDArray[Any]
    classes: NDArray[np.uint8]
    tree: shapely.STRtree


@lru_cache(64)
def _drawn(path: str, wkt: str, meanings: Meanings) -> _Drawn:
    with reading_vectors(path, "polygons with classes"):
        features = list(_read(path, CRS.from_wkt(wkt), dict(meanings)))
    if not features:
        raise InputError(f"{path}: contains no polygon with a class")
    polygons = np.array([polygon for polygon, _ in features], object)
    return _Drawn(polygons, np.array([number for _, number in features], np.uint8), shapely.STRtree(polygons))


def _read(path: str, crs: CRS, meanings: Mapping[str, int]) -> Any:
    """Yield (polygon, class) of the first layer. Raises InputError for a column or a class that is not there."""
    with fiona.open(path) as source:
        if COLUMN not in source.schema["properties"]:
            listed = ", ".join(source.schema["properties"]) or "none"
            raise InputError(
                f"{path}: has no column {COLUMN!r} (it has: {listed}); write the class of each polygon there"
            )
        if not source.crs_wkt:
            raise InputError(f"{path}: has no CRS; assign one")
        own = CRS.from_wkt(source.crs_wkt)
        for feature in source:
            if feature.geometry is None or "Polygon" not in feature.geometry.type:
                continue
            drawn = shape_of(feature)
            if drawn.is_empty:
                continue
            placed = drawn if own == crs else shape(transform_geom(own, crs, mapping(drawn)))
            yield placed, _class_of(feature.properties[COLUMN], meanings, path)


def _class_of(value: Any, meanings: Mapping[str, int], path: str) -> int:
    if value is None:
        return UNKNOWN
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if text not in meanings:
        raise InputError(f"{path}: {COLUMN} {text!r} is none of {', '.join(meanings)}")
    return meanings[text]
