"""The polygons of geometries that may be collections of polygons, lines and points."""

from collections.abc import Iterator

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry


def polygon_parts(geometry: BaseGeometry) -> Iterator[Polygon]:
    """Yield the polygons of a geometry, also those of nested collections, without empty ones."""
    parts = getattr(geometry, "geoms", None)
    if parts is not None:
        for part in parts:
            yield from polygon_parts(part)
    elif isinstance(geometry, Polygon) and not geometry.is_empty:
        yield geometry
