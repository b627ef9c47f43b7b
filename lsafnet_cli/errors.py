"""Errors that users meet: one base class, one exit code for each kind, one line for each message."""

from typing import ClassVar

from lsafnet.texts import is_hidden


class LsafnetError(Exception):
    """A failure the user can act on. Its text is one line: which file, what was found, what to do."""

    exit_code: ClassVar[int] = 1


class OptionError(LsafnetError):
    """An option has a value that cannot be used."""

    exit_code = 2


class InputError(LsafnetError):
    """An input file cannot be read."""

    exit_code = 3


class PairError(LsafnetError):
    """Two images can be read but do not fit together as a pair."""

    exit_code = 4


class NoOverlapError(PairError):
    """The extents of two images do not overlap."""


class CheckpointFileError(LsafnetError):
    """A checkpoint cannot be loaded or does not fit."""

    exit_code = 5


class OutputError(LsafnetError):
    """An output cannot be written."""

    exit_code = 6


class DeviceError(LsafnetError):
    """The device is missing or its memory is too small."""

    exit_code = 7


BATCH_EXIT_CODE = 8  # some scenes of a batch failed


class SeriesError(LsafnetError):
    """Some maps of a series could not be made."""

    exit_code = BATCH_EXIT_CODE


INTERRUPTED_EXIT_CODE = 130
LONGEST_REASON = 300


def one_line(error: BaseException) -> str:
    """Return the message of any exception as one line, or the name of its type if it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


def reason_of(error: BaseException) -> str:
    """Return why something failed in one line of limited length: the cause, if there is one."""
    text = one_line(error.__cause__ or error)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."


def printable(text: str) -> str:
    """Return a text whose line ends, control characters and unprintable bytes stand as escapes (\\n, \\x1b ...).

    Names of files may hold any of them; shown as they are they would break a line or command the terminal.
    """
    return "".join(_escaped(char) if is_hidden(char) else char for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
