"""Grids: CRS, transform and size of rasters."""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike
from rasterio.crs import CRS
from rasterio.windows import Window

from lsafnet_cli.geometry.arrays import FloatArray


def apply_affine(transform: Affine, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return points (x, y) transformed."""
    a, b, c, d, e, f = transform[:6]
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return a * x + b * y + c, d * x + e * y + f


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixel grid of a raster: `transform` takes (col, row) to coordinates of `crs`.

    Without a CRS the coordinates have no meaning outside the image.
    """

    crs: CRS | None
    transform: Affine
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.height, self.width

    @property
    def pixel_count(self) -> int:
        """rows * cols."""
        return self.height * self.width

    def to_ground(self, cols: ArrayLike, rows: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the (x, y) of pixel positions; (0, 0) is the first pixel's outer corner."""
        return apply_affine(self.transform, cols, rows)

    def to_pixels(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the (cols, rows) of points in the grid's CRS."""
        return apply_affine(~self.transform, x, y)

    def cut(self, window: Window) -> "Grid":
        """Return the grid of a window of whole pixels."""
        shifted = self.transform @ Affine.translation(window.col_off, window.row_off)
        return Grid(self.crs, shifted, int(window.width), int(window.height))
