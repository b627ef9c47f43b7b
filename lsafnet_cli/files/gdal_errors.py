"""GDAL's own errors, some of which rasterio lets through although their class is private, and its messages."""

import ctypes
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio

if TYPE_CHECKING:
    GdalError = Exception
else:
    try:
        from rasterio._err import CPLE_BaseError as GdalError
    except ImportError:  # a rasterio that has moved it; tests/test_vsi_names.py then fails

        class GdalError(Exception):
            """Never raised: with such a rasterio, an error that it lets through is reported as a bug."""


# GDAL's warnings, which pyogrio passes on as Python's. Never reset, since catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"pyogrio\b")
READERS = ("rasterio", "fiona")


def print_nothing_of_bytes() -> None:
    """From now on, print nothing where GDAL quotes a damaged file in a message that is not UTF-8.

    Messages reach rasterio and fiona through callbacks, whose errors Python can only print: by the hook for
    uncaught errors, without a traceback, then by the one for unraisable ones. The call that caused the message
    raises its own error all the same.
    """
    uncaught, unraisable = sys.excepthook, sys.unraisablehook

    def of_no_call(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        if kind is not UnicodeDecodeError or traceback is not None:
            uncaught(kind, error, traceback)

    def of_no_reader(error: Any) -> None:
        where = f"{error.object} {error.err_msg}"
        if error.exc_type is not UnicodeDecodeError or not any(reader in where for reader in READERS):
            unraisable(error)

    sys.excepthook, sys.unraisablehook = of_no_call, of_no_reader


def silence_libtiff() -> None:
    """Let libtiff print nothing: GDAL raises its errors as well, but on a full disk libtiff also prints them.

    It is found where rasterio's wheels have it; elsewhere these lines stay.
    """
    for library in Path(rasterio.__file__).parent.with_name("rasterio.libs").glob("libtiff*"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)


print_nothing_of_bytes()
silence_libtiff()
