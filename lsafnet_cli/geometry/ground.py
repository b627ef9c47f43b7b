"""True ground area of pixels, in any CRS: degrees, web mercator, UTM alike."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebpts2, chebvander
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Transformer

from lsafnet_cli.geometry.grid import Grid

_NODES_ALONG_ROW = 129
_NODES = 33  # along each axis, for the whole grid's area
_DEGREE = 48  # along each axis; a polynomial of it follows any map projection's scale to better than 1e-6


class PixelAreas:
    """Areas of a grid's pixels on the ellipsoid of its CRS, in m2.

    The area of a pixel is M N cos(latitude) |d(latitude, longitude) / d(row, col)| at its centre, where M and
    N are the ellipsoid's radii of curvature (meridian and prime vertical). Raises ValueError without a CRS.
    """

    def __init__(self, grid: Grid) -> None:
        if grid.crs is None:
            raise ValueError("pixels without a CRS have no ground area")
        self._grid = grid
        crs = CRS.from_user_input(grid.crs.to_wkt())
        geodetic = crs.geodetic_crs or crs
        self._to_degrees = Transformer.from_crs(crs, geodetic, always_xy=True)
        ellipsoid = geodetic.ellipsoid
        if ellipsoid is None:
            raise ValueError(f"{crs.name} has no ellipsoid, so its pixels have no ground area")
        flattening = 1 / ellipsoid.inverse_flattening if ellipsoid.inverse_flattening else 0.0
        self._semi_major_m, self._e2 = ellipsoid.semi_major_metre, flattening * (2 - flattening)

    def total(self) -> float:
        """Return the area of the whole grid, of which pixels that have no place on the ground are no part."""
        rows = (np.arange(_NODES) + 0.5) * (self._grid.height / _NODES)
        cols = (np.arange(_NODES) + 0.5) * (self._grid.width / _NODES)
        areas = self.exactly_at(*np.meshgrid(rows, cols, indexing="ij"))
        return float(np.nansum(areas)) * self._grid.width * self._grid.height / _NODES**2

    def in_rows(
        self, first: int, count: int, rows: NDArray[np.int64], cols: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the area of many pixels of a few whole rows, [first, first + count); `cols` are centres.

        Along a row the area is interpolated linearly between nodes that lie close together. Pixels that look past
        the ellipsoid, as at the rim of a geostationary image, have none.
        """
        if not self._smooth:
            return np.nan_to_num(self.exactly_at(np.asarray(rows) + 0.5, cols))
        nodes = np.linspace(-1, 1, _NODES_ALONG_ROW)
        centres = (np.arange(first, first + count) + 0.5) * (2 / self._grid.height) - 1
        table = chebvander(centres, _DEGREE) @ self._coefficients @ chebvander(nodes, _DEGREE).T
        place = np.asarray(cols) * ((_NODES_ALONG_ROW - 1) / self._grid.width)
        left = np.minimum(place.astype(np.int64), _NODES_ALONG_ROW - 2)
        share, row = place - left, rows - first
        return np.asarray(table[row, left] * (1 - share) + table[row, left + 1] * share)

    @cached_property
    def _node_areas(self) -> NDArray[np.float64]:
        places = (chebpts2(_DEGREE + 1) + 1) / 2
        rows, cols = places * self._grid.height, places * self._grid.width
        return self.exactly_at(*np.meshgrid(rows, cols, indexing="ij"))

    @property
    def _smooth(self) -> bool:
        return bool(np.isfinite(self._node_areas).all())

    @cached_property
    def _coefficients(self) -> NDArray[np.float64]:
        """Of the Chebyshev polynomial through the nodes, in rows and cols from -1 to 1."""
        of_values = np.linalg.inv(chebvander(chebpts2(_DEGREE + 1), _DEGREE))
        return np.asarray(of_values @ self._node_areas @ of_values.T)

    def exactly_at(self, rows: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
        """Return the area of pixels whose centres lie at these rows and columns (0.5 is the first pixel's).

        Pixels that look past the ellipsoid have none: NaN.
        """
        row, col = np.asarray(rows, float), np.asarray(cols, float)
        (lon_up, lat_up), (lon_down, lat_down), (lon_left, lat_left), (lon_right, lat_right) = (
            self._degrees(row + down, col + right)
            for down, right in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
        )
        turns = _wrapped(lon_down - lon_up) * (lat_right - lat_left)
        areas = np.abs(turns - _wrapped(lon_right - lon_left) * (lat_down - lat_up))
        return np.asarray(areas * np.radians(1) ** 2 * self._square_radian((lat_up + lat_down) / 2))

    def _degrees(self, row: NDArray[np.float64], col: NDArray[np.float64]) -> tuple[Any, Any]:
        x, y = self._grid.to_ground(col, row)
        lon, lat = self._to_degrees.transform(x, y)
        seen = np.isfinite(lon) & np.isfinite(lat)
        return np.where(seen, lon, np.nan), np.where(seen, lat, np.nan)

    def _square_radian(self, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return M N cos(latitude), m2."""
        phi, e2 = np.radians(latitude), self._e2
        return np.asarray(self._semi_major_m**2 * (1 - e2) * np.cos(phi) / (1 - e2 * np.sin(phi) ** 2) ** 2)


def pixel_sides_m(grid: Grid) -> tuple[float, float]:
    """Return how long the sides (along a row, along a column) of a grid's central pixel are on the ellipsoid, m.

    Raises ValueError without a CRS.
    """
    if grid.crs is None:
        raise ValueError("pixels without a CRS have no ground length")
    crs = CRS.from_user_input(grid.crs.to_wkt())
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs or crs, always_xy=True)
    col, row = grid.width / 2, grid.height / 2
    lon, lat = to_degrees.transform(*grid.to_ground([col, col + 1, col], [row, row, row + 1]))
    geod = crs.get_geod() or Geod(ellps="WGS84")
    _, _, lengths = geod.inv(lon[[0, 0]], lat[[0, 0]], lon[1:], lat[1:])
    return float(lengths[0]), float(lengths[1])


def _wrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    return (degrees + 180) % 360 - 180
