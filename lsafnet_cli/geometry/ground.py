"""Ground area and ground size of pixels in any CRS.

A geographic or projected CRS is measured on its own ellipsoid, a local (engineering) CRS in its plane. Without a
CRS, or in one whose axes are no lengths, sizes are unknown.
"""

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.polynomial.chebyshev import chebpts2, chebvander
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS

from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.geometry.crs import Way, geographic_base, horizontal
from lsafnet_cli.geometry.ellipsoid import Ellipsoid
from lsafnet_cli.geometry.grid import Grid

MOST_NODES = 513  # along a row, between which areas are interpolated linearly
DEGREE = 48  # along each axis; a polynomial of it follows most projections' scale to better than 1e-6
TRUSTED = 1e-6  # relative; a polynomial with a larger error anywhere is not used
TRIED_PLACES = 300
CELLS = 200  # along each axis, for a whole grid's area
SPAN_M = 100.0  # areas are measured over at least this: inverse projections are exact to some micrometres
MAP_UNITS_SERVE = 5e-3  # relative; up to this difference a pixel's sides are given in map units
RUN_PX = 16  # longest part of a run whose area is taken from its centre if no polynomial fits


class PixelAreas(Protocol):
    """Ground areas of a grid's pixels, m2; NaN for pixels outside the domain of the CRS."""

    def total(self) -> float:
        """Return the area of the whole grid."""

    def of_runs(self, rows: IntArray, cols: IntArray, lengths: IntArray) -> FloatArray:
        """Return the areas of runs of pixels, which begin at (row, col) and lie in few neighbouring rows."""

    def at(self, rows: ArrayLike, cols: ArrayLike) -> FloatArray:
        """Return the areas of pixels whose centres lie at these rows and columns (0.5 is the first pixel's)."""


def pixel_areas(grid: Grid) -> PixelAreas | None:
    """Return the ground areas of a grid's pixels; None if they are unknown."""
    crs = None if grid.crs is None else horizontal(grid.crs)
    if crs is None:
        return None
    base = geographic_base(crs)
    if base is not None:
        return EllipsoidAreas(grid, Sphere(grid, crs, base))
    unit = _plane_unit_m(crs)
    return None if unit is None else PlaneAreas(grid, abs(grid.transform.determinant) * unit**2)


def _plane_unit_m(crs: CRS) -> float | None:
    """Return the unit of a local CRS in metres; None if its axes are no lengths in a plane."""
    if not crs.is_engineering or len(crs.axis_info) < 2:
        return None
    units = {axis.unit_conversion_factor for axis in crs.axis_info[:2]}
    return float(units.pop()) if len(units) == 1 and all(unit > 0 for unit in units) else None


class PlaneAreas:
    """Areas in the plane of a local CRS: the same for all pixels."""

    def __init__(self, grid: Grid, pixel_m2: float) -> None:
        self._grid, self._pixel_m2 = grid, pixel_m2

    def total(self) -> float:
        """Return the area of the whole grid."""
        return self._grid.pixel_count * self._pixel_m2

    def of_runs(self, rows: IntArray, cols: IntArray, lengths: IntArray) -> FloatArray:
        """Return the areas of runs of pixels."""
        return self.at(rows, cols) * lengths

    def at(self, rows: ArrayLike, cols: ArrayLike) -> FloatArray:
        """Return the areas of single pixels."""
        return np.full(np.broadcast(rows, cols).shape, self._pixel_m2)


class Sphere:
    """Transforms (row, col) positions on a grid to longitude and latitude, radians; NaN outside the domain of
    the CRS."""

    def __init__(self, grid: Grid, crs: CRS, base: CRS) -> None:
        ellipsoid = base.ellipsoid
        assert ellipsoid is not None  # geographic_base sees to that
        self._grid, self._way = grid, Way.between(crs, base)
        self._radians = base.axis_info[0].unit_conversion_factor
        self.ellipsoid = Ellipsoid.of(ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre)
        self.upright = self._way.transformer is None

    def __call__(self, rows: ArrayLike, cols: ArrayLike) -> tuple[FloatArray, FloatArray]:
        lon, lat = self._way(*self._grid.to_ground(cols, rows))
        return lon * self._radians, lat * self._radians


class EllipsoidAreas:
    """Areas on the ellipsoid of the CRS.

    The area of a pixel is that of the parallelogram between the midpoints of its sides in an equal-area
    projection. One polynomial in rows and columns is fitted to the areas of a grid and used if its error is
    small at random pixels.
    """

    def __init__(self, grid: Grid, sphere: Sphere) -> None:
        self._grid, self._sphere = grid, sphere

    def total(self) -> float:
        """Return the area of the whole grid, to about 1e-5 where that is a hemisphere."""
        shape = [min(side, CELLS) for side in self._grid.shape]
        rows, cols = (
            (np.arange(count) + 0.5) * (side / count)
            for count, side in zip(shape, self._grid.shape, strict=True)
        )
        areas = self.at(*np.meshgrid(rows, cols, indexing="ij"))
        return float(np.nansum(areas)) * self._grid.pixel_count / areas.size

    def at(self, rows: ArrayLike, cols: ArrayLike) -> FloatArray:
        """Return the areas of pixels with centres at these rows and columns; NaN outside the domain of the CRS."""
        row, col = np.broadcast_arrays(np.asarray(rows, float), np.asarray(cols, float))
        areas = self._measured(row, col, self._span_px)
        if self._span_px > 1 and (unseen := np.isnan(areas)).any():  # perhaps only the span's ends are
            areas[unseen] = self._measured(row[unseen], col[unseen], 1.0)
        return areas

    @cached_property
    def _span_px(self) -> float:
        """Number of pixels over which an area is measured, so that the span is at least SPAN_M."""
        if self._sphere.upright:  # no inverse projection is needed, and spans would end at the poles
            return 1.0
        places = [np.linspace(0.5, side - 0.5, 5) for side in self._grid.shape]
        rows, cols = np.meshgrid(*places, indexing="ij")
        areas = self._measured(rows, cols, 1.0)
        if not np.isfinite(areas).any():
            return 1.0
        return max(1.0, SPAN_M / float(np.sqrt(np.nanmedian(areas))))

    def _measured(self, row: FloatArray, col: FloatArray, span_px: float) -> FloatArray:
        half = span_px / 2
        up, down = self._sphere(row - half, col), self._sphere(row + half, col)
        left, right = self._sphere(row, col - half), self._sphere(row, col + half)
        ellipsoid = self._sphere.ellipsoid
        if self._sphere.upright:
            areas = ellipsoid.area_along_parallels(up, down, left, right)
        else:
            areas = ellipsoid.area_between(up, down, left, right)
        return np.asarray(areas / span_px**2)

    def of_runs(self, rows: IntArray, cols: IntArray, lengths: IntArray) -> FloatArray:
        """Return the areas of runs of pixels, which begin at (row, col) and lie in few neighbouring rows."""
        if len(rows) == 0:
            return np.zeros(0)
        if not self._follows_polynomial:
            return self._of_stretches(rows, cols, lengths)
        first = int(rows.min())
        summed = self._summed_along_rows(first, int(rows.max()) + 1)
        row = rows - first
        return self._sum_until(summed, row, cols + lengths) - self._sum_until(summed, row, cols)

    def _of_stretches(self, rows: IntArray, cols: IntArray, lengths: IntArray) -> FloatArray:
        """Cut runs into short parts, the area of each being that of its central pixel times its length."""
        count = -(-lengths // RUN_PX)
        run = np.repeat(np.arange(len(lengths)), count)
        number = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
        begin = number * RUN_PX
        length = np.minimum(RUN_PX, lengths[run] - begin)
        areas = np.nan_to_num(self.at(rows[run] + 0.5, cols[run] + begin + length / 2)) * length
        return np.bincount(run, areas, len(lengths)).astype(np.float64)

    @cached_property
    def _nodes(self) -> FloatArray:
        """The columns of pixel centres between which areas are interpolated."""
        width = self._grid.width
        return np.linspace(0.5, width - 0.5, min(width, MOST_NODES))

    def _summed_along_rows(self, first: int, end: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return areas at the nodes of rows [first, end), their slopes, and the cumulative sum along the row."""
        rows, cols = np.arange(first, end) + 0.5, self._nodes
        areas = _powers(rows, self._grid.height) @ self._coefficients @ _powers(cols, self._grid.width).T
        slopes = np.zeros_like(areas)
        slopes[:, :-1] = np.diff(areas) / np.diff(cols)
        sums = np.empty_like(areas)
        sums[:, 0] = areas[:, 0] / 2 - slopes[:, 0] / 8  # of the first half pixel
        sums[:, 1:] = sums[:, :1] + np.cumsum((areas[:, 1:] + areas[:, :-1]) / 2 * np.diff(cols), axis=1)
        return areas, slopes, sums

    def _sum_until(
        self, summed: tuple[FloatArray, FloatArray, FloatArray], row: IntArray, col: IntArray
    ) -> FloatArray:
        """Return the integral of a row's areas from its start to columns."""
        areas, slopes, sums = summed
        nodes = self._nodes
        node = np.clip(np.searchsorted(nodes, col, side="right") - 1, 0, max(len(nodes) - 2, 0))
        way = col - nodes[node]  # in the first half pixel negative, in the last beyond the last node
        return np.asarray(sums[row, node] + areas[row, node] * way + slopes[row, node] * way**2 / 2)

    @cached_property
    def _coefficients(self) -> FloatArray:
        """Coefficients of the Chebyshev polynomial through the nodes; rows and cols of pixel centres run from
        -1 to 1."""
        places = (chebpts2(DEGREE + 1) + 1) / 2
        rows, cols = (0.5 + places * (side - 1) for side in self._grid.shape)
        of_values = np.linalg.inv(chebvander(chebpts2(DEGREE + 1), DEGREE))
        return np.asarray(of_values @ self.at(*np.meshgrid(rows, cols, indexing="ij")) @ of_values.T)

    @cached_property
    def _follows_polynomial(self) -> bool:
        """Whether the polynomial reproduces the areas of random pixels of the grid."""
        if not np.isfinite(self._coefficients).all():
            return False
        rng = np.random.default_rng(0)
        rows, cols = (rng.integers(0, side, TRIED_PLACES) + 0.5 for side in self._grid.shape)
        table = _powers(rows, self._grid.height) @ self._coefficients
        fitted = (table * _powers(cols, self._grid.width)).sum(axis=1)
        measured = self.at(rows, cols)
        return bool((np.abs(fitted - measured) <= TRUSTED * np.abs(measured)).all())


def _powers(centres: NDArray[np.floating], side: int) -> FloatArray:
    """Return the Chebyshev polynomials at pixel centres along an axis."""
    return np.asarray(chebvander((centres - 0.5) * (2 / max(side - 1, 1)) - 1, DEGREE))


def pixel_sides_m(grid: Grid) -> tuple[float, float] | None:
    """Return the ground lengths (along a row, along a column) of the sides of a grid's central pixel, m.

    Map units are returned if they differ from ground lengths by less than half a percent, as in UTM: a pixel
    of 0.5 m is called 0.5 m. If the centre is outside the domain of the CRS, the nearest pixel inside it is
    taken. None if sizes are unknown.
    """
    crs = None if grid.crs is None else horizontal(grid.crs)
    if crs is None:
        return None
    base, (a, b, _, d, e, _) = geographic_base(crs), grid.transform[:6]
    on_map = np.hypot([a, b], [d, e])
    if base is None:
        unit = _plane_unit_m(crs)
        return None if unit is None else (float(on_map[0]) * unit, float(on_map[1]) * unit)
    sides = _central_sides_m(grid, Sphere(grid, crs, base))
    if sides is not None and not crs.is_geographic:
        on_map *= crs.axis_info[0].unit_conversion_factor
        if (np.abs(on_map / sides - 1) < MAP_UNITS_SERVE).all():
            sides = on_map
    return None if sides is None else (float(sides[0]), float(sides[1]))


def _central_sides_m(grid: Grid, sphere: Sphere) -> FloatArray | None:
    rows, cols = (axis.ravel() for axis in np.meshgrid(*_from_the_middle(grid), indexing="ij"))
    across = sphere.ellipsoid.distance(sphere(rows, cols - 0.5), sphere(rows, cols + 0.5))
    down = sphere.ellipsoid.distance(sphere(rows - 0.5, cols), sphere(rows + 0.5, cols))
    seen = np.flatnonzero(np.isfinite(across) & np.isfinite(down))
    if not len(seen):
        return None
    away = ((rows - grid.height / 2) / grid.height) ** 2 + ((cols - grid.width / 2) / grid.width) ** 2
    nearest = seen[np.argmin(away[seen])]
    return np.array([across[nearest], down[nearest]])


def _from_the_middle(grid: Grid) -> list[FloatArray]:
    """Return rows and columns from the middle of a grid outwards."""
    shares = np.concatenate([[0.5], np.linspace(0.02, 0.98, 17)])
    return [shares * side for side in grid.shape]


def pixel_size_m(grid: Grid) -> float | None:
    """Return the ground size of the grid's central pixel in metres; None if it is unknown."""
    sides = pixel_sides_m(grid)
    return None if sides is None else float(np.sqrt(sides[0] * sides[1]))
