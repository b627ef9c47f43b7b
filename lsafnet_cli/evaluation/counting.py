"""Evaluate: maps against labels, counted window by window, and apart for each unit that is resampled."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet.metrics import ChangeMetrics
from lsafnet.scores.boundaries import halo_px
from lsafnet.scores.confusion import Floats, margins_of
from lsafnet_cli.data_sets.pair_labels import PairLabels, PairLabelWindow, TransitionLabels
from lsafnet_cli.evaluation.options import EvaluateOptions
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.windows import aligned_spans
from lsafnet_cli.legend.classes import ClassArray, Legend
from lsafnet_cli.observer import Observer
from lsafnet_cli.system.heap import FreedMemory

BLOCK_PX = 1024  # side of what is read at once; every file is opened anew for each
BLOCKS_BETWEEN = 8  # of giving memory back
MOST_UNITS = 4096  # of one map; their counts are all that grows with it
Unit = tuple[int, ...]
Units = dict[Unit, Floats]


@dataclass(slots=True)
class PairCounts:
    """What has been counted of maps with one legend.

    `units` holds the margins (see `lsafnet.scores.confusion`) of each unit in which anything was counted.
    Pixels without data
    in the map are nodata_pixels, others without a known label unlabelled_pixels; neither counts in any score.
    """

    legend: Legend
    options: EvaluateOptions
    metrics: ChangeMetrics
    units: Units = field(default_factory=dict)
    counted_pixels: int = 0
    nodata_pixels: int = 0
    unlabelled_pixels: int = 0

    @classmethod
    def start(
        cls, legend: Legend, options: EvaluateOptions, device: torch.device | str = "cpu"
    ) -> "PairCounts":
        """Return counts of nothing yet."""
        return cls(legend, options, ChangeMetrics(len(legend.names), device))

    def add(self, unit: Unit, margins: Floats) -> None:
        """Add to a unit's margins, unless there is nothing to add."""
        if margins.any():
            self.units[unit] = self.units.get(unit, 0.0) + margins


@dataclass(frozen=True, slots=True)
class MapPart:
    """The window of a map that is scored, the number of the map, and the side of its units; None for one in all."""

    path: str
    grid: Grid
    window: Window
    number: int = 0
    unit_px: int | None = None

    @classmethod
    def whole(cls, path: str, grid: Grid, number: int) -> "MapPart":
        """Return all of a map, as one unit."""
        return cls(path, grid, Window(0, 0, grid.width, grid.height), number)


def fitting_unit(window: Window, unit_px: int) -> int:
    """Return the smallest of unit_px, 2 unit_px, 4 unit_px ... that makes MOST_UNITS units at the most."""
    while -(-int(window.height) // unit_px) * -(-int(window.width) // unit_px) > MOST_UNITS:
        unit_px *= 2
    return unit_px


def count_map(part: MapPart, labels: PairLabels, tally: PairCounts, observer: Observer) -> None:
    """Count a map of transition codes against labels on any grid, block by block. Raises InputError."""
    found = TransitionLabels(part.path, len(tally.legend.names))
    with FreedMemory(BLOCKS_BETWEEN) as freed:
        for block in cut_blocks(part.window):
            _count_block(part, block, found, labels, tally)
            freed.used_once()
            observer.advance(int(block.height) * int(block.width))


def _count_block(
    part: MapPart, block: Window, found: PairLabels, labels: PairLabels, tally: PairCounts
) -> None:
    """Count a block, read with as many pixels around it as its boundaries depend on: it makes none of its own."""
    seen = _grown(block, halo_px(tally.options.boundary_px), part.grid)
    inner = _within(block, seen)
    mine, theirs = found.read(part.grid, seen), labels.read(part.grid, seen)
    valid = mine.valid & theirs.valid
    tally.counted_pixels += int(np.count_nonzero(valid[inner]))
    tally.nodata_pixels += int(np.count_nonzero(~mine.valid[inner]))
    tally.unlabelled_pixels += int(np.count_nonzero((mine.valid & ~theirs.valid)[inner]))
    if valid.any():
        tally.metrics.update_boundaries(mine.changed, theirs.changed, valid, tally.options.boundary_px, inner)
        _count_units(part, block, tuple(x[inner] for x in (*_maps(mine), *_maps(theirs), valid)), tally)


def _maps(window: PairLabelWindow) -> tuple[ClassArray, ClassArray]:
    """Return the two semantic change maps: the class where changed, else 0."""
    return window.before * window.changed, window.after * window.changed


def _count_units(part: MapPart, block: Window, arrays: tuple[NDArray[Any], ...], tally: PairCounts) -> None:
    """Count a block's pixels, apart for each unit in it. Units begin at the first pixel of the part's window."""
    top, left = int(block.row_off - part.window.row_off), int(block.col_off - part.window.col_off)
    bottom, right = top + int(block.height), left + int(block.width)
    step = part.unit_px or max(bottom, right)
    for rows, cols in product(aligned_spans(top, bottom, step), aligned_spans(left, right, step)):
        place = slice(rows[0] - top, rows[1] - top), slice(cols[0] - left, cols[1] - left)
        counts = tally.metrics.update(*(array[place] for array in arrays))
        place_of_unit = (rows[0] // step, cols[0] // step) if part.unit_px else ()
        tally.add((part.number, *place_of_unit), margins_of(counts.cpu().numpy()))


def cut_blocks(window: Window) -> Iterator[Window]:
    """Yield windows of BLOCK_PX that lie end to end, row by row."""
    first_row, first_col = int(window.row_off), int(window.col_off)
    end_row, end_col = first_row + int(window.height), first_col + int(window.width)
    for top in range(first_row, end_row, BLOCK_PX):
        for left in range(first_col, end_col, BLOCK_PX):
            yield Window(left, top, min(BLOCK_PX, end_col - left), min(BLOCK_PX, end_row - top))


def _grown(block: Window, halo: int, grid: Grid) -> Window:
    """Return a window with `halo` more pixels on each side that the grid goes on at."""
    top, left = max(0, int(block.row_off) - halo), max(0, int(block.col_off) - halo)
    bottom = min(grid.height, int(block.row_off + block.height) + halo)
    right = min(grid.width, int(block.col_off + block.width) + halo)
    return Window(left, top, right - left, bottom - top)


def _within(block: Window, seen: Window) -> tuple[slice, slice]:
    """Return the rows and cols of a block in the window around it."""
    top, left = int(block.row_off - seen.row_off), int(block.col_off - seen.col_off)
    return slice(top, top + int(block.height)), slice(left, left + int(block.width))
