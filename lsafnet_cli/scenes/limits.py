"""Limits: values too far outside a checkpoint's range for its network are clipped and counted."""

import threading
from typing import Any

import numpy as np

from lsafnet_cli.geometry.arrays import BoolArray
from lsafnet_cli.scenes.validity import NumberArray

RANGES_BEYOND = 10  # largest distance of a value from the range, in widths of the range


class ValueLimits:
    """Clips pixels on read to values acceptable for a checkpoint of `value_range`; thread-safe.

    A fill value without a nodata tag (-3.4e38) would otherwise spread through the network and make its output
    NaN for a whole tile.
    """

    def __init__(self, value_range: tuple[float, float]) -> None:
        beyond = RANGES_BEYOND * (value_range[1] - value_range[0])
        self.low, self.high = value_range[0] - beyond, value_range[1] + beyond
        self._lock = threading.Lock()
        self.seen = self.clipped = 0
        self.extremes = (np.inf, -np.inf)

    def clip(self, numbers: NumberArray, valid: BoolArray) -> None:
        """Clip (bands, rows, cols) in place, and count the pixels with a clipped valid value."""
        low, high = _within(numbers.dtype, self.low, self.high)
        outside = ((numbers < low) | (numbers > high)).any(axis=0) & valid
        with self._lock:
            self.seen += valid.size
            if outside.any():
                found = numbers[:, outside]
                self.clipped += int(outside.sum())
                self.extremes = (
                    min(self.extremes[0], float(found.min())),
                    max(self.extremes[1], float(found.max())),
                )
        np.clip(numbers, low, high, out=numbers)

    def notice(self, path: str) -> str | None:
        """Return the notice for the user, None if nothing was clipped."""
        if not self.clipped:
            return None
        low, high = self.extremes
        return (
            f"{path}: {self.clipped:,} of {self.seen:,} pixels hold values far outside the checkpoint's range "
            f"({low:.6g} to {high:.6g}); they are clipped to {self.low:g}..{self.high:g}. "
            "Are they fill? Declare them as nodata"
        )


def _within(dtype: "np.dtype[Any]", low: float, high: float) -> tuple[float, float]:
    """Return the limits as values of `dtype`."""
    if dtype.kind == "f":
        return low, high
    whole = np.iinfo(dtype)
    return max(int(np.ceil(low)), whole.min), min(int(np.floor(high)), whole.max)


def limits_for(dtype: str, value_range: tuple[float, float]) -> ValueLimits | None:
    """Return the limits for values of `dtype`, None if all of them are within."""
    limits = ValueLimits(value_range)
    if np.dtype(dtype).kind == "f":
        return limits
    whole = np.iinfo(dtype)
    return None if limits.low <= whole.min and whole.max <= limits.high else limits
