"""The footprint of a grid in another CRS: sampled points, extent, and outline on the globe.

Longitudes are periodic: 179 and -181 are one meridian. Points of a grid are unwrapped across the antimeridian, so
that they stay together; geometries are compared at every multiple of 360 degrees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from pyproj import CRS
from rasterio.features import shapes
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.geometry.antimeridian import aligned, folded, unrolled
from lsafnet_cli.geometry.arrays import BoolArray, FloatArray
from lsafnet_cli.geometry.crs import WGS84, NoWayError, Way, full_turn, horizontal
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.parts import polygon_parts

POINTS = 33  # along each axis of a grid, so that edges that are curved in another CRS are followed
SPARE = 0.05  # of an extent, added around it, since its sides may bulge between the sampled points
NEARLY_ROUND = 300 / 360  # of a full circle; an extent this wide contains a pole or surrounds the Earth
CELLS = 64  # along each axis of a grid of which only a part can be transformed, to find its outline
STRAIGHT_DEGREES = 1e-6  # points of an outline closer to a straight side are dropped
TORN = 0.4  # of the distance between two neighbouring points: largest offset of their midpoint
DECIMALS = 7  # of a degree: a centimetre
Points = tuple[FloatArray, FloatArray]


def spread_points(grid: Grid, crs: CRS | None, rows: int = POINTS, cols: int = POINTS) -> Points:
    """Return (x, y), (rows, cols) each, of points spaced evenly over a grid and its outer edges, in a CRS.

    NaN outside the domain of the CRS; None stands for the grid's own CRS. Raises NoWayError.
    """
    across, down = np.meshgrid(np.linspace(0, grid.width, cols), np.linspace(0, grid.height, rows))
    return _in_crs(grid, crs, across, down)


def _in_crs(grid: Grid, crs: CRS | None, cols: FloatArray, rows: FloatArray) -> Points:
    x, y = grid.to_ground(cols, rows)
    if crs is None or grid.crs is None:
        return x, y
    way, turn = Way.between(horizontal(grid.crs), crs), full_turn(crs)
    x, y = way(x, y)
    return (x if turn is None or way.transformer is None else _together(x, turn)), y


def _together(longitudes: FloatArray, turn: float) -> FloatArray:
    """Return longitudes unwrapped at the widest gap between them, so that their span is minimal."""
    seen = np.unique(longitudes[np.isfinite(longitudes)] % turn)
    if len(seen) == 0:
        return longitudes
    gaps = np.diff(seen, append=seen[0] + turn)
    start = seen[(int(np.argmax(gaps)) + 1) % len(seen)]
    counted = start + (longitudes - start) % turn
    return np.asarray(counted - (turn if np.nanmean(counted) > turn / 2 else 0.0))


def to_pixels(x: ArrayLike, y: ArrayLike, crs: CRS | None, grid: Grid) -> Points:
    """Return (cols, rows) on a grid of points of a CRS, at the longitude closest to the grid's centre.

    NaN outside the domain of the grid's CRS; a CRS of None is the grid's own. Raises NoWayError.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if grid.crs is not None:
        own = horizontal(grid.crs)
        if crs is not None:
            x, y = Way.between(crs, own)(x, y)
        if (turn := full_turn(own)) is not None:
            centre = float(grid.to_ground(grid.width / 2, grid.height / 2)[0])
            x = centre + (x - centre + turn / 2) % turn - turn / 2
    return grid.to_pixels(x, y)


@dataclass(frozen=True, slots=True)
class Extent:
    """The bounds of a grid in a CRS, slightly enlarged; longitudes may exceed half a `turn`."""

    left: float
    bottom: float
    right: float
    top: float
    turn: float | None

    @classmethod
    def of(cls, grid: Grid, crs: CRS | None) -> "Extent | None":
        """Return the extent; None if no point of the grid can be transformed to the CRS. Raises NoWayError."""
        x, y = spread_points(grid, crs)
        seen = np.isfinite(x) & np.isfinite(y)
        if not seen.any():
            return None
        x, y = x[seen], y[seen]
        left, bottom, right, top = float(x.min()), float(y.min()), float(x.max()), float(y.max())
        own = None if grid.crs is None else horizontal(grid.crs)
        turn = None if own is None else full_turn(crs or own)
        moved = own is not None and crs is not None and not own.equals(crs, ignore_axis_order=True)
        if turn is not None and moved and right - left > NEARLY_ROUND * turn:
            # at most one full circle: what a ring covers twice counts as outside
            bottom, top = (-turn / 4 if bottom < 0 else bottom), (turn / 4 if top > 0 else top)
            return cls(-turn / 2, bottom, turn / 2, top, turn)
        spare = SPARE * max(right - left, top - bottom)
        return cls(left - spare, bottom - spare, right + spare, top + spare, turn)

    @property
    def size(self) -> float:
        """Its longer side."""
        return max(self.right - self.left, self.top - self.bottom)

    @property
    def shifts(self) -> tuple[float, ...]:
        """Multiples of `turn` to add to the longitudes of a file so that they match those of this extent."""
        return (0.0,) if self.turn is None else (-self.turn, 0.0, self.turn)

    def box(self, shift: float = 0.0) -> BaseGeometry:
        """Return the extent as a polygon, shifted back by `shift`."""
        return shapely.box(self.left - shift, self.bottom, self.right - shift, self.top)

    def cut(self, geometry: BaseGeometry) -> BaseGeometry:
        """Return the part of a geometry's polygons within the extent, at any multiple of 360 degrees."""
        found = [
            translate(shapely.intersection(geometry, self.box(shift)), xoff=shift) for shift in self.shifts
        ]
        return shapely.union_all([part for one in found for part in polygon_parts(one)])


@dataclass(frozen=True, slots=True)
class Footprint:
    """The outline of a grid in degrees of WGS 84, as GeoJSON has it (RFC 7946): cut at the antimeridian."""

    polygons: tuple[Polygon, ...]

    @property
    def geometry(self) -> dict[str, Any]:
        """The outline as a GeoJSON geometry."""
        whole = self.polygons[0] if len(self.polygons) == 1 else MultiPolygon(self.polygons)
        return dict(mapping(whole))

    @property
    def bbox(self) -> list[float]:
        """West, south, east, north; west is larger than east if the outline crosses the antimeridian."""
        west, south, east, north = np.array([polygon.bounds for polygon in self.polygons]).T
        ends, begins = east == 180, west == -180  # at the antimeridian
        if ends.any() and begins.any() and not (ends & begins).any():
            west, east = west[~begins], east[~ends]
        return [float(number) for number in (west.min(), south.min(), east.max(), north.max())]


def footprint_of(grid: Grid) -> Footprint | None:
    """Return the footprint of a grid; None if it is not on the Earth, or has no outline that can be found."""
    if grid.crs is None:
        return None
    try:
        found = [part for ring in _rings(grid) for part in _on_globe(ring)]
    except NoWayError:
        return None
    plain = [
        Polygon(np.round(shapely.get_coordinates(p.simplify(STRAIGHT_DEGREES)), DECIMALS)) for p in found
    ]
    sound = [shapely.orient_polygons(part) for part in plain if part.is_valid and part.area > 0]
    return Footprint(tuple(sound)) if sound else None


def _rings(grid: Grid) -> Iterator[FloatArray]:
    """Yield the outer rings, (points, 2), of the part of a grid that lies on the Earth; longitudes are unwrapped."""
    lon, lat = spread_points(grid, horizontal(WGS84), CELLS + 1, CELLS + 1)
    seen = np.isfinite(lon) & np.isfinite(lat)
    if _is_torn(grid, lon, lat):
        return
    whole = np.array([[0, 0], [CELLS, 0], [CELLS, CELLS], [0, CELLS], [0, 0]], float)
    for corners in [whole] if seen.all() else _outlines(seen):
        cols, rows = _along_whole_cells(corners).T
        yield np.stack([lon[rows, cols], lat[rows, cols]], axis=1)


def _is_torn(grid: Grid, lon: FloatArray, lat: FloatArray) -> bool:
    """Return whether a grid's CRS has gaps within it, as interrupted projections do.

    The midpoint of two neighbouring points then lies far from half-way between them on the globe.
    """
    fine_lon, fine_lat = spread_points(grid, horizontal(WGS84), 2 * CELLS + 1, 2 * CELLS + 1)
    points, fine = _on_sphere(lon, lat), _on_sphere(fine_lon, fine_lat)
    for one, other, middle in (
        (points[:, :-1], points[:, 1:], fine[::2, 1::2]),
        (points[:-1], points[1:], fine[1::2, ::2]),
    ):
        apart = np.linalg.norm(other - one, axis=-1)
        off = np.linalg.norm(middle - (one + other) / 2, axis=-1)
        if (off > TORN * apart).any():  # never where one is not finite
            return True
    return False


def _on_sphere(lon: FloatArray, lat: FloatArray) -> FloatArray:
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def _outlines(seen: BoolArray) -> Iterator[FloatArray]:
    """Yield the outer rings, in nodes, of the cells whose four nodes are all visible."""
    cells = seen[:-1, :-1] & seen[1:, :-1] & seen[:-1, 1:] & seen[1:, 1:]
    for geometry, _ in shapes(cells.astype("uint8"), mask=cells):
        yield shapely.get_coordinates(shapely.get_exterior_ring(shape(geometry)))


def _along_whole_cells(corners: FloatArray) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return a closed ring of nodes with every node on its straight sides, as whole numbers."""
    return np.round(shapely.get_coordinates(shapely.segmentize(Polygon(corners).exterior, 1.0))).astype(
        np.int64
    )


def _on_globe(ring: FloatArray) -> Iterator[Polygon]:
    """Yield the area within a closed ring in degrees as polygons with longitudes within -180..180."""
    whole = unrolled(aligned(ring))
    if whole.is_valid:
        yield from folded(whole)
