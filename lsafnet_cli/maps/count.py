"""Count: pixels and ground area of each code of a map."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import grid_of
from lsafnet_cli.geometry.ground import PixelAreas, pixel_areas
from lsafnet_cli.geometry.row_bands import row_windows, run_areas
from lsafnet_cli.geometry.runs import find_runs
from lsafnet_cli.legend.classes import Legend

CodeArray = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class CodeCounts:
    """Pixels and ground area in m2 of each code, accumulated over blocks; the last element is nodata.

    Ground area is NaN without `areas`. `source` is the map's name, for errors.
    """

    source: str
    legend: Legend
    areas: PixelAreas | None
    pixels: NDArray[np.int64]
    ground: NDArray[np.float64]

    @classmethod
    def start(cls, source: str, legend: Legend, areas: PixelAreas | None) -> "CodeCounts":
        """Return counts of 0."""
        slots = legend.code_count + 1
        ground = np.full(slots, 0.0 if areas is not None else np.nan)
        return cls(source, legend, areas, np.zeros(slots, np.int64), ground)

    def add(self, codes: CodeArray, top: int, left: int, counted: NDArray[np.bool_] | None = None) -> None:
        """Count (rows, cols) codes that start at a pixel of the grid, where `counted` is True.

        Raises InputError for a code that the legend does not know.
        """
        skipped = len(self.pixels)
        aside = self.legend.nodata - 1  # a value that is no code
        if counted is not None:
            codes = np.where(counted, codes, np.asarray(aside, codes.dtype))
        runs = find_runs(codes, top)
        runs = replace(runs, col=runs.col + left)
        slot = self._slots(runs.code, aside if counted is not None else None)
        self.pixels[:] += np.bincount(slot, runs.length, skipped + 1)[:skipped].astype(np.int64)
        self.ground[:] += np.bincount(slot, run_areas(runs, self.areas), skipped + 1)[:skipped]

    def _slots(self, codes: CodeArray, aside: int | None) -> NDArray[np.int64]:
        nodata = len(self.pixels) - 1
        slot = np.where(codes == self.legend.nodata, nodata, codes.astype(np.int64))
        if aside is not None:
            slot[codes == aside] = nodata + 1
            codes = codes[codes != aside]
        refuse_strange_codes(codes, self.legend, self.source)
        return slot


def count_codes(
    dataset: Any, source: str, legend: Legend, advance: Callable[[int], None] = lambda _: None
) -> CodeCounts:
    """Count an open map by row bands; `advance` receives the number of pixels done."""
    grid = grid_of(dataset)
    counts = CodeCounts.start(source, legend, pixel_areas(grid))
    for window in row_windows(grid):
        codes = dataset.read(1, window=window)
        counts.add(codes, window.row_off, window.col_off)
        advance(codes.size)
    return counts


def refuse_strange_codes(codes: NDArray[np.unsignedinteger], legend: Legend, source: str) -> None:
    """Raise InputError for a code that the legend of a map, `source`, does not know."""
    strange = codes[(codes >= legend.code_count) & (codes != legend.nodata)]
    if len(strange):
        raise InputError(
            f"{source}: contains the value {strange[0]}, but its legend has {legend.code_count - 1} transitions"
        )
