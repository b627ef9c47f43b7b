"""A map's row bands, and the ground area of the runs in them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import PixelAreas
from lsafnet_cli.geometry.runs import Runs

PIXELS_AT_ONCE = 1 << 22
BLOCK_ROWS = 512  # of the maps that are written here
LEAST_ROWS = 64
STRETCHED = 4  # times the pixels at once, where fewer would visit a row of blocks several times


def row_windows(grid: Grid, pixels_at_once: int | None = None) -> Iterator[Window]:
    """Yield full-width windows of about `pixels_at_once` pixels from top to bottom, of whole blocks if possible."""
    rows = rows_at_once(grid.width, PIXELS_AT_ONCE if pixels_at_once is None else pixels_at_once)
    for top in range(0, grid.height, rows):
        yield Window(0, top, grid.width, min(rows, grid.height - top))


def rows_at_once(width: int, pixels_at_once: int) -> int:
    """Return how many rows are looked at together: whole rows of blocks, or a half, a quarter or an eighth of one."""
    rows = max(BLOCK_ROWS, pixels_at_once // width // BLOCK_ROWS * BLOCK_ROWS)
    while rows > LEAST_ROWS and rows * width > STRETCHED * pixels_at_once:
        rows //= 2
    return rows


def run_areas(runs: Runs, areas: PixelAreas | None) -> NDArray[np.float64]:
    """Return the ground area of each run in m2; NaN if it is unknown."""
    if areas is None:
        return np.full(len(runs.code), np.nan)
    return areas.of_runs(runs.row, runs.col, runs.length)
