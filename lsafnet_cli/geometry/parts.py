"""The simple parts of geometries: what a collection of polygons, lines and points is made of."""

from collections.abc import Iterator

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry


def simple_parts(geometry: BaseGeometry) -> list[BaseGeometry]:
    """Return the simple parts of a geometry, also those of nested collections."""
    parts = getattr(geometry, "geoms", None)
    return [geometry] if parts is None else [simple for part in parts for simple in simple_parts(part)]


def is_polygon(geometry: BaseGeometry) -> bool:
    """Return whether a simple geometry has an area."""
    return geometry.geom_type == "Polygon" and not geometry.is_empty


def polygons_of(geometry: BaseGeometry) -> Iterator[Polygon]:
    """Yield the polygons of a geometry, also those of nested collections, without empty ones."""
    yield from (part for part in simple_parts(geometry) if isinstance(part, Polygon) and not part.is_empty)
