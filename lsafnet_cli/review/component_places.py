"""Reviewed changes that are known by one of their pixels, found again in the map as connected components."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.arrays import IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.geometry.runs import Runs, find_runs
from lsafnet_cli.polygons.components import ComponentFinder, label_runs


@dataclass(frozen=True, slots=True)
class ComponentPlaces:
    """Runs of some components in reading order: first pixel (row * cols + col), length, component's number."""

    first: IntArray
    length: IntArray
    number: IntArray
    width: int

    def numbers_under(self, window: Window) -> NDArray[np.int32]:
        """Return (rows, cols) numbers of the components under a full-width window, -1 where there is none."""
        top, pixels = int(window.row_off) * self.width, int(window.height) * self.width
        here = slice(*np.searchsorted(self.first, [top, top + pixels]))
        steps = np.zeros(pixels + 1, np.int32)
        start, number = self.first[here] - top, self.number[here] + 1
        steps[start] += number
        steps[start + self.length[here]] -= number
        return (np.cumsum(steps[:-1], dtype=np.int32) - 1).reshape(-1, self.width)


def find_components(change_map: str, grid: Grid, pixels: IntArray, codes: IntArray) -> ComponentPlaces | int:
    """Return where the components lie to which some pixels (row * cols + col) belong; their number is the pixel's.

    codes: the code that each pixel has. The index of the first pixel is returned that has another one. The map is
    read twice, row band by row band; memory follows the runs of its components that have these codes.
    """
    finder, piece = ComponentFinder(grid.width), np.full(len(pixels), -1)
    for runs, wanted in _bands(change_map, grid, codes):
        nothing = np.zeros(len(runs.code))
        pieces = finder.add(runs, wanted, nothing, nothing)
        begin = runs.row * grid.width + runs.col
        here = (pixels >= begin[0]) & (pixels < begin[-1] + runs.length[-1])
        at = np.searchsorted(begin, pixels[here], side="right") - 1
        piece[here] = np.where(runs.code[at] == codes[here], pieces[at], -1)
    if (piece < 0).any():
        return int(np.argmin(piece))
    finder.finish()
    number = np.full(len(finder.component_of_piece), -1)  # of each component; there are no more than pieces
    number[finder.component_of_piece[piece]] = np.arange(len(pixels))
    return _runs_of(_bands(change_map, grid, codes), number[finder.component_of_piece], grid.width)


def _bands(change_map: str, grid: Grid, codes: IntArray) -> Iterator[tuple[Runs, NDArray[np.bool_]]]:
    with open_raster(change_map) as dataset:
        for window in row_windows(grid):
            runs = find_runs(dataset.read(1, window=window), window.row_off)
            yield runs, np.isin(runs.code, codes)


def _runs_of(
    bands: Iterator[tuple[Runs, NDArray[np.bool_]]], number_of_piece: IntArray, width: int
) -> ComponentPlaces:
    """Gather the runs of pieces that have a number; pieces are counted as `ComponentFinder` counts them."""
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    count = 0
    for runs, wanted in bands:
        piece = label_runs(runs, wanted)
        number = np.where(piece >= 0, number_of_piece[piece + count], -1)
        kept = number >= 0
        found.append(((runs.row * width + runs.col)[kept], runs.length[kept], number[kept]))
        count += int(piece.max(initial=-1)) + 1
    first, length, numbers = (np.concatenate(part) for part in zip(*found, strict=True))
    return ComponentPlaces(first, length, numbers, width)
