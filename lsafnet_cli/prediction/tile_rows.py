"""Tile rows: the pixels of an aligned pair under its tiles, tile row by tile row, each block decoded once."""

import math
import mmap
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from rasterio.windows import Window

from lsafnet_cli.geometry.windows import (
    aligned_spans,
    mirrored,
)
from lsafnet_cli.prediction.tile import Tile, TilePlan
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.limits import ValueLimits
from lsafnet_cli.scenes.validity import BoolArray, NumberArray

Limits = tuple[ValueLimits | None, ValueLimits | None]  # of the before and of the after image


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
