"""Standard streams and signals: whatever they are connected to, a command ends with one line and its exit code."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lsafnet_cli.errors import OutputError, reason_of


def open_closed_streams() -> None:
    """Open standard streams that were closed, or files that are opened next would get their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def write_any_text() -> None:
    """Let characters that a stream's encoding lacks be written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextmanager
def written_results() -> Iterator[None]:
    """Write all of standard output before the block ends. Raises OutputError where that cannot be done."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as left:
        if not isinstance(left.__context__, BrokenPipeError):
            raise
        _forget_what_waits()  # Typer has heard of it first
        raise OutputError("standard output: cannot be written (it was closed)") from left
    except OSError as error:
        if error.filename is not None or error.errno is None:  # a file's or a library's, not the stream's
            raise
        _forget_what_waits()
        reason = "it was closed" if error.errno == errno.EPIPE else reason_of(error)
        raise OutputError(f"standard output: cannot be written ({reason})") from error


def _forget_what_waits() -> None:
    """Let nothing be tried again when Python ends."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Let a SIGTERM, which schedulers send before they kill, end a run as a Ctrl-C does."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
