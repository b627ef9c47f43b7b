"""Connected components of a class map, found row band by row band.

A run is a stretch of equal codes within a row. Components are 4-connected runs of one code; their number
bounds the memory, not the number of pixels.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lsafnet_cli.geometry.arrays import BoolArray, FloatArray, IntArray
from lsafnet_cli.geometry.runs import CodeArray, Runs


@dataclass(frozen=True, slots=True)
class Components:
    """Connected components, in the order of their first pixel in reading order (row * width + col)."""

    first_pixel: IntArray
    code: CodeArray
    pixels: IntArray
    area_m2: FloatArray
    score: FloatArray

    def indices_of(self, first_pixels: IntArray) -> IntArray:
        """Return the indices of the components that begin at some pixels. Raises KeyError where none does."""
        indices = np.searchsorted(self.first_pixel, first_pixels)
        found = self.first_pixel[np.minimum(indices, len(self.first_pixel) - 1)] == first_pixels
        if not found.all():
            raise KeyError(int(first_pixels[~found][0]))
        return np.asarray(indices, np.int64)


@dataclass(frozen=True, slots=True)
class BandBorder:
    """The last row of a row band, (cols,) each: codes, and the piece that each pixel belongs to, -1 for none."""

    codes: IntArray
    pieces: IntArray

    def links_to(self, codes: IntArray, pieces: IntArray) -> IntArray:
        """Return (2, links) pieces of this row and of the row below that touch with one code, each pair once."""
        same = (self.pieces >= 0) & (pieces >= 0) & (codes == self.codes)
        return np.unique(np.stack([self.pieces[same], pieces[same]]), axis=1)


class ComponentFinder:
    """Finds the connected components of wanted runs in row bands that come from top to bottom.

    Two bands of one row each; code 5 continues in the second band, where it is piece 1 of component 0:

    >>> from lsafnet_cli.geometry.runs import find_runs
    >>> finder = ComponentFinder(width=3)
    >>> for row, codes in enumerate(([5, 5, 0], [0, 5, 7])):
    ...     runs = find_runs(np.array([codes], np.uint16), row)
    ...     finder.add(runs, runs.code > 0, runs.length * 100.0, np.zeros(len(runs.code))).tolist()
    [0, -1]
    [-1, 1, 2]
    >>> found = finder.finish()
    >>> found.code.tolist(), found.pixels.tolist(), found.area_m2.tolist(), finder.component_of_piece.tolist()
    ([5, 7], [3, 1], [300.0, 100.0], [0, 0, 1])
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._pieces: list[Components] = []
        self._links: list[IntArray] = []
        self._count = 0
        self._border: BandBorder | None = None
        self.component_of_piece: IntArray = np.empty(0, np.int64)

    def add(self, runs: Runs, wanted: BoolArray, area_m2: FloatArray, score: FloatArray) -> IntArray:
        """Add the next row band: its runs, and for each whether it is wanted, its area and its summed score.

        Return each run's piece, a number that counts on from band to band; -1 where it is not wanted.
        """
        piece_of_run = label_runs(runs, wanted)
        piece = piece_of_run[wanted]
        _, first = np.unique(piece, return_index=True)
        self._pieces.append(
            _gather(
                piece, len(first), first, (runs.row * self._width + runs.col)[wanted],
                runs.code[wanted], runs.length[wanted], area_m2[wanted], score[wanted],
            )
        )  # fmt: skip
        numbers = np.where(wanted, piece_of_run + self._count, -1)
        if self._border is not None:
            self._links.append(self._border.links_to(runs.first_row(runs.code), runs.first_row(numbers)))
        self._border = BandBorder(runs.last_row(runs.code), runs.last_row(numbers))
        self._count += len(first)
        return numbers

    def finish(self) -> Components:
        """Return the components, once every row band has been added; `component_of_piece` is known from then on."""
        links = np.concatenate(self._links, axis=1) if self._links else np.empty((2, 0), np.int64)
        labels = label_linked(links, self._count)
        joined = [np.concatenate([getattr(piece, name) for piece in self._pieces]) for name in _FIELDS]
        _, first, component = np.unique(labels, return_index=True, return_inverse=True)
        whole = _gather(component, len(first), first, *joined)
        order = np.argsort(whole.first_pixel)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        self.component_of_piece = place[component]
        return Components(*(getattr(whole, name)[order] for name in _FIELDS))


def label_runs(runs: Runs, wanted: BoolArray) -> IntArray:
    """Return the piece of each run of a row band, counted from 0; -1 where it is not wanted."""
    labels = label_linked(_links_within(runs, wanted), len(runs.code))
    piece_of_run = np.full(len(runs.code), -1, np.int64)
    piece_of_run[wanted] = np.unique(labels[wanted], return_inverse=True)[1]
    return piece_of_run


_FIELDS = ("first_pixel", "code", "pixels", "area_m2", "score")


def _links_within(runs: Runs, wanted: BoolArray) -> IntArray:
    """Return (2, links) runs of one code that touch along a row border, each pair once.

    Of the runs 5 5 | 0 above 0 | 5 5 the first touches the last:

    >>> from lsafnet_cli.geometry.runs import find_runs
    >>> runs = find_runs(np.array([[5, 5, 0], [0, 5, 5]], np.uint16), 0)
    >>> _links_within(runs, runs.code > 0).tolist()
    [[0], [3]]
    """
    ends = runs.ends
    above = np.flatnonzero(wanted & (runs.row < runs.row[-1]))
    first = np.searchsorted(ends, ends[above] - runs.length[above] + runs.width, side="right")
    last = np.searchsorted(ends, ends[above] + runs.width)  # the runs under the first and the last pixel
    count = last - first + 1
    above = np.repeat(above, count)
    below = np.repeat(last + 1 - np.cumsum(count), count) + np.arange(len(above))
    same = runs.code[above] == runs.code[below]
    return np.stack([above[same], below[same]])


def label_linked(links: IntArray, count: int) -> IntArray:
    """Return labels of `count` things of which (2, links) are linked: equal where a chain of links connects them.

    >>> label_linked(np.array([[0, 2], [3, 4]]), 5).tolist()
    [0, 1, 2, 0, 2]
    """
    graph = coo_array((np.ones(links.shape[1], np.int8), (links[0], links[1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _gather(
    group: IntArray, count: int, first: IntArray, first_pixel: IntArray,
    code: CodeArray, pixels: IntArray, area_m2: FloatArray, score: FloatArray,
) -> Components:  # fmt: skip
    """Sum the members of each group, 0..count-1; `first` is the index of each group's first member."""
    lowest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(lowest, group, first_pixel)
    return Components(
        first_pixel=lowest,
        code=code[first],
        pixels=np.bincount(group, pixels, count).astype(np.int64),
        area_m2=np.bincount(group, area_m2, count).astype(np.float64),
        score=np.bincount(group, score, count).astype(np.float64),
    )
