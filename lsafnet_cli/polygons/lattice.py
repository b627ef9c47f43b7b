"""Outlines of pixels as rings of lattice points: whole numbers (col, row) of pixel corners.

Where three or more pieces meet is a node. Every ring has a vertex at each node it passes, so that neighbours
share all vertices of their common border: no slivers arise when the polygons are projected or simplified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import DTypeLike, NDArray

from lsafnet_cli.geometry.arrays import BoolArray, IntArray
from lsafnet_cli.geometry.grid import Grid, apply_affine


@dataclass(frozen=True, slots=True)
class Nodes:
    """Lattice points where three or more pieces meet, sorted row by row and again column by column."""

    width: int
    height: int
    by_row: IntArray
    by_col: IntArray

    @classmethod
    def of(cls, width: int, height: int, cols: IntArray, rows: IntArray) -> "Nodes":
        """Sort the nodes of a raster of this size."""
        return cls(width, height, np.sort(rows * (width + 1) + cols), np.sort(cols * (height + 1) + rows))

    def are_at(self, cols: IntArray, rows: IntArray) -> BoolArray:
        """Return which lattice points are nodes."""
        keys = rows * (self.width + 1) + cols
        place = np.searchsorted(self.by_row, keys)
        found = np.zeros(len(keys), bool)
        inside = place < len(self.by_row)
        found[inside] = self.by_row[place[inside]] == keys[inside]
        return found


class NodeFinder:
    """Finds the nodes among pixel corners in row bands of codes that come from top to bottom.

    Two pieces of one code never share an edge, so codes suffice. Beyond the raster lies `outside`.
    Two pixels of different codes meet the outside at both ends of their common edge, (1, 0) and (1, 1);
    `by_row` holds these as row * (width + 1) + col:

    >>> finder = NodeFinder(2, 255, np.uint8)
    >>> finder.add(np.array([[1, 2]], np.uint8))
    >>> finder.finish().by_row.tolist()
    [1, 4]
    """

    def __init__(self, width: int, outside: int, dtype: DTypeLike) -> None:
        self._width, self._outside = width, outside
        self._last_row = np.full(width + 2, outside, dtype)
        self._next = 0
        self._cols: list[IntArray] = []
        self._rows: list[IntArray] = []

    def add(self, codes: NDArray[np.integer]) -> None:
        """Take the next (rows, cols) codes."""
        framed = np.full((len(codes) + 1, self._width + 2), self._outside, self._last_row.dtype)
        framed[0] = self._last_row
        framed[1:, 1:-1] = codes
        self._last_row = framed[-1].copy()
        beside = framed[:, 1:] != framed[:, :-1]
        below = framed[1:] != framed[:-1]
        borders = beside[:-1].astype(np.int8) + beside[1:] + below[:, 1:] + below[:, :-1]
        rows, cols = np.divmod(np.flatnonzero(borders >= 3), self._width + 1)
        self._cols.append(cols)
        self._rows.append(rows + self._next)
        self._next += len(codes)

    def finish(self) -> Nodes:
        """Return the nodes, once every row band has been added."""
        self.add(np.full((1, self._width), self._outside, self._last_row.dtype))
        cols, rows = np.concatenate(self._cols), np.concatenate(self._rows)
        return Nodes.of(self._width, self._next - 1, cols, rows)


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings of many polygons: vertices (the first one is not repeated), ring sizes, and rings of each polygon.

    The first ring of a polygon is its outline, the others are its holes.
    """

    col: IntArray
    row: IntArray
    sizes: IntArray
    counts: IntArray

    @property
    def starts(self) -> IntArray:
        """Index of each ring's first vertex."""
        return np.cumsum(self.sizes) - self.sizes

    @property
    def following(self) -> IntArray:
        """Index of the vertex after each one, around its ring."""
        following = np.arange(1, len(self.col) + 1)
        following[self.starts + self.sizes - 1] = self.starts
        return following

    @property
    def polygon_of_ring(self) -> IntArray:
        """Number of the polygon that each ring belongs to."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def first_pixels(self, width: int) -> IntArray:
        """Return the first pixel, in reading order, of each polygon: row * width + col."""
        corner = self.row * width + self.col  # of all corners the smallest is a pixel's upper left one
        outlines = (np.cumsum(self.counts) - self.counts)[self.counts > 0]
        return np.asarray(np.minimum.reduceat(corner, self.starts)[outlines])

    def kept(self, keep: BoolArray) -> "Rings":
        """Return the same rings without the vertices where `keep` is False."""
        sizes = np.add.reduceat(keep.astype(np.int64), self.starts)
        return Rings(self.col[keep], self.row[keep], sizes, self.counts)


def join_rings(batches: Sequence[Rings]) -> Rings:
    """Return the rings of some batches as one."""
    names = ("col", "row", "sizes", "counts")
    return Rings(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in names))


def read_rings(geometries: Sequence[dict[str, Any]], to_pixels: Affine) -> Rings:
    """Return the rings of GeoJSON polygons that follow pixel borders, each vertex a corner."""
    rings = [ring for geometry in geometries for ring in geometry["coordinates"]]
    sizes = np.fromiter(map(len, rings), np.int64, len(rings))
    flat = chain.from_iterable(chain.from_iterable(rings))
    points = np.fromiter(flat, np.float64, 2 * int(sizes.sum())).reshape(-1, 2)
    cols, rows = apply_affine(to_pixels, points[:, 0], points[:, 1])
    counts = np.fromiter((len(g["coordinates"]) for g in geometries), np.int64, len(geometries))
    closed = Rings(np.rint(cols).astype(np.int64), np.rint(rows).astype(np.int64), sizes, counts)
    repeated = np.zeros(len(closed.col), bool)
    repeated[closed.starts + sizes - 1] = True
    return without_straight(closed.kept(~repeated))


def without_straight(rings: Rings) -> Rings:
    """Return the rings without vertices between two edges of one direction.

    >>> ring = Rings(np.array([0, 0, 1, 1, 1]), np.array([0, 2, 2, 1, 0]), np.array([5]), np.array([1]))
    >>> without_straight(ring).row.tolist()  # (1, 1) is gone
    [0, 2, 2, 0]
    """
    following = rings.following
    level = rings.row[following] == rings.row
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    return rings.kept(level != level[before])


def with_nodes(rings: Rings, nodes: Nodes) -> Rings:
    """Return the rings with a vertex at each node they pass.

    The ring around the left column of a 2 x 2 raster, with a node in the middle of its right side:

    >>> ring = Rings(np.array([0, 0, 1, 1]), np.array([0, 2, 2, 0]), np.array([4]), np.array([1]))
    >>> noded = with_nodes(ring, Nodes.of(2, 2, cols=np.array([1]), rows=np.array([1])))
    >>> noded.col.tolist(), noded.row.tolist()
    ([0, 0, 1, 1, 1], [0, 2, 2, 1, 0])
    """
    following = rings.following
    level = rings.row[following] == rings.row
    along, end = (
        np.where(level, rings.col, rings.row),
        np.where(level, rings.col[following], rings.row[following]),
    )
    low, high = np.minimum(along, end), np.maximum(along, end)
    base = np.where(level, rings.row * (nodes.width + 1), rings.col * (nodes.height + 1))
    first, last = np.empty_like(base), np.empty_like(base)
    for side, keys in ((level, nodes.by_row), (~level, nodes.by_col)):
        first[side] = np.searchsorted(keys, (base + low)[side], "right")
        last[side] = np.searchsorted(keys, (base + high)[side], "left")
    extra = last - first
    edge = np.repeat(np.arange(len(base)), extra)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(extra) - extra, extra)
    index = np.where((along < end)[edge], first[edge] + step, last[edge] - 1 - step)
    key = np.empty_like(index)
    for side, keys in ((level[edge], nodes.by_row), (~level[edge], nodes.by_col)):
        key[side] = keys[index[side]]
    place = key - base[edge]
    col, row = np.where(level[edge], place, rings.col[edge]), np.where(level[edge], rings.row[edge], place)
    total = len(base) + len(edge)
    old = np.arange(len(base)) + np.cumsum(extra) - extra
    new = np.ones(total, bool)
    new[old] = False
    out = np.empty((2, total), np.int64)
    out[:, old], out[:, new] = (rings.col, rings.row), (col, row)
    sizes = rings.sizes + np.add.reduceat(extra, rings.starts)
    return Rings(out[0], out[1], sizes, rings.counts)


def polygons_of(rings: Rings, grid: Grid) -> NDArray[np.object_]:
    """Return the polygons of rings, in the grid's CRS."""
    x, y = grid.to_ground(rings.col, rings.row)
    return build_polygons(np.stack([x, y], axis=1), rings.sizes, rings.polygon_of_ring)


def build_polygons(
    points: NDArray[np.float64], sizes: IntArray, polygon_of_ring: IntArray
) -> NDArray[np.object_]:
    """Return polygons of (points, 2) coordinates, outlines running counter-clockwise."""
    linear = shapely.linearrings(points, indices=np.repeat(np.arange(len(sizes)), sizes))
    polygons = shapely.polygons(np.asarray(linear), indices=polygon_of_ring)
    return np.asarray(shapely.orient_polygons(polygons))
