"""Common borders of polygons: rings cut at nodes into arcs, each stored once for all rings along it."""

from dataclasses import dataclass

import numpy as np

from lsafnet_cli.geometry.arrays import BoolArray, IntArray
from lsafnet_cli.polygons.lattice import Nodes, Rings

PIECE_EDGES = 48  # an arc is cut into pieces of about this many edges, which are redrawn independently


@dataclass(frozen=True, slots=True)
class Arcs:
    """Arcs of polygons in half pixels, cut into pieces, and how rings are made of them.

    Pieces of an arc lie end to end: the last vertex of one is the first of the next. `piece_arc` is each
    piece's arc. Rings are the arcs `use_arc`, one after the other, run backwards where `use_back`;
    `use_ring` is the ring. `beside` (arcs, 2, 2) are the (col, row) of the pixels on both sides of each arc.
    """

    x: IntArray
    y: IntArray
    piece_sizes: IntArray
    piece_arc: IntArray
    use_arc: IntArray
    use_back: BoolArray
    use_ring: IntArray
    beside: IntArray

    @property
    def shared(self) -> BoolArray:
        """Which arcs have a polygon on both sides."""
        return np.bincount(self.use_arc, minlength=len(self.beside)) > 1


def starts_of(sizes: IntArray) -> IntArray:
    """Return the first index of each stretch of these sizes, stored end to end.

    >>> starts_of(np.array([2, 3, 1])).tolist()
    [0, 2, 5]
    """
    return np.cumsum(sizes) - sizes


def spread(starts: IntArray, sizes: IntArray) -> IntArray:
    """Return start, start + 1, ... for each stretch, end to end.

    >>> spread(np.array([10, 20]), np.array([2, 3])).tolist()
    [10, 11, 20, 21, 22]
    """
    return np.arange(int(sizes.sum())) + np.repeat(starts - starts_of(sizes), sizes)


def cut_arcs(rings: Rings, nodes: Nodes) -> Arcs:
    """Cut rings, which have a vertex at each node they pass, into arcs.

    An arc and its pieces are the same whichever ring they are taken from. Two pixels side by side have nodes at
    both ends of their common edge and so three arcs: left, right and common. The ring of the left pixel is arc 0,
    then arc 2 backwards; that of the right pixel arc 2, then arc 1 backwards:

    >>> squares = Rings(np.array([0, 0, 1, 1, 1, 1, 2, 2]), np.array([0, 1, 1, 0] * 2), np.array([4, 4]), np.ones(2))
    >>> arcs = cut_arcs(squares, Nodes.of(2, 1, np.array([1, 1]), np.array([0, 1])))
    >>> arcs.use_ring.tolist(), arcs.use_arc.tolist(), arcs.use_back.tolist(), arcs.shared.tolist()
    ([0, 0, 1, 1], [0, 2, 2, 1], [False, True, False, True], [False, False, True])
    """
    rings = _begun_at_nodes(rings, nodes)
    begins = nodes.are_at(rings.col, rings.row)
    begins[rings.starts] = True
    first = np.flatnonzero(begins)
    sizes = np.diff(first, append=len(begins)) + 1
    use_ring = np.repeat(np.arange(len(rings.sizes)), np.add.reduceat(begins, rings.starts, dtype=np.int64))
    index = spread(first, sizes)
    ends = np.cumsum(sizes) - 1
    index[ends] = rings.following[index[ends - 1]]
    col, row = rings.col[index], rings.row[index]
    back = _runs_back(col, row, sizes, nodes.width)
    order = np.where(
        np.repeat(back, sizes),
        np.repeat(starts_of(sizes) + ends, sizes) - np.arange(len(col)),
        np.arange(len(col)),
    )
    col, row = col[order], row[order]
    chosen, use_arc = _distinct(col, row, starts_of(sizes), nodes.width)
    index = spread(starts_of(sizes)[chosen], sizes[chosen])
    free = ~nodes.are_at(col[starts_of(sizes)[chosen]], row[starts_of(sizes)[chosen]])
    x, y, sizes = _opened(2 * col[index], 2 * row[index], sizes[chosen], free)
    beside = _pixels_beside(x, y, starts_of(sizes))
    x, y, piece_sizes, piece_arc = _cut_pieces(x, y, sizes)
    return Arcs(x, y, piece_sizes, piece_arc, use_arc, back, use_ring, beside)


def _begun_at_nodes(rings: Rings, nodes: Nodes) -> Rings:
    """Turn each ring so that it begins at its smallest node, or at its smallest vertex where it has none."""
    key = rings.row * (nodes.width + 1) + rings.col
    key = np.where(nodes.are_at(rings.col, rings.row), key, key + (nodes.width + 1) * (nodes.height + 1))
    smallest = np.minimum.reduceat(key, rings.starts)
    at_smallest = np.flatnonzero(key == np.repeat(smallest, rings.sizes))
    ring = np.searchsorted(rings.starts, at_smallest, "right") - 1
    _, first = np.unique(ring, return_index=True)
    turn = at_smallest[first] - rings.starts
    place = spread(np.zeros_like(rings.sizes), rings.sizes) + np.repeat(turn, rings.sizes)
    index = np.repeat(rings.starts, rings.sizes) + place % np.repeat(rings.sizes, rings.sizes)
    return Rings(rings.col[index], rings.row[index], rings.sizes, rings.counts)


def _runs_back(col: IntArray, row: IntArray, sizes: IntArray, width: int) -> BoolArray:
    """Return which arcs run against the direction that both of an arc's rings agree upon: from the smaller end,
    and where the ends are one point, by the smaller neighbour of it."""
    key = row * (width + 1) + col
    first, last = starts_of(sizes), np.cumsum(sizes) - 1
    closed = key[first] == key[last]
    one = np.where(closed, key[first + 1], key[first])
    other = np.where(closed, key[last - 1], key[last])
    return np.asarray(one > other)


def _distinct(col: IntArray, row: IntArray, first: IntArray, width: int) -> tuple[IntArray, IntArray]:
    """Return one of each arc's copies, and the number of each copy's arc: its start and direction tell."""
    dcol, drow = np.sign(col[first + 1] - col[first]), np.sign(row[first + 1] - row[first])
    direction = np.where(drow == 0, (dcol + 1) // 2, 2 + (drow + 1) // 2)
    _, chosen, use_arc = np.unique(
        (row[first] * (width + 1) + col[first]) * 4 + direction, return_index=True, return_inverse=True
    )
    return chosen, use_arc


def _opened(
    x: IntArray, y: IntArray, sizes: IntArray, free: BoolArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Let closed arcs without a node begin and end in the middle of their first edge: no corner stays fixed.

    An arc a b c a becomes m b c a m. The outline of one pixel, from its upper left corner downwards:

    >>> x, y, sizes = _opened(np.array([0, 0, 2, 2, 0]), np.array([0, 2, 2, 0, 0]), np.array([5]), np.array([True]))
    >>> x.tolist(), y.tolist(), sizes.tolist()
    ([0, 0, 2, 2, 0, 0], [1, 2, 2, 0, 0, 1], [6])
    """
    first = starts_of(sizes)
    middle = (x[first] + x[first + 1]) // 2, (y[first] + y[first + 1]) // 2
    index = spread(first, sizes + free)
    end = np.cumsum(sizes + free) - 1
    place = starts_of(sizes + free)
    index[end[free]] = 0
    out = x[index], y[index]
    for values, mid in zip(out, middle, strict=True):
        values[place[free]] = mid[free]
        values[end[free]] = mid[free]
    return *out, sizes + free


def _pixels_beside(x: IntArray, y: IntArray, first: IntArray) -> IntArray:
    """Return (arcs, 2, 2): (col, row) of the pixels on both sides of each arc's first half edge."""
    dx, dy = np.sign(x[first + 1] - x[first]), np.sign(y[first + 1] - y[first])
    x, y = 2 * x[first] + dx, 2 * y[first] + dy  # quarter pixels
    sides = [np.stack([(x + dy * side) // 4, (y + dx * side) // 4], axis=1) for side in (1, -1)]
    return np.stack(sides, axis=1)


def _cut_pieces(x: IntArray, y: IntArray, sizes: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Cut arcs in the middle of edges; closed arcs at least once. Return x, y, piece sizes and each piece's arc.

    The outline of one pixel is closed; it is cut at (2, 1), which ends the first piece and begins the second:

    >>> x, y, sizes, arc = _cut_pieces(np.array([0, 0, 2, 2, 0]), np.array([0, 2, 2, 0, 0]), np.array([5]))
    >>> x.tolist(), y.tolist(), sizes.tolist(), arc.tolist()
    ([0, 0, 2, 2, 2, 2, 0], [0, 2, 2, 1, 1, 0, 0], [4, 3], [0, 0])
    """
    first, last = starts_of(sizes), np.cumsum(sizes) - 1
    closed = (x[first] == x[last]) & (y[first] == y[last])
    edges = sizes - 1
    cuts = np.maximum(edges // PIECE_EDGES, closed.astype(np.int64))
    arc = np.repeat(np.arange(len(sizes)), cuts)
    number = spread(np.ones_like(cuts), cuts)
    edge = first[arc] + number * edges[arc] // (cuts[arc] + 1)
    # a cut adds its point twice: as the last of one piece and the first of the next
    added = np.zeros(len(x), np.int64)
    added[edge] = 2
    old = np.arange(len(x)) + np.cumsum(added) - added
    out = np.empty((2, len(x) + 2 * len(edge)), np.int64)
    out[:, old] = x, y
    middle = (x[edge] + x[edge + 1]) // 2, (y[edge] + y[edge + 1]) // 2
    for step in (1, 2):
        out[:, old[edge] + step] = middle
    begins = np.sort(np.concatenate([old[first], old[edge] + 2]))
    piece_sizes = np.diff(begins, append=out.shape[1])
    return out[0], out[1], piece_sizes, np.repeat(np.arange(len(sizes)), cuts + 1)
