"""What a checkpoint's metadata is held against, and the error it ends in."""


class CheckpointError(ValueError):
    """A file is no usable checkpoint. The message is one line: which file, what was found, what to do."""


def require(claim: bool, message: str) -> None:
    """Raise CheckpointError where a claim does not hold."""
    if not claim:
        raise CheckpointError(message)


def is_number(value: object) -> bool:
    """Return whether a value is a finite number; True and False are none."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) < float("inf")  # type: ignore[arg-type]  # NaN compares false


def is_count(value: object) -> bool:
    """Return whether a value is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_text(value: object) -> bool:
    """Return whether a value is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())
