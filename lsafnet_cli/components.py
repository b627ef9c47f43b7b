"""Runs and connected components of a class map, found row band by row band.

A run is a stretch of equal codes within a row. Components are 4-connected runs of one code; their number
bounds the memory, not the number of pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of a row band, in reading order: code, row and first column on the grid, length in pixels.

    `begins` (rows, cols) is True where a run begins.
    """

    code: CodeArray
    row: IntArray
    col: IntArray
    length: IntArray
    begins: NDArray[np.bool_]

    @property
    def of_pixel(self) -> IntArray:
        """Each pixel's run, (rows, cols)."""
        return (np.cumsum(self.begins.ravel()) - 1).reshape(self.begins.shape)

    @property
    def centre_col(self) -> FloatArray:
        """Column of each run's centre."""
        return self.col + self.length / 2

    def sums(self, values: NDArray[np.floating]) -> FloatArray:
        """Return the sum over each run of (rows, cols) values."""
        starts = np.concatenate([[0], np.cumsum(self.length)[:-1]])
        return np.asarray(np.add.reduceat(values.ravel().astype(np.float64), starts))


def find_runs(codes: NDArray[np.unsignedinteger], top: int) -> Runs:
    """Return the runs of a row band (rows, cols) whose first row is row `top` of the grid."""
    width = codes.shape[1]
    begins = np.ones(codes.shape, bool)
    np.not_equal(codes[:, 1:], codes[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    return Runs(
        code=codes.ravel()[starts].astype(np.uint16),
        row=starts // width + top,
        col=starts % width,
        length=np.diff(starts, append=codes.size),
        begins=begins,
    )


@dataclass(frozen=True, slots=True)
class Components:
    """Connected components, in the order of their first pixel in reading order (row * width + col)."""

    first_pixel: IntArray
    code: CodeArray
    pixels: IntArray
    area_m2: FloatArray
    score: FloatArray

    def index_of(self, first_pixel: int) -> int:
        """Return the index of the component that begins at a pixel. Raises KeyError where none does."""
        index = int(np.searchsorted(self.first_pixel, first_pixel))
        if index == len(self.first_pixel) or self.first_pixel[index] != first_pixel:
            raise KeyError(first_pixel)
        return index


class ComponentFinder:
    """Takes row bands from top to bottom and tells the components of their pixels where `wanted` is True."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pieces: list[Components] = []
        self._links: list[IntArray] = []
        self._count = 0
        self._last_codes: NDArray[np.unsignedinteger] | None = None
        self._last_pieces: IntArray = np.empty(0, np.int64)

    def add(
        self, runs: Runs, codes: NDArray[np.unsignedinteger], wanted: NDArray[np.bool_],
        area_m2: FloatArray, score: FloatArray,
    ) -> None:  # fmt: skip
        """Take the next row band: its runs, (rows, cols) codes and wish, and each run's area and summed score."""
        of_pixel = runs.of_pixel
        labels = _label(_links_within(of_pixel, codes, wanted), len(runs.code))
        kept = np.zeros(len(runs.code), bool)
        kept[of_pixel[wanted]] = True
        piece_of_run = np.full(len(runs.code), -1, np.int64)
        found, first, piece_of_run[kept] = np.unique(labels[kept], return_index=True, return_inverse=True)
        piece = piece_of_run[kept]
        self._pieces.append(
            _gather(
                piece, len(found), first, (runs.row * self._width + runs.col)[kept],
                runs.code[kept], runs.length[kept], area_m2[kept], score[kept],
            )
        )  # fmt: skip
        self._link_bands(codes[0], wanted[0], piece_of_run[of_pixel[0]] + self._count)
        self._last_codes = np.where(wanted[-1], codes[-1], 0)
        self._last_pieces = piece_of_run[of_pixel[-1]] + self._count
        self._count += len(found)

    def _link_bands(
        self, codes: NDArray[np.unsignedinteger], wanted: NDArray[np.bool_], pieces: IntArray
    ) -> None:
        if self._last_codes is not None:
            same = wanted & (codes == self._last_codes)
            self._links.append(np.unique(np.stack([self._last_pieces[same], pieces[same]]), axis=1))

    def finish(self) -> Components:
        """Return the components, once every row band has been added."""
        links = np.concatenate(self._links, axis=1) if self._links else np.empty((2, 0), np.int64)
        labels = _label(links, self._count)
        joined = [np.concatenate([getattr(piece, name) for piece in self._pieces]) for name in _FIELDS]
        _, first, component = np.unique(labels, return_index=True, return_inverse=True)
        whole = _gather(component, len(first), first, *joined)
        order = np.argsort(whole.first_pixel)
        return Components(*(getattr(whole, name)[order] for name in _FIELDS))


_FIELDS = ("first_pixel", "code", "pixels", "area_m2", "score")


def _links_within(
    of_pixel: IntArray, codes: NDArray[np.unsignedinteger], wanted: NDArray[np.bool_]
) -> IntArray:
    """Return (2, links) runs that touch along a row border, each pair about once."""
    same = wanted[1:] & (codes[1:] == codes[:-1])
    above, below = of_pixel[:-1], of_pixel[1:]
    begins = np.ones(same.shape, bool)
    begins[:, 1:] = (above[:, 1:] != above[:, :-1]) | (below[:, 1:] != below[:, :-1])
    links = same & begins
    return np.stack([above[links], below[links]])


def _label(links: IntArray, count: int) -> IntArray:
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
