"""Tile: sliding windows over a grid, which of them are computed, and how a wide scene is cut into swaths."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from rasterio.windows import Window

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.windows import (
    Float32Array,
    crop_weights,
    merged_spans,
    owned_spans,
    taper_weights,
    tile_starts,
)
from lsafnet_cli.options import TileOptions
from lsafnet_cli.scenes.validity import BoolArray


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
