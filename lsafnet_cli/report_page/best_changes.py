"""The largest and the least certain changes of a map, found row band by row band in bounded memory.

A change is a 4-connected component of one transition, as polygons are. Only components that may continue
below, and the best ones so far, are kept.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.arrays import BoolArray, FloatArray, IntArray
from lsafnet_cli.geometry.ground import PixelAreas, pixel_areas
from lsafnet_cli.geometry.row_bands import row_windows, run_areas
from lsafnet_cli.geometry.runs import Runs, find_runs
from lsafnet_cli.polygons.components import BandBorder, label_linked, label_runs

PIXELS_AT_ONCE = 1 << 20
LEAST_UNCERTAIN_PX, LEAST_UNCERTAIN_M2 = (
    25,
    50.0,
)  # smaller ones are mostly uncertain and seldom relevant


@dataclass(frozen=True, slots=True)
class BestChanges:
    """Connected components of change, one entry each: code, pixels, area in m2, summed percent, and bounds in pixels.

    `bottom` and `right` lie one beyond the last row and column; area is NaN without a CRS, percent without a
    probability. `key` is the first pixel in reading order, row * cols + col; of polygons, their number in a file.
    """

    code: IntArray
    pixels: IntArray
    area_m2: FloatArray
    percent: FloatArray
    top: NDArray[Any]
    left: NDArray[Any]
    bottom: NDArray[Any]
    right: NDArray[Any]
    key: IntArray

    @classmethod
    def none(cls) -> "BestChanges":
        """Return an empty set."""
        whole, real = np.empty(0, np.int64), np.empty(0)
        return cls(whole, whole, real, real, whole, whole, whole, whole, whole)

    @property
    def confidence(self) -> FloatArray:
        """The mean change probability of each component, 0..1."""
        return self.percent / np.maximum(self.pixels, 1) / 100

    def take(self, chosen: NDArray[Any]) -> "BestChanges":
        """Return some of them, by index or by mask."""
        return BestChanges(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def __add__(self, other: "BestChanges") -> "BestChanges":
        """Return both, one after the other."""
        names = [one.name for one in fields(self)]
        return BestChanges(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def joined(self, group: IntArray, count: int) -> "BestChanges":
        """Return the `count` components that result from joining each group, 0..count-1."""
        code = np.zeros(count, np.int64)
        code[group] = self.code
        return BestChanges(
            code=code,
            pixels=np.bincount(group, self.pixels, count).astype(np.int64),
            area_m2=np.bincount(group, self.area_m2, count).astype(np.float64),
            percent=np.bincount(group, self.percent, count).astype(np.float64),
            top=_least(self.top, group, count),
            left=_least(self.left, group, count),
            bottom=-_least(-self.bottom, group, count),
            right=-_least(-self.right, group, count),
            key=_least(self.key, group, count),
        )

    def largest(self, count: int) -> "BestChanges":
        """Return the largest by area, or by pixels if areas are unknown; of equal ones the first in reading order."""
        return self._first(count, -np.where(np.isnan(self.area_m2), self.pixels, self.area_m2))

    def least_certain(self, count: int) -> "BestChanges":
        """Return the least certain of those with known confidence and sufficient size."""
        speck = (self.pixels < LEAST_UNCERTAIN_PX) | (self.area_m2 < LEAST_UNCERTAIN_M2)
        known = self.take(~np.isnan(self.percent) & ~speck)
        return known._first(count, known.confidence.round(6))

    def largest_of_each(self) -> "BestChanges":
        """Return the largest of each transition, the largest of them first."""
        ordered = self.largest(len(self.code))
        return ordered.take(np.sort(np.unique(ordered.code, return_index=True)[1]))

    def _first(self, count: int, *keys: NDArray[Any]) -> "BestChanges":
        return self.take(np.lexsort((self.left, self.top, *keys))[:count])


def _least(values: NDArray[Any], group: IntArray, count: int) -> NDArray[Any]:
    found = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(found, group, values)
    return found


class BestPieces:
    """Takes row bands from top to bottom; keeps the `count` largest and least certain, and each code's largest."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.largest, self.least_certain = BestChanges.none(), BestChanges.none()
        self.largest_of_each = BestChanges.none()
        self._open = BestChanges.none()
        self._border: BandBorder | None = None

    def add(self, runs: Runs, wanted: BoolArray, found: BestChanges) -> None:
        """Take the next band: its runs, whether each is wanted, and each as a piece of its own."""
        piece_of_run = label_runs(runs, wanted)
        new = found.take(wanted).joined(piece_of_run[wanted], int(piece_of_run.max(initial=-1)) + 1)
        before = len(self._open.code)
        all_pieces = self._open + new
        links = np.empty((2, 0), np.int64)
        if self._border is not None:
            numbers = np.where(piece_of_run >= 0, piece_of_run + before, -1)
            links = self._border.links_to(runs.first_row(found.code), runs.first_row(numbers))
        labels = label_linked(links, len(all_pieces.code))
        whole = all_pieces.joined(labels, int(labels.max(initial=-1)) + 1)
        last_piece = runs.last_row(piece_of_run)
        goes_on = last_piece >= 0
        last_piece[goes_on] = labels[before + last_piece[goes_on]]
        still_open = np.unique(last_piece[goes_on])
        closed = np.ones(len(whole.code), bool)
        closed[still_open] = False
        self._keep(whole.take(closed))
        self._open = whole.take(still_open)
        last_piece[goes_on] = np.searchsorted(still_open, last_piece[goes_on])
        self._border = BandBorder(runs.last_row(found.code), last_piece)

    def _keep(self, pieces: BestChanges) -> None:
        self.largest = (self.largest + pieces).largest(self._count)
        self.least_certain = (self.least_certain + pieces).least_certain(self._count)
        self.largest_of_each = (self.largest_of_each + pieces).largest_of_each()

    def finish(self) -> Self:
        """Finish open components, once every row band has been added."""
        self._keep(self._open)
        self._open = BestChanges.none()
        return self


def find_best_pieces(map_path: str, probability: str | None, codes: IntArray, count: int) -> BestPieces:
    """Return the `count` largest and least certain pieces of a map, of the transition codes `codes`.

    Raises InputError.
    """
    best = BestPieces(count)
    for pixels, percent, top, areas in _rows(map_path, probability):
        runs = find_runs(pixels, top)
        best.add(runs, np.isin(runs.code, codes), _as_pieces(runs, run_areas(runs, areas), percent))
    return best.finish()


def _rows(map_path: str, probability: str | None) -> Iterator[tuple[Any, Any, int, PixelAreas | None]]:
    with ExitStack() as opened:
        dataset = opened.enter_context(open_raster(map_path))
        other = opened.enter_context(open_raster(probability)) if probability is not None else None
        grid = grid_of(dataset)
        areas = pixel_areas(grid)
        for window in row_windows(grid, PIXELS_AT_ONCE):
            pixels = dataset.read(1, window=window)
            unknown = np.full(pixels.shape, np.nan, np.float32)
            percent = unknown if other is None else other.read(1, window=window)
            yield pixels, percent, window.row_off, areas


def _as_pieces(runs: Runs, area_m2: FloatArray, percent: NDArray[Any]) -> BestChanges:
    code = runs.code.astype(np.int64)
    sums = runs.sums(percent)
    return BestChanges(
        code, runs.length, area_m2, sums, runs.row, runs.col, runs.row + 1, runs.col + runs.length,
        runs.row * runs.width + runs.col,
    )  # fmt: skip
