"""Sources: what an input's name leads to, and whether that can be an image at all.

A name may be a path, a URL (https://, s3://, gs:// ...), a member of an archive (zip://a.zip!b.tif, or
/vsizip/a.zip/b.tif), or any other name of GDAL's virtual file systems.
"""

import math
import os
import re
import stat
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from lsafnet_cli.errors import InputError, reason_of
from lsafnet_cli.system.background import within

REMOTE = re.compile(
    r"^(?:\w+\+)*(?:https?|ftp|s3|gs|az|oss)://"
    r"|/vsi(?:curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)(?:_streaming)?[/?]",
    re.IGNORECASE,
)
ARCHIVE_OR_FILE = re.compile(
    r"^(?:(?:\w+\+)?(?:file|zip|tar|gzip):(?://)?|(?:/vsi(?:zip|tar|gzip|7z|rar)/)+)", re.IGNORECASE
)
IMAGE_ENDINGS = (
    ".tif", ".tiff", ".vrt", ".jp2", ".j2k", ".img", ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ntf", ".nitf",
    ".hdf", ".h5", ".nc", ".ecw", ".sid", ".dat", ".bil", ".bsq", ".gtiff",
)  # fmt: skip
KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
# A server that falls silent ends a run instead of holding it; slow but steady ones go on.
SILENCE = "GDAL_HTTP_LOW_SPEED_TIME"
PROBES_IN_PATIENCE = 3  # an image is opened, with its side files, in three times what one silence may last
PATIENCE = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    SILENCE: "20",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
}
# Side files (.msk, .ovr, .aux.xml) are asked for by name: a bucket is never listed, and no mask overlooked.
NO_LISTING = {"GDAL_DISABLE_READDIR_ON_OPEN": "TRUE"}
MOST_BANDS = 10_000
LONGEST_SIDE_PX = 1 << 24  # twice the earth at 5 m
SMALLEST_INDEX_ENTRY_BYTES = 2  # what a TIFF keeps, at the very least, for each of its blocks, empty ones too
BEST_COMPRESSION = 1 << 20  # far beyond what any codec makes of blank pixels
ONE_FILE_DRIVERS = ("GTiff", "PNG", "JPEG", "BMP", "GIF", "WEBP", "JP2OpenJPEG")


def is_remote(name: str) -> bool:
    """Return whether a name leads to another machine."""
    return REMOTE.search(name) is not None


def local_path(name: str) -> Path | None:
    """Return the file that a name leads to on this machine, of an archive's member the archive; else None."""
    if is_remote(name):
        return None
    plain = ARCHIVE_OR_FILE.sub("", name)
    if plain == name:
        return Path(name)
    path = Path(re.sub(r"^\{(.*?)\}", r"\1", plain.split("!")[0]))
    return next((found for found in (path, *path.parents) if found.exists() and not found.is_dir()), path)


def same_image(name: str, other: str) -> bool:
    """Return whether two names lead to one file, whatever links are on the way, or to one member of an archive."""
    if name == other:
        return True
    path, second = local_path(name), local_path(other)
    try:
        one_file = path is not None and second is not None and path.samefile(second)
    except OSError:  # one of them does not exist
        return False
    return one_file and _member_of(name, path) == _member_of(other, second)


def _member_of(name: str, path: Path | None) -> str:
    """Return what a name says behind the local file that it leads to: an archive's member, else nothing."""
    return name.rpartition(path.name)[2].strip("/!}") if path is not None else ""


def patience() -> dict[str, str]:
    """Return GDAL's settings for slow and dead servers, but for those that the user has made."""
    return {name: value for name, value in PATIENCE.items() if name not in os.environ}


def open_source(name: str) -> Any:
    """Open a raster for reading; the caller turns errors into words and closes it.

    Raises InputError for what could never be opened.
    """
    refuse_what_is_no_file(name)
    if not is_remote(name):
        return rasterio.open(name)
    seconds = PROBES_IN_PATIENCE * float(os.environ.get(SILENCE, PATIENCE[SILENCE]))
    try:
        return within(seconds, lambda: _open_remote(name))
    except TimeoutError:
        raise InputError(
            f"{name}: cannot be read as an image (not open after {seconds:g} s); try the same command again"
        ) from None


def _open_remote(name: str) -> Any:
    settings = patience() | {key: value for key, value in NO_LISTING.items() if key not in os.environ}
    with rasterio.Env(**settings):
        return rasterio.open(name)


def refuse_what_is_no_file(name: str) -> None:
    """Raise InputError for a name whose opening would fail without saying why, or never return."""
    if not name:
        raise InputError("an input has an empty name; name a file")
    try:
        name.encode()
        path = local_path(name)
        mode = path.stat().st_mode if path is not None else 0
    except UnicodeEncodeError as error:
        raise InputError(f"{name}: this name is not UTF-8; rename the file") from error
    except (OSError, ValueError):  # not there, or no name of a file at all: opening says so
        return
    for is_kind, kind in KINDS.items():
        if is_kind(mode):
            raise InputError(f"{name}: is {kind}; name a file")
    if path is not None and path.exists() and path.stat().st_dev in _systems_own():
        raise InputError(f"{name}: is no file but the system's own; name a file")


@cache
def _systems_own() -> frozenset[int]:
    """Return the file systems in which the system shows itself: reading there may never end."""
    found = (Path(name) for name in ("/proc", "/sys"))
    return frozenset(path.stat().st_dev for path in found if path.is_dir())


def files_of(dataset: Any, name: str) -> tuple[str, ...]:
    """Return all files that GDAL reads for an open local raster: side files, and the sources of a mosaic.

    None for a remote one: a server would be asked for dozens of names. Raises InputError as above.
    """
    names = () if is_remote(name) else tuple(dataset.files)
    for source in names:
        refuse_what_is_no_file(source)
    return names


def unreadable(name: str, error: Exception, kind: str = "an image") -> str:
    """Return in words why a name cannot be opened as an image or as a file of another kind."""
    path = None if name.startswith("/vsi") else local_path(name)
    if path is not None:
        if not os.path.lexists(path):
            return f"{name}: no such file"
        if path.is_symlink() and not path.exists():
            return f"{name}: is a link that leads nowhere"
        if path.is_dir():
            return f"{name}: is a folder; name a file"
        if not os.access(path, os.R_OK):
            return f"{name}: may not be read; ask for permission to read it"
    return f"{name}: cannot be read as {kind} ({reason_of(error)})"


def reading_failed(name: str, error: Exception) -> str:
    """Return in words why reading pixels failed, from an image that could be opened."""
    if is_remote(name):
        return (
            f"{name}: reading failed, the server broke off ({reason_of(error)}); try the same command again"
        )
    return f"{name}: reading failed, the file is damaged ({reason_of(error)})"


def refuse_the_implausible(dataset: Any, name: str) -> None:
    """Raise InputError for an open raster that declares more than it can hold, before memory is taken for it."""
    size = f"{dataset.width}x{dataset.height} pixels in {dataset.count} bands"
    if dataset.count == 0:
        raise InputError(f"{name}: holds no image of its own; name one of its subdatasets (see gdalinfo)")
    if dataset.count > MOST_BANDS:
        raise InputError(f"{name}: declares {size}; images of at most {MOST_BANDS:,} bands are read")
    if max(dataset.shape) > LONGEST_SIDE_PX:
        raise InputError(f"{name}: declares {size}; a side has at most {LONGEST_SIDE_PX:,}: cut it first")
    file_bytes = _file_bytes(dataset, name)
    if file_bytes is not None and _declares_more_than(dataset, file_bytes):
        raise InputError(f"{name}: declares {size}, but the file has {file_bytes:,} bytes: it is damaged")


def _file_bytes(dataset: Any, name: str) -> int | None:
    """Return the length of a raster that is one plain file here, else None."""
    path = local_path(name)
    if path is None or name.startswith("/vsi") or dataset.driver not in ONE_FILE_DRIVERS:
        return None
    return path.stat().st_size if path.is_file() and ARCHIVE_OR_FILE.match(name) is None else None


def _declares_more_than(dataset: Any, file_bytes: int) -> bool:
    block_rows, block_cols = dataset.block_shapes[0]
    pixel_bytes: int = dataset.count * max(_sample_bytes(dtype) for dtype in set(dataset.dtypes))
    most = BEST_COMPRESSION * file_bytes
    if dataset.driver == "GTiff" and block_cols < dataset.width:
        blocks = math.ceil(dataset.height / block_rows) * math.ceil(dataset.width / block_cols)
        most_blocks = file_bytes // SMALLEST_INDEX_ENTRY_BYTES
        return bool(blocks > most_blocks or block_rows * block_cols * pixel_bytes > most)
    return bool(dataset.width * dataset.height * pixel_bytes > most)


def _sample_bytes(dtype: str) -> int:
    try:
        return np.dtype(dtype).itemsize
    except TypeError:  # complex integers, which numpy does not have
        return 4
