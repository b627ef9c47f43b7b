"""Polygons in longitude and latitude: points along sides that are curves there, ends at the antimeridian."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from lsafnet_cli.geometry.antimeridian import AT_POLE, aligned, cut_at_antimeridian, may_cross
from lsafnet_cli.geometry.arrays import BoolArray, FloatArray
from lsafnet_cli.geometry.crs import Way
from lsafnet_cli.geometry.parts import polygon_parts

LARGEST_BEND = 5e-4  # of a side's own length: half a pixel in a side of a thousand
MOST_ROUNDS = 10  # a side that passes close by a pole comes to rest late
ON_SIDE = 1e-9  # of a side's length: a pole as close to it lies on it
LONGEST_TURN = 180.0  # degrees, along a pole: GDAL takes a side of 350 for one that crosses the antimeridian
POLES = ((0.0, 0.0), (90.0, -90.0))


def in_degrees(geometries: NDArray[Any], way: Way) -> list[list[Any]]:
    """Return (n,) polygons and multipolygons in degrees: of each its parts, which end at the antimeridian.

    way: to longitude and latitude. Parts are valid, and of the kind of the whole, several only where it crosses
    the antimeridian. Raises NoWayError if points are not on the Earth.
    """
    moved = shapely.transform(densify(geometries, way), lambda points: aligned(way.of_points(points)))
    return [_sides_of_antimeridian(geometry) for geometry in moved]


def is_straight(geometries: NDArray[Any], way: Way) -> bool:
    """Return whether (n,) polygons keep their shape in degrees if only their points are moved there.

    They do not where a side is bent, nor where they may hold a pole.
    """
    left, bottom, right, top = shapely.total_bounds(geometries)
    x, y = way.back(*POLES)
    if ((left < x) & (x < right) & (bottom < y) & (y < top)).any():
        return False
    return densify(geometries, way) is geometries


def _sides_of_antimeridian(geometry: Any) -> list[Any]:
    """Return a geometry in degrees, or, where it crosses the antimeridian, its parts, each on one side."""
    multiple = geometry.geom_type == "MultiPolygon"
    if not may_cross(geometry):
        return [geometry if geometry.is_valid else _sound(geometry, multiple)]
    parts = [shapely.segmentize(part, LONGEST_TURN) for part in cut_at_antimeridian(geometry)]
    if not multiple or not parts:
        return parts or [geometry]
    east = [part.bounds[0] >= 0 for part in parts]
    sides = [
        [part for part, there in zip(parts, east, strict=True) if there == side] for side in (True, False)
    ]
    return [joined(side) for side in sides if side]


def joined(parts: list[Any]) -> Any:
    """Return polygons and multipolygons that do not overlap as one multipolygon."""
    polygons = [polygon for part in parts for polygon in polygon_parts(part)]
    whole = shapely.MultiPolygon(polygons)
    if whole.is_valid:
        return whole
    # where the two ends of a map of the whole Earth meet, they have a border in common
    return shapely.MultiPolygon(list(polygon_parts(shapely.union_all(polygons))))


def densify(geometries: NDArray[Any], way: Way) -> NDArray[Any]:
    """Return (n,) polygons and multipolygons with points added where a straight side is bent in degrees.

    way: to longitude and latitude. Whether a side gets points depends on its two ends alone, so that neighbours
    keep all points of a common border. Most maps have no such side and come back as they are; near a pole
    all sides have.
    """
    polygons, whole = shapely.get_parts(geometries, return_index=True)
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    count = len(points)
    points, ring = _with_poles(points, ring, way)
    for _ in range(MOST_ROUNDS):
        bent = _bent_sides(points, ring, way)
        if not len(bent):
            break
        middles = (points[bent] + points[bent + 1]) / 2
        points = np.insert(points, bent + 1, middles, axis=0)
        ring = np.insert(ring, bent + 1, ring[bent])
    if len(points) == count:
        return geometries
    lines: NDArray[Any] = np.asarray(shapely.linearrings(points, indices=ring))
    # the first ring of each is its outer one
    polygons = np.asarray(shapely.polygons(lines, indices=polygon))
    single = shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON
    found = np.array(geometries, object)
    found[single] = polygons[single[whole]]
    if not single.all():
        several = ~single[whole]
        number = np.cumsum(~single) - 1
        found[~single] = shapely.multipolygons(polygons[several], indices=number[whole[several]])
    return found


def _with_poles(
    points: FloatArray, ring: NDArray[np.int64], way: Way
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return points and their rings with a pole as one more point of each side on which it lies."""
    for pole in np.stack(way.back(*POLES), axis=1):
        first = np.flatnonzero(ring[:-1] == ring[1:])
        (x, y), (to_x, to_y) = (points[first] - pole).T, (points[first + 1] - pole).T
        near = ON_SIDE * ((to_x - x) ** 2 + (to_y - y) ** 2)
        on = first[(np.abs(x * to_y - y * to_x) < near) & (x * to_x + y * to_y < -near)]
        points = np.insert(points, on + 1, pole, axis=0)
        ring = np.insert(ring, on + 1, ring[on])
    return points, ring


def _bent_sides(points: FloatArray, ring: NDArray[np.int64], way: Way) -> NDArray[np.int64]:
    """Return the first points of the sides whose middle lies beside the straight line in degrees."""
    first = np.flatnonzero(ring[:-1] == ring[1:])
    lon, lat = way(*points.T)
    middle_lon, middle_lat = way(*((points[first] + points[first + 1]) / 2).T)
    at_pole = np.abs(lat) >= 90 - AT_POLE  # it has the longitude of the side's other end
    begin = np.where(at_pole[first], lon[first + 1], lon[first])
    end = np.where(at_pole[first + 1], begin, lon[first + 1])
    turn, rise = _turn(end - begin), lat[first + 1] - lat[first]
    across = np.cos(np.radians(middle_lat))
    beside = np.hypot(_turn(middle_lon - begin - turn / 2) * across, middle_lat - lat[first] - rise / 2)
    length = np.hypot(turn * across, rise)  # in degrees of latitude, as `beside`
    bent: BoolArray = beside > LARGEST_BEND * length
    return first[bent]


def _turn(degrees: FloatArray) -> FloatArray:
    """Return differences of longitude within -180..180."""
    return (degrees + 180) % 360 - 180


def _sound(geometry: Any, multiple: bool) -> Any:
    """Return a geometry made valid, of its polygons only."""
    polygons = list(polygon_parts(shapely.make_valid(geometry)))
    return polygons[0] if len(polygons) == 1 and not multiple else shapely.MultiPolygon(polygons)
