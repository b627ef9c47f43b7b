"""What a checkpoint's metadata is held against, and the error it ends in."""

import math


class CheckpointError(ValueError):
    """A file is no usable checkpoint. The message is one line: which file, what was found, what to do."""


def require(claim: bool, message: str) -> None:
    """Raise CheckpointError where a claim does not hold."""
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
