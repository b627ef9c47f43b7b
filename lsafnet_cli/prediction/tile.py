"""Tile: sliding windows over a grid, and the pixels of an aligned pair within them, tile row by tile row."""

import math
import mmap
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np
from rasterio.windows import Window

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.windows import (
    Float32Array,
    aligned_spans,
    crop_weights,
    merged_spans,
    mirrored,
    owned_spans,
    taper_weights,
    tile_starts,
)
from lsafnet_cli.options import TileOptions
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.limits import ValueLimits
from lsafnet_cli.scenes.validity import BoolArray, NumberArray

Limits = tuple[ValueLimits | None, ValueLimits | None]  # of the before and of the after image


@dataclass(frozen=True, slots=True)
class Tile:
    """A square input of the network: tile row and tile column, and its first pixel on the common grid."""

    row: int
    col: int
    top: int
    left: int


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Positions of the tiles of a scene and weights of their pixels.

    The weight of a pixel is the product of its row weight and its column weight, (tiles, size) each; over the
    tiles that cover a pixel the weights sum to 1. `wanted` (tile rows, tile cols) selects tiles to compute;
    None means all of them.
    """

    height: int
    width: int
    size: int
    row_starts: tuple[int, ...]
    col_starts: tuple[int, ...]
    row_weights: Float32Array
    col_weights: Float32Array
    wanted: BoolArray | None = None

    @property
    def rows_below(self) -> int:
        """Maximum number of rows that a tile row shares with the next one."""
        owned = [end - first for first, end in self.row_spans[:-1]]
        return self.size - min(owned, default=self.size)

    @property
    def row_spans(self) -> list[tuple[int, int]]:
        """(first, end) of the rows for which each tile row is the last one."""
        return owned_spans(self.row_starts, self.height)

    @property
    def col_spans(self) -> list[tuple[int, int]]:
        """(first, end) of the columns for which each tile column is the last one."""
        return owned_spans(self.col_starts, self.width)

    def bottom(self, row: int) -> int:
        """Return the end of a tile row on the grid."""
        return min(self.row_starts[row] + self.size, self.height)

    def right(self, col: int) -> int:
        """Return the end of a tile column on the grid."""
        return min(self.col_starts[col] + self.size, self.width)

    def above(self, row: int) -> "TilePlan":
        """Return the plan of the tile rows that start above a row: all that contribute to the rows above it."""
        count = sum(start < row for start in self.row_starts)
        starts, weights = self.row_starts[:count], self.row_weights[:count]
        wanted = None if self.wanted is None else self.wanted[:count]
        height = self.bottom(count - 1)
        return replace(self, height=height, row_starts=starts, row_weights=weights, wanted=wanted)

    def wants(self, row: int, col: int | None = None) -> bool:
        """Return whether a tile is computed, or any tile of a row."""
        return self.wanted is None or bool(self.wanted[row].any() if col is None else self.wanted[row, col])

    def wanted_cols(self, first: int, end: int) -> list[tuple[int, int]]:
        """Return the spans of columns that tiles need of the rows [first, end)."""
        if self.wanted is None:
            return [(0, self.width)]
        starts = np.array(self.row_starts)
        rows = np.flatnonzero((starts < end) & (starts + self.size > first))
        cols = np.flatnonzero(self.wanted[rows].any(axis=0)).tolist()
        return merged_spans([(self.col_starts[col], self.right(col)) for col in cols])

    def __len__(self) -> int:
        return len(self.row_starts) * len(self.col_starts)

    def __iter__(self) -> Iterator[Tile]:
        rows, cols = enumerate(self.row_starts), list(enumerate(self.col_starts))
        return (Tile(row, col, top, left) for (row, top), (col, left) in product(rows, cols))


def plan_tiles(grid: Grid, size: int, options: TileOptions) -> TilePlan:
    """Return the tiles that cover a grid. `size` is the checkpoint's tile size, used if the options have none."""
    size = options.size_px or size
    overlap = overlap_of(size, options)
    rows, cols = (tile_starts(length, size, overlap) for length in grid.shape)
    if options.blend == "crop":
        weights = crop_weights(rows, size, grid.height), crop_weights(cols, size, grid.width)
    else:
        weights = (
            taper_weights(rows, size, overlap, grid.height),
            taper_weights(cols, size, overlap, grid.width),
        )
    return TilePlan(grid.height, grid.width, size, rows, cols, *weights)


def overlap_of(size: int, options: TileOptions) -> int:
    """Return the overlap in pixels: by default a quarter of a tile."""
    return size // 4 if options.overlap_px is None else min(options.overlap_px, size - 1)


@dataclass(frozen=True, slots=True)
class Swath:
    """A range of a scene's columns that is computed separately: `window` is read, columns `owned` are written.

    `plan` counts columns from the window's first one; beyond `owned` its pixels lack the contribution of neighbours.
    """

    window: Window
    plan: TilePlan
    owned: tuple[int, int]


def cut_swaths(plan: TilePlan, widest_px: int) -> list[Swath]:
    """Cut a scene into swaths of about equal width, at most `widest_px` where a swath of two tiles allows that.

    The tiles that reach into a swath from the left are computed for both swaths, with the scene's own
    weights, so that the result is the same as without swaths.
    """
    columns, spans = len(plan.col_starts), plan.col_spans
    parts = min(-(-plan.width // max(widest_px, plan.size)), max(columns // 2, 1))
    edges = [round(part * columns / parts) for part in range(parts + 1)]
    return [_swath(plan, first, end, spans) for first, end in pairwise(edges)]


def _swath(plan: TilePlan, first: int, end: int, spans: list[tuple[int, int]]) -> Swath:
    owned = spans[first][0], spans[end - 1][1]
    starts = plan.col_starts
    lending = next(col for col in range(first + 1) if starts[col] + plan.size > owned[0])
    left, right = starts[lending], plan.right(end - 1)
    cut = replace(
        plan,
        width=right - left,
        col_starts=tuple(start - left for start in starts[lending:end]),
        col_weights=plan.col_weights[lending:end],
        wanted=None if plan.wanted is None else plan.wanted[:, lending:end],
    )
    return Swath(Window(left, 0, right - left, plan.height), cut, owned)


@dataclass(frozen=True, slots=True)
class TilePixels:
    """Pixels of one tile: raw values (bands, size, size) of both dates, `valid` (size, size).

    Where a tile extends beyond the scene the scene is mirrored; the arrays are read-only views.
    """

    tile: Tile
    before: NumberArray
    after: NumberArray
    valid: BoolArray


@dataclass(frozen=True, slots=True)
class TileRow:
    """The pixels of one row of tiles, full width: values (bands, rows, cols), valid (rows, cols)."""

    row: int
    before: NumberArray
    after: NumberArray
    valid: BoolArray


def read_tile_rows(
    pair: AlignedPair, plan: TilePlan, threads: int, first_row: int = 0, limits: Limits = (None, None)
) -> Iterator[TileRow]:
    """Yield the pixels of each tile row, starting at `first_row`, each date clipped to its `limits`.

    Every block of both files is decoded once: rows shared by two tile rows are kept. Rows and
    columns that no wanted tile needs are not read.
    """
    with (
        ImageReader(pair.before) as before_reader,
        ImageReader(pair.after) as after_reader,
        # innermost, so that no thread is reading when the readers close their files
        ThreadPoolExecutor(threads, thread_name_prefix="read") as pool,
    ):
        before = RowBuffer(before_reader, plan, pool, threads, limits[0])
        after = RowBuffer(after_reader, plan, pool, threads, limits[1])
        for row in filter(plan.wants, range(first_row, len(plan.row_starts))):
            top, bottom = plan.row_starts[row], plan.bottom(row)
            for job in [*before.request(top, bottom), *after.request(top, bottom)]:
                job.result()
            (numbers_before, valid_before), (numbers_after, valid_after) = (
                buffer.rows(bottom - top) for buffer in (before, after)
            )
            yield TileRow(row, numbers_before, numbers_after, _both(valid_before, valid_after))


def _both(before: BoolArray, after: BoolArray) -> BoolArray:
    if before.flags.writeable and after.flags.writeable:
        return before & after
    return before if before.flags.writeable else after


def cut_tiles(tile_rows: Iterable[TileRow], plan: TilePlan) -> Iterator[TilePixels]:
    """Yield the tiles with at least one valid pixel, in the plan's order."""
    for tile_row in tile_rows:
        yield from _cut_row(tile_row, plan)


def _cut_row(tile_row: TileRow, plan: TilePlan) -> Iterator[TilePixels]:
    size, top = plan.size, plan.row_starts[tile_row.row]
    row_index = mirrored(plan.bottom(tile_row.row) - top, size)
    for col, left in enumerate(plan.col_starts):
        right = plan.right(col)
        if not plan.wants(tile_row.row, col) or not tile_row.valid[:, left:right].any():
            continue
        cut = [array[..., left:right] for array in (tile_row.before, tile_row.after, tile_row.valid)]
        if cut[0].shape[-2:] != (size, size):
            col_index = mirrored(right - left, size)
            cut = [array[..., row_index[:, None], col_index] for array in cut]
        yield TilePixels(Tile(tile_row.row, col, top, left), *cut)


class RowBuffer:
    """The rows of one date that tile rows still need: values (bands, rows, width) and valid (rows, width).

    Reads end at block borders, so that no block is decoded twice.
    """

    def __init__(
        self, reader: ImageReader, plan: TilePlan, pool: ThreadPoolExecutor, threads: int,
        limits: ValueLimits | None = None,
    ) -> None:  # fmt: skip
        scene, grid = reader.image.scene, reader.image.grid
        self._reader, self._plan, self._pool, self._threads = reader, plan, pool, threads
        self._grid, self._limits = grid, limits
        self._first = self._end = 0
        self._numbers: NumberArray = np.empty((len(scene.bands), 0, grid.width), scene.dtype)
        self._valid: BoolArray = np.empty((0, grid.width), bool)

    def rows(self, count: int) -> tuple[NumberArray, BoolArray]:
        """Return the first `count` rows of the last request, once all its jobs are done."""
        return self._numbers[:, :count], self._valid[:count]

    def request(self, top: int, bottom: int) -> list["Future[None]"]:
        """Keep the rows from `top` and start reading the missing ones down to `bottom`."""
        end = max(self._end, self._block_end(bottom))
        start = max(self._end, top)
        numbers = rows_of_memory((len(self._numbers), end - top, self._grid.width), self._numbers.dtype)
        valid = self._blank_validity(end - top)
        if self._end > top:
            numbers[:, : start - top] = self._numbers[:, top - self._first :]
            if valid.flags.writeable:
                valid[: start - top] = self._valid[top - self._first :]
        self._first, self._end, self._numbers, self._valid = top, end, numbers, valid
        return [self._submit(window, top) for window in self._windows(start, end)]

    def _blank_validity(self, rows: int) -> BoolArray:
        """Return (rows, width) to be filled; all True, without using memory, if nothing can be invalid."""
        shape = (rows, self._grid.width)
        return (
            np.broadcast_to(True, shape)
            if self._reader.image.all_valid
            else rows_of_memory(shape, np.dtype(bool))
        )

    def _block_end(self, bottom: int) -> int:
        block_rows = self._reader.image.block_shape[0]
        offset = (self._reader.image.offset or (0, 0))[0]
        return min(-(-(bottom + offset) // block_rows) * block_rows - offset, self._grid.height)

    def _windows(self, start: int, end: int) -> Iterator[Window]:
        """Divide the rows [start, end) among the threads at block borders."""
        block_rows, block_cols = self._reader.image.block_shape
        row_offset, col_offset = self._reader.image.offset or (0, 0)
        for first, last in self._plan.wanted_cols(start, end) if end > start else []:
            rows, cols = [(start + row_offset, end + row_offset)], [(first + col_offset, last + col_offset)]
            if block_cols < self._grid.width:
                cols = _shared_out(*cols[0], block_cols, self._threads)
            else:
                rows = _shared_out(*rows[0], block_rows, self._threads)
            for (top, bottom), (left, right) in product(rows, cols):
                yield Window(left - col_offset, top - row_offset, right - left, bottom - top)

    def _submit(self, window: Window, top: int) -> "Future[None]":
        first, left = window.row_off - top, window.col_off
        rows, cols = slice(first, first + window.height), slice(left, left + window.width)
        return self._pool.submit(self._read, window, self._numbers[:, rows, cols], self._valid[rows, cols])

    def _read(self, window: Window, numbers: NumberArray, valid: BoolArray) -> None:
        self._reader.read(window, numbers, valid)
        if self._limits is not None:
            self._limits.clip(numbers, valid)


def rows_of_memory(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NumberArray:
    """Return an array whose memory is returned to the system as soon as it is dropped.

    Full rows of a scene among smaller arrays would fragment the heap.
    """
    size = math.prod(shape) * dtype.itemsize
    try:
        memory = mmap.mmap(-1, max(size, 1))
    except (OSError, OverflowError) as error:
        raise MemoryError(f"cannot allocate {size:,} bytes for pixels") from error
    return np.frombuffer(memory, dtype, count=math.prod(shape)).reshape(shape)


def _shared_out(first: int, end: int, block: int, threads: int) -> list[tuple[int, int]]:
    """Cut [first, end) at block borders into about one span for each thread."""
    return aligned_spans(first, end, -(-(end - first) // (threads * block)) * block)
