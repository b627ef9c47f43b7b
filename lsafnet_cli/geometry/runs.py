"""Run-length runs of a class map: neighbouring pixels of one row with one code."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.geometry.arrays import FloatArray, IntArray

CodeArray = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of a row band `width` pixels wide, in reading order: code, row and first column on the grid, length."""

    code: CodeArray
    row: IntArray
    col: IntArray
    length: IntArray
    width: int

    @property
    def ends(self) -> IntArray:
        """The index after each run's last pixel, in reading order of the row band."""
        return np.cumsum(self.length)

    @property
    def centre_col(self) -> FloatArray:
        """Column of each run's centre."""
        return self.col + self.length / 2

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return one value for each run as (rows, cols)."""
        return np.repeat(values, self.length).reshape(-1, self.width)

    def first_row(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return one value for each run as (cols,) of the band's first row."""
        return self._spread_row(values, self.row[0])

    def last_row(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return one value for each run as (cols,) of the band's last row."""
        return self._spread_row(values, self.row[-1])

    def _spread_row(self, values: NDArray[Any], row: int) -> NDArray[Any]:
        here = self.row == row
        return np.repeat(values[here], self.length[here])

    def sums(self, values: NDArray[np.integer] | NDArray[np.floating]) -> FloatArray:
        """Return the sum over each run of (rows, cols) values."""
        number = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64
        summed = np.add.reduceat(values.ravel(), self.ends - self.length, dtype=number)
        return summed.astype(np.float64)


def find_runs(codes: NDArray[np.unsignedinteger], top: int) -> Runs:
    """Return the runs of a row band (rows, cols) whose first row is row `top` of the grid.

    >>> runs = find_runs(np.array([[5, 5, 0], [0, 5, 5]], np.uint8), top=10)
    >>> runs.code.tolist(), runs.row.tolist(), runs.col.tolist(), runs.length.tolist()
    ([5, 0, 0, 5], [10, 10, 11, 11], [0, 2, 0, 1], [2, 1, 1, 2])
    >>> runs.spread(np.array([1, 2, 3, 4])).tolist()
    [[1, 1, 2], [3, 4, 4]]
    """
    width = codes.shape[1]
    begins = np.ones(codes.shape, bool)
    np.not_equal(codes[:, 1:], codes[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    return Runs(
        code=codes.ravel()[starts].astype(np.uint16),
        row=starts // width + top,
        col=starts % width,
        length=np.diff(starts, append=codes.size),
        width=width,
    )
