"""Vector files: how fiona is let read them, so that whatever is wrong with one is one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fiona
from fiona.errors import FionaError
from rasterio.errors import CRSError, RasterioError
from shapely.errors import ShapelyError

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.sources import patience, refuse_what_is_no_file, unreadable

# fiona raises plain RuntimeErrors too, and shapely TypeErrors for geometries that are none
VECTOR_ERRORS = (
    FionaError,
    RasterioError,
    CRSError,
    ShapelyError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
)


@contextmanager
def reading_vectors(path: str, kind: str) -> Iterator[None]:
    """Let whatever is wrong with a vector file become an InputError; `kind` says what it was to be read as."""
    refuse_what_is_no_file(path)
    try:
        with fiona.Env(**patience()), _quiet_about_bytes():  # fiona's GDAL is not rasterio's
            yield
    except VECTOR_ERRORS as error:
        raise InputError(unreadable(path, error, kind)) from error


@contextmanager
def _quiet_about_bytes() -> Iterator[None]:
    """Let nothing be printed where GDAL quotes a damaged file in a message that is not UTF-8.

    Messages reach fiona through callbacks, whose errors Python can only print; the call that caused the
    message raises its own error all the same.
    """
    hooks = sys.unraisablehook, sys.excepthook

    def unraisable(error: "sys.UnraisableHookArgs") -> None:
        if error.exc_type is not UnicodeDecodeError:
            hooks[0](error)

    def uncaught(kind: type[BaseException], *rest: Any) -> None:
        if kind is not UnicodeDecodeError:
            hooks[1](kind, *rest)

    sys.unraisablehook, sys.excepthook = unraisable, uncaught
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = hooks
