"""Checks of a checkpoint's metadata, and the error that they raise."""

import math


class CheckpointError(ValueError):
    """A file is not a usable checkpoint. The message is one line: which file, what was found, what to do."""


def require(claim: bool, message: str) -> None:
    """Raise CheckpointError if a condition is not met."""
    if not claim:
        raise CheckpointError(message)


def is_number(value: object) -> bool:
    """Return whether a value is a finite number; True and False are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an integer beyond any float
        return False


def is_count(value: object) -> bool:
    """Return whether a value is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
