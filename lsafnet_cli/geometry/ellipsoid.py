"""Areas and distances on an ellipsoid of revolution.

Areas are measured in equal-area projections: the cylindrical one of longitude and q, and about a pole the
azimuthal one, where q, the area between the equator and a parallel per radian of longitude, is (Snyder, Map
Projections: A Working Manual, 1987, eq. 3-12, times a**2 / 2)

    q = a**2 (1 - e**2) / 2 * (s / (1 - e**2 s**2) + atanh(e s) / e),   s = sin(latitude)
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from pyproj import Geod

from lsafnet_cli.geometry.arrays import FloatArray

Place = tuple[FloatArray, FloatArray]  # longitude and latitude, radians
POLAR = np.radians(60)  # beyond it areas are measured in the azimuthal projection
BEYOND = 1e-12  # radians; latitudes this far beyond a pole are rounding


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Semi-major axis in metres and eccentricity."""

    a: float
    e: float

    @classmethod
    def of(cls, semi_major_m: float, semi_minor_m: float) -> Self:
        """Return the ellipsoid with two axes; a prolate one is replaced by its mean sphere."""
        if semi_minor_m > semi_major_m:
            return cls((semi_major_m**2 * semi_minor_m) ** (1 / 3), 0.0)
        return cls(semi_major_m, float(np.sqrt(1 - (semi_minor_m / semi_major_m) ** 2)))

    def q(self, latitude: FloatArray) -> FloatArray:
        """Return the area between the equator and a parallel, m2 per radian of longitude."""
        s, e = np.sin(latitude), self.e
        if e == 0:
            return np.asarray(self.a**2 * s)
        return np.asarray(self.a**2 * (1 - e**2) / 2 * (s / (1 - (e * s) ** 2) + np.arctanh(e * s) / e))

    def q_to_pole(self, latitude: FloatArray) -> FloatArray:
        """Return the area between a northern parallel and the pole, m2 per radian; exact right up to the pole."""
        s, e = np.sin(latitude), self.e
        lacking = 2 * np.sin((np.pi / 2 - latitude) / 2) ** 2  # 1 - s
        if e == 0:
            return np.asarray(self.a**2 * lacking)
        first = lacking * (1 + e**2 * s) / ((1 - e**2) * (1 - (e * s) ** 2))
        second = np.arctanh(e * lacking / (1 - e**2 * s)) / e
        return np.asarray(self.a**2 * (1 - e**2) / 2 * (first + second))

    def area_along_parallels(self, up: Place, down: Place, left: Place, right: Place) -> FloatArray:
        """Return the areas of quadrilaterals from the midpoints of their sides, in the cylindrical projection.

        Exact for sides along parallels and meridians. Quadrilaterals are cut at a pole; those whose centre
        lies beyond it are NaN.
        """
        lat_up, lat_down = up[1], down[1]
        inside = np.abs(lat_up + lat_down) / 2 <= np.pi / 2 + BEYOND
        heights = [
            self.q(np.clip(lat, -np.pi / 2, np.pi / 2)) for lat in (lat_up, lat_down, left[1], right[1])
        ]
        q_up, q_down, q_left, q_right = heights
        one = (down[0] - up[0]) * (q_right - q_left)
        return np.where(inside, np.abs(one - (right[0] - left[0]) * (q_down - q_up)), np.nan)

    def area_between(self, up: Place, down: Place, left: Place, right: Place) -> FloatArray:
        """Return the areas of small quadrilaterals from the midpoints of their sides, anywhere, also across a
        pole."""
        mean = (up[1] + down[1]) / 2
        polar = np.abs(mean) > POLAR
        lon_down, lon_left, lon_right = (up[0] + _turned(place[0] - up[0]) for place in (down, left, right))
        turned = (up, (lon_down, down[1]), (lon_left, left[1]), (lon_right, right[1]))
        areas = self.area_along_parallels(*turned)
        if polar.any():
            north = np.where(mean[polar] < 0, -1.0, 1.0)
            middles = [
                self._about_pole(lon[polar], lat[polar] * north) for lon, lat in (up, down, left, right)
            ]
            (x_up, y_up), (x_down, y_down), (x_left, y_left), (x_right, y_right) = middles
            one = (x_down - x_up) * (y_right - y_left)
            areas[polar] = np.abs(one - (y_down - y_up) * (x_right - x_left))
        return areas

    def _about_pole(self, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return x and y in the azimuthal equal-area projection about the north pole, m."""
        radius = np.sqrt(2 * self.q_to_pole(lat))
        return radius * np.cos(lon), radius * np.sin(lon)

    def distance(self, one: Place, other: Place) -> FloatArray:
        """Return the lengths of the geodesics between points, m; NaN where a point is NaN."""
        geod = Geod(a=self.a, es=self.e**2)
        (lon, lat), (far_lon, far_lat) = (np.broadcast_arrays(*place) for place in (one, other))
        lat, far_lat = (np.clip(values, -np.pi / 2, np.pi / 2) for values in (lat, far_lat))
        seen = np.isfinite(lon) & np.isfinite(lat) & np.isfinite(far_lon) & np.isfinite(far_lat)
        lengths = np.full(lon.shape, np.nan)
        _, _, lengths[seen] = geod.inv(lon[seen], lat[seen], far_lon[seen], far_lat[seen], radians=True)
        return lengths


def _turned(angle: FloatArray) -> FloatArray:
    """Return angles wrapped to -pi..pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
