"""Polygons of vector files on a grid: read, repaired, clipped, and transformed to pixel coordinates."""

from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.files.vectors import shape_of
from lsafnet_cli.geometry.arrays import FloatArray
from lsafnet_cli.geometry.crs import horizontal
from lsafnet_cli.geometry.footprints import Extent, to_pixels
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.parts import polygon_parts

EDGE_SHARE = 1 / 512  # of a grid's extent: longest edge that is transformed to another CRS as a straight line


def crs_of_layer(source: Any) -> CRS | None:
    """Return the CRS of an open vector layer, None if it has none."""
    return horizontal(source.crs_wkt) if source.crs_wkt else None


def polygons_of(feature: Any) -> list[BaseGeometry]:
    """Return the polygons of a feature, repaired if rings cross. Raises ValueError for absurd coordinates."""
    return list(polygon_parts(shapely.make_valid(shape_of(feature))))


class PolygonPlacing:
    """Transforms polygons from their CRS to pixel coordinates of a grid, x = column, y = row."""

    def __init__(self, crs: CRS | None, grid: Grid) -> None:
        """None stands for the grid's own CRS. Raises NoWayError if no transformation exists."""
        self._crs, self._grid = crs, grid
        self.extent = Extent.of(grid, crs)
        own = None if grid.crs is None else horizontal(grid.crs)
        self._bent = own is not None and crs is not None and not own.equals(crs, ignore_axis_order=True)

    def place(self, geometry: BaseGeometry) -> BaseGeometry:
        """Return the part of a geometry near the grid in pixel coordinates; not finite outside the domain of
        its CRS."""
        if self.extent is None:
            return shapely.MultiPolygon()
        here = self.extent.cut(geometry)
        if not self._bent:
            return shapely.transform(here, self._plainly_to_pixels)
        return shapely.transform(shapely.segmentize(here, self.extent.size * EDGE_SHARE), self._to_pixels)

    def _plainly_to_pixels(self, points: FloatArray) -> FloatArray:
        return np.stack(self._grid.to_pixels(points[:, 0], points[:, 1]), axis=1)

    def _to_pixels(self, points: FloatArray) -> FloatArray:
        return np.stack(to_pixels(points[:, 0], points[:, 1], self._crs, self._grid), axis=1)
