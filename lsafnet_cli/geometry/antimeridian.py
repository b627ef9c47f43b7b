"""Areas in degrees of longitude and latitude at the antimeridian and at the poles, where longitudes jump.

A ring is followed without jumps, beyond 180 degrees if need be, and closed along a pole that it surrounds or touches;
the area within it is then cut at the antimeridian.
"""

import math
from collections.abc import Iterator

import numpy as np
import shapely
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.geometry.arrays import FloatArray
from lsafnet_cli.geometry.parts import polygon_parts

AT_POLE = 1e-9  # degrees of latitude: a point as close to a pole is the pole
AT_CUT = 1e-8  # degrees of longitude: a point as close to the antimeridian lies on it
WHOLE = 2.0**40  # the number of parts of a degree that coordinates are rounded to: a tenth of a micrometre


def aligned(points: FloatArray) -> FloatArray:
    """Return (n, 2) points in degrees such that turns of 360 are exact, with those next to the antimeridian on it."""
    lon, lat = (np.round(points * WHOLE) / WHOLE).T
    antimeridian = np.round((lon - 180) / 360) * 360 + 180  # the closest
    return np.stack([np.where(np.abs(lon - antimeridian) < AT_CUT, antimeridian, lon), lat], axis=1)


def may_cross(geometry: BaseGeometry) -> bool:
    """Return whether a geometry in degrees may cross the antimeridian, lie beyond it, or hold or touch a pole."""
    left, bottom, right, top = geometry.bounds
    beyond = left < -180 or right > 180
    return bool(beyond or right - left > 180 or max(-bottom, top) >= 90 - AT_POLE)


def cut_at_antimeridian(geometry: BaseGeometry) -> list[Polygon]:
    """Return the polygons of a geometry in degrees, cut at the antimeridian where their sides cross it."""
    parts: list[Polygon] = []
    for polygon in polygon_parts(geometry):
        if not may_cross(polygon):
            parts.append(polygon)
            continue
        outside, *holes = (
            MultiPolygon(list(folded(_sound(unrolled(shapely.get_coordinates(ring))))))
            for ring in (polygon.exterior, *polygon.interiors)
        )
        parts += polygon_parts(outside.difference(shapely.union_all(holes)))
    return parts


def _sound(polygon: Polygon) -> BaseGeometry:
    return (
        polygon if polygon.is_valid else shapely.union_all(list(polygon_parts(shapely.make_valid(polygon))))
    )


def unrolled(ring: FloatArray) -> Polygon:
    """Return the area within a closed ring, (points, 2) in degrees, with longitudes that do not jump.

    They may lie beyond 180. A ring that surrounds a pole is closed along it, and so is one that touches it:
    there, the pole has the longitudes of the points before and after it, whatever its own says.
    """
    points, pole = _from_pole(ring)
    lon, lat = np.unwrap(points[:, 0], period=360), points[:, 1]
    if pole is not None:
        lon, lat = np.append(lon, [lon[-1], lon[0]]), np.append(lat, [pole, pole])
    return Polygon(np.stack([lon, lat], axis=1))


def _from_pole(ring: FloatArray) -> tuple[FloatArray, float | None]:
    """Return the points of a closed ring, and the latitude of a pole it surrounds or touches, or None.

    With a pole, they are those from it to it again, by the meridians of the first and the last of them.
    """
    points = ring[:-1]
    at_pole = np.abs(points[:, 1]) >= 90 - AT_POLE
    after = np.flatnonzero(~at_pole & np.roll(at_pole, 1))
    if len(after) == 1:
        pole = float(np.copysign(90, points[after[0] - 1, 1]))
        return np.roll(points, -after[0], axis=0)[: np.count_nonzero(~at_pole)], pole
    lon = np.unwrap(ring[:, 0], period=360)
    if abs(lon[-1] - lon[0]) > 180:
        pole = 90.0 if points[:, 1].mean() > 0 else -90.0
        # from the closest point no side lies between it and the pole
        start = int(np.argmin(np.abs(points[:, 1] - pole)))
        return np.concatenate([points[start:], points[: start + 1]]), pole
    return ring, None


def folded(whole: BaseGeometry) -> Iterator[Polygon]:
    """Yield the polygons of an area with longitudes brought within -180..180, cut at the antimeridian."""
    west, _, east, _ = whole.bounds
    found = []
    for turn in range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360)):
        part = whole.intersection(shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90))
        found.append(translate(part, -360 * turn))
    yield from polygon_parts(shapely.union_all(found))
