"""Points along straight sides, so that polygons keep their shape in a CRS where these sides are curves."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from lsafnet_cli.geometry.arrays import BoolArray, FloatArray
from lsafnet_cli.geometry.crs import Way

LARGEST_BEND = 5e-4  # of a side's own length: half a pixel in a side of a thousand
MOST_ROUNDS = 10  # a side that ends at a pole never comes to rest


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


def _bent_sides(points: FloatArray, ring: NDArray[np.int64], way: Way) -> NDArray[np.int64]:
    """Return the first points of the sides whose middle lies beside the straight line in degrees."""
    first = np.flatnonzero(ring[:-1] == ring[1:])
    lon, lat = way(*points.T)
    middle_lon, middle_lat = way(*((points[first] + points[first + 1]) / 2).T)
    turn, rise = _turn(lon[first + 1] - lon[first]), lat[first + 1] - lat[first]
    across = np.cos(np.radians(middle_lat))
    beside = np.hypot(_turn(middle_lon - lon[first] - turn / 2) * across, middle_lat - lat[first] - rise / 2)
    length = np.hypot(turn * across, rise)  # in degrees of latitude, as `beside`
    bent: BoolArray = beside > LARGEST_BEND * length
    return first[bent]


def _turn(degrees: FloatArray) -> FloatArray:
    """Return differences of longitude within -180..180."""
    return (degrees + 180) % 360 - 180
