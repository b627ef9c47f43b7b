"""A map's row bands, and the ground area of the runs in them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import PixelAreas
from lsafnet_cli.geometry.runs import Runs

PIXELS_AT_ONCE = 1 << 22


def row_windows(grid: Grid, pixels_at_once: int = PIXELS_AT_ONCE) -> Iterator[Window]:
    """Yield full-width windows of about `pixels_at_once` pixels from top to bottom, of whole blocks if possible."""
    rows = max(64, pixels_at_once // grid.width // 512 * 512)
    for top in range(0, grid.height, rows):
        yield Window(0, top, grid.width, min(rows, grid.height - top))


def run_areas(runs: Runs, areas: PixelAreas | None) -> NDArray[np.float64]:
    """Return the ground area of each run in m2; NaN if it is unknown."""
    if areas is None:
        return np.full(len(runs.code), np.nan)
    return areas.of_runs(runs.row, runs.col, runs.length)
