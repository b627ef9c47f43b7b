"""Limits: values so far outside a checkpoint's range that its network cannot answer are clipped, and counted."""

import threading
from typing import Any

import numpy as np

from lsafnet_cli.geometry.arrays import BoolArray
from lsafnet_cli.scenes.validity import NumberArray

RANGES_BEYOND = 10  # how many times the width of its range a value may lie outside it


class ValueLimits:
    """Clips pixels, as they are read, to what a checkpoint of `value_range` can bear; used from any thread.

    A fill value without a nodata tag (-3.4e38) would otherwise spread through the network and make its answer
    for a whole tile no number at all.
    """

    def __init__(self, value_range: tuple[float, float]) -> None:
        beyond = RANGES_BEYOND * (value_range[1] - value_range[0])
        self.low, self.high = value_range[0] - beyond, value_range[1] + beyond
        self._lock = threading.Lock()
        self.seen = self.clipped = 0
        self.extremes = (np.inf, -np.inf)

    def clip(self, numbers: NumberArray, valid: BoolArray) -> None:
        """Clip (bands, rows, cols) in place, and count the pixels of which a valid number was."""
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
        """Return what the user should know, None where nothing was clipped."""
        if not self.clipped:
            return None
        low, high = self.extremes
        return (
            f"{path}: {self.clipped:,} of {self.seen:,} pixels hold numbers far outside the checkpoint's range "
            f"({low:.6g} to {high:.6g}); they are clipped to {self.low:g}..{self.high:g}. "
            "Are they fill? Declare them as nodata"
        )


def _within(dtype: "np.dtype[Any]", low: float, high: float) -> tuple[float, float]:
    """Return the limits as numbers that `dtype` can hold."""
    if dtype.kind == "f":
        return low, high
    whole = np.iinfo(dtype)
    return max(int(np.ceil(low)), whole.min), min(int(np.floor(high)), whole.max)


def limits_for(dtype: str, value_range: tuple[float, float]) -> ValueLimits | None:
    """Return the limits of numbers of `dtype`, None where every one of them lies within."""
    limits = ValueLimits(value_range)
    if np.dtype(dtype).kind == "f":
        return limits
    whole = np.iinfo(dtype)
    return None if limits.low <= whole.min and whole.max <= limits.high else limits
