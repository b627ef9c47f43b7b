"""Simplified and smoothed polygons: each piece of a common border is redrawn once, and keeps its area.

A piece keeps its ends and the areas on both sides, so neighbours stay neighbours and every polygon keeps its area.
If that is impossible without crossing another border, the piece stays unchanged.
"""

import re
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from lsafnet_cli.geometry.arrays import BoolArray, FloatArray, IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.polygons.arcs import cut_arcs, spread, starts_of
from lsafnet_cli.polygons.lattice import Nodes, Rings, build_polygons

Polygons = NDArray[np.object_]

SMOOTH_PX = 1.5  # a smoothed corner is cut at most this far from its tip
_NEWTON_STEPS = 6
_LOCAL_REPAIRS = 8  # after this many rounds whole polygons are restored, not only invalid parts


@dataclass(frozen=True, slots=True)
class Redrawing:
    """How borders are redrawn: `tolerance` and the sides of a pixel in one unit (m; pixels without a CRS)."""

    tolerance: float
    smooth: bool
    pixel: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Lines:
    """Polylines end to end: vertices and how many each one has."""

    x: FloatArray
    y: FloatArray
    sizes: IntArray

    @property
    def starts(self) -> IntArray:
        """Index of each line's first vertex."""
        return starts_of(self.sizes)

    @property
    def line_of(self) -> IntArray:
        """Line that each vertex belongs to."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def inner(self) -> BoolArray:
        """Which vertices are no ends."""
        inner = np.ones(len(self.x), bool)
        inner[self.starts] = inner[self.starts + self.sizes - 1] = False
        return inner

    def kept(self, keep: BoolArray) -> "Lines":
        """Return the lines without the vertices where `keep` is False; ends must be kept.

        >>> lines = Lines(np.array([0.0, 1, 2, 5, 6]), np.zeros(5), np.array([3, 2]))
        >>> fewer = lines.kept(np.array([True, False, True, True, True]))
        >>> fewer.x.tolist(), fewer.sizes.tolist()
        ([0.0, 2.0, 5.0, 6.0], [2, 2])
        """
        return Lines(self.x[keep], self.y[keep], np.add.reduceat(keep.astype(np.int64), self.starts))

    def areas(self) -> FloatArray:
        """Return the signed area between each line and the chord of its ends.

        >>> Lines(np.array([0.0, 2, 4]), np.array([0.0, 1, 0]), np.array([3])).areas().tolist()
        [-2.0]
        """
        x = self.x - np.repeat(self.x[self.starts], self.sizes)
        y = self.y - np.repeat(self.y[self.starts], self.sizes)
        cross = x[:-1] * y[1:] - x[1:] * y[:-1]
        cross = np.append(cross, 0.0)
        cross[self.starts + self.sizes - 1] = 0
        return np.asarray(np.add.reduceat(cross, self.starts) / 2)

    def mixed(self, other: "Lines", take_other: BoolArray) -> "Lines":
        """Return these lines, replaced by those of `other` where `take_other`.

        >>> one, other = (Lines(np.array(x), np.zeros(len(x)), np.array([2, 1])) for x in ([0, 1, 2], [7, 8, 9]))
        >>> one.mixed(other, np.array([False, True])).x.tolist()
        [0, 1, 9]
        """
        sizes = np.where(take_other, other.sizes, self.sizes)
        begins = np.where(take_other, other.starts + len(self.x), self.starts)
        index = spread(begins, sizes)
        return Lines(np.append(self.x, other.x)[index], np.append(self.y, other.y)[index], sizes)

    def scaled(self, pixel: tuple[float, float]) -> "Lines":
        """Return the lines with their coordinates multiplied."""
        return Lines(self.x * pixel[0], self.y * pixel[1], self.sizes)


def redraw_lines(lines: Lines, how: Redrawing) -> tuple[Lines, BoolArray]:
    """Return lines, given in pixels, smoothed and simplified in the unit of `how`; and which kept their area."""
    plain = lines.scaled(how.pixel)
    drawn = _smoothed(lines).scaled(how.pixel) if how.smooth else plain
    if how.tolerance > 0:
        drawn = _simplified(drawn, how.tolerance)
    return _with_areas(drawn, plain.areas(), max(how.tolerance, SMOOTH_PX * max(how.pixel)))


def _smoothed(lines: Lines) -> Lines:
    """Cut each corner at the middle of its edges, at most SMOOTH_PX from its tip.

    An edge that leads to an end is cut as a whole, unless nothing but a straight line would be left. Here two edges
    lead to ends: both are cut in the middle, and the corner (2, 0) becomes (1, 0) and (2, 1):

    >>> drawn = _smoothed(Lines(np.array([0.0, 2, 2]), np.array([0.0, 0, 2]), np.array([3])))
    >>> drawn.x.tolist(), drawn.y.tolist(), drawn.sizes.tolist()
    ([0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0], [4])
    """
    inner, at_end = lines.inner, np.where(lines.sizes > 3, 1.0, 0.5)[lines.line_of]
    at = np.flatnonzero(inner)
    copies = 1 + inner.astype(np.int64)
    index = np.repeat(np.arange(len(inner)), copies)
    x, y = lines.x[index], lines.y[index]
    place = np.cumsum(copies)[at] - 1
    for to, target in ((at - 1, place - 1), (at + 1, place)):
        dx, dy = lines.x[to] - lines.x[at], lines.y[to] - lines.y[at]
        share = np.minimum(np.where(inner[to], 0.5, at_end[at]), SMOOTH_PX / np.hypot(dx, dy))
        x[target], y[target] = lines.x[at] + share * dx, lines.y[at] + share * dy
    return _without_repeats(Lines(x, y, np.add.reduceat(copies, lines.starts)))


def _without_repeats(lines: Lines) -> Lines:
    """Drop inner vertices that lie where the one before them or a line's end lies."""
    same = np.zeros(len(lines.x), bool)
    same[1:] = (lines.x[1:] == lines.x[:-1]) & (lines.y[1:] == lines.y[:-1])
    last = lines.starts + lines.sizes - 1
    drop = same & lines.inner
    drop[last - 1] |= same[last] & lines.inner[last - 1]
    return lines.kept(~drop)


def _simplified(lines: Lines, tolerance: float) -> Lines:
    """Simplify by the Douglas-Peucker algorithm. A line that would become straight without being so keeps a vertex.

    >>> drawn = _simplified(Lines(np.arange(5.0), np.array([0.0, 1, 0, 1, 0]), np.array([5])), tolerance=1)
    >>> drawn.x.tolist(), drawn.y.tolist(), drawn.sizes.tolist()
    ([0.0, 1.0, 4.0], [0.0, 1.0, 0.0], [3])
    """
    strings = shapely.linestrings(np.stack([lines.x, lines.y], axis=1), indices=lines.line_of)
    simple = shapely.simplify(strings, tolerance, preserve_topology=False)
    points, index = shapely.get_coordinates(simple, return_index=True)
    drawn = Lines(points[:, 0], points[:, 1], np.bincount(index, minlength=len(lines.sizes)))
    tip = _farthest(lines)
    return drawn.mixed(lines.kept(tip), drawn.sizes == 2)


def _farthest(lines: Lines) -> BoolArray:
    """Return which vertices are ends, or the one that lies farthest from the chord of its line (if any does)."""
    first, line, inner = lines.starts, lines.line_of, lines.inner
    last = first + lines.sizes - 1
    dx, dy = (lines.x[last] - lines.x[first])[line], (lines.y[last] - lines.y[first])[line]
    height = np.abs(dx * (lines.y - lines.y[first][line]) - dy * (lines.x - lines.x[first][line]))
    highest = np.maximum.reduceat(height, first)
    candidates = np.flatnonzero(inner & (height == highest[line]) & (height > 0))
    _, chosen = np.unique(line[candidates], return_index=True)
    tip = ~inner
    tip[candidates[chosen]] = True
    return tip


def _with_areas(lines: Lines, areas: FloatArray, farthest: float) -> tuple[Lines, BoolArray]:
    """Move the inner vertices of each line sideways, all equally far, until it has its area.

    Return the lines, and which could do so by moving at most `farthest`.
    To enclose an area of 4 instead of 2, the tip moves by 1:

    >>> tip = Lines(np.array([0.0, 2, 4]), np.array([0.0, 1, 0]), np.array([3]))
    >>> moved, kept = _with_areas(tip, np.array([-4.0]), farthest=1.5)
    >>> moved.y.tolist(), kept.tolist()
    ([0.0, 2.0, 0.0], [True])
    """
    at = np.flatnonzero(lines.inner)
    line = lines.line_of[at]
    dx, dy = lines.x[at + 1] - lines.x[at - 1], lines.y[at + 1] - lines.y[at - 1]
    length = np.maximum(np.hypot(dx, dy), np.finfo(float).tiny)
    widths = np.bincount(line, length, len(lines.sizes)) / 2
    shift = np.zeros(len(lines.sizes))
    moved = lines
    for _ in range(_NEWTON_STEPS):
        x, y = lines.x.copy(), lines.y.copy()
        x[at] += shift[line] * dy / length
        y[at] -= shift[line] * dx / length
        moved = Lines(x, y, lines.sizes)
        lacking = areas - moved.areas()
        shift += np.divide(lacking, widths, out=np.zeros_like(shift), where=widths > 0)
    kept = (np.abs(lacking) <= 1e-6 * np.maximum(widths, 1e-12) * farthest) & (np.abs(shift) <= farthest)
    return moved, kept | ((widths == 0) & (np.abs(lacking) <= 1e-9))


class Redrawer:
    """Polygons with redrawn common borders, restored where these cross."""

    def __init__(self, rings: Rings, nodes: Nodes, grid: Grid, how: Redrawing) -> None:
        self._rings, self._grid, self._how = rings, grid, how
        self.arcs = cut_arcs(rings, nodes)
        halves = Lines(self.arcs.x / 2, self.arcs.y / 2, self.arcs.piece_sizes)
        self._plain = halves.scaled(how.pixel)
        self._drawn, self._redrawn = redraw_lines(halves, how)

    def keep(self, arcs: BoolArray) -> None:
        """Keep some arcs unchanged."""
        self._redrawn &= ~arcs[self.arcs.piece_arc]

    def polygons(self) -> Polygons:
        """Return the polygons, in the grid's CRS: valid and without overlap."""
        polygons = self._build()
        for turn in range(_LOCAL_REPAIRS + len(polygons)):
            wrong, places = _wrong_places(polygons)
            if len(wrong) == 0:
                break
            self._put_back(wrong, places, whole=turn >= _LOCAL_REPAIRS)
            polygons = self._build()
        return polygons

    def _build(self) -> Polygons:
        arcs = self.arcs
        lines = self._plain.mixed(self._drawn, self._redrawn)
        goes_on = np.ones(len(lines.x), bool)
        goes_on[lines.starts + lines.sizes - 1] = False
        vertices = np.flatnonzero(goes_on)  # of each arc all but the last, for a piece begins where one ended
        sizes = np.bincount(arcs.piece_arc, lines.sizes - 1).astype(np.int64)
        first, count = starts_of(sizes)[arcs.use_arc], sizes[arcs.use_arc]
        step, back = spread(np.zeros_like(count), count), np.repeat(arcs.use_back, count)
        step = np.where(back, np.repeat(count, count) - 1 - step, step)
        at = vertices[np.repeat(first, count) + step] + back  # backwards: all but the first
        x, y = self._grid.to_ground(lines.x[at] / self._how.pixel[0], lines.y[at] / self._how.pixel[1])
        ring_sizes = np.bincount(arcs.use_ring, count).astype(np.int64)
        return build_polygons(np.stack([x, y], axis=1), ring_sizes, self._rings.polygon_of_ring)

    def _put_back(self, polygons: IntArray, places: Polygons, whole: bool) -> None:
        """Restore the pieces near some places, or all pieces of some polygons."""
        back = np.zeros(len(self._redrawn), bool)
        if not whole:
            lines = self._drawn
            strings = shapely.linestrings(np.stack([lines.x, lines.y], axis=1), indices=lines.line_of)
            reach = self._how.tolerance + max(self._how.pixel)
            places = shapely.transform(places, self._to_lines)
            back[
                shapely.STRtree(np.asarray(strings)).query(places, predicate="dwithin", distance=reach)[1]
            ] = True
        if whole or not (back & self._redrawn).any():
            ring = np.isin(self._rings.polygon_of_ring, polygons)
            arc = np.zeros(len(self.arcs.beside), bool)
            arc[self.arcs.use_arc[ring[self.arcs.use_ring]]] = True
            back = arc[self.arcs.piece_arc]
        self._redrawn &= ~back

    def _to_lines(self, points: FloatArray) -> FloatArray:
        x, y = self._grid.to_pixels(points[:, 0], points[:, 1])
        return np.stack([x * self._how.pixel[0], y * self._how.pixel[1]], axis=1)


def _wrong_places(polygons: Polygons) -> tuple[IntArray, Polygons]:
    """Return polygons that are not valid or overlap others, and for each a geometry where that is so."""
    wrong = np.flatnonzero(~shapely.is_valid(polygons))
    if len(wrong):
        return wrong, _places(shapely.is_valid_reason(polygons[wrong]))
    edges = shapely.coverage_invalid_edges(polygons)
    wrong = np.flatnonzero(~(shapely.is_missing(edges) | shapely.is_empty(edges)))
    return wrong, edges[wrong]


def _places(reasons: Polygons) -> Polygons:
    """Return the point that each reason of shapely's names: "Self-intersection[3 4]"."""
    points = [re.findall(r"[-+.\deE]+", text.rpartition("[")[2]) for text in reasons]
    return np.asarray(shapely.points([[float(x), float(y)] for x, y in points]))
