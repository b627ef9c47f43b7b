"""Sources: what the name of an input refers to, and whether that can be an image.

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
from lsafnet_cli.system.beside import within

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
# A server that stops responding ends a run instead of blocking it; slow but steady ones do not.
SILENCE = "GDAL_HTTP_LOW_SPEED_TIME"
PROBES_IN_PATIENCE = 3  # timeout for opening an image with its side files: three times that of one request
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
LONGEST_SIDE_PX = 1 << 24  # twice the circumference of the Earth at 5 m
SMALLEST_INDEX_ENTRY_BYTES = 2  # minimum that a TIFF stores for each block, also for empty ones
BEST_COMPRESSION = 1 << 20  # far above the compression ratio of any codec for blank pixels
ONE_FILE_DRIVERS = ("GTiff", "PNG", "JPEG", "BMP", "GIF", "WEBP", "JP2OpenJPEG")


def is_remote(name: str) -> bool:
    """Return whether a name refers to another machine."""
    return REMOTE.search(name) is not None


def local_path(name: str) -> Path | None:
    """Return the local file that a name refers to, for a member of an archive the archive; else None."""
    if is_remote(name):
        return None
    plain = ARCHIVE_OR_FILE.sub("", name)
    if plain == name:
        return Path(name)
    path = Path(re.sub(r"^\{(.*?)\}", r"\1", plain.split("!")[0]))
    return next((found for found in (path, *path.parents) if found.exists() and not found.is_dir()), path)


def same_image(name: str, other: str) -> bool:
    """Return whether two names refer to the same file, also through links, or to the same member of an archive."""
    if name == other:
        return True
    path, second = local_path(name), local_path(other)
    try:
        one_file = path is not None and second is not None and path.samefile(second)
    except (OSError, ValueError):  # one of them does not exist, or has a name that no file can have
        return False
    return one_file and _member_of(name, path) == _member_of(other, second)


def _member_of(name: str, path: Path | None) -> str:
    """Return the part of a name after the local file: the member of an archive, else ""."""
    return name.rpartition(path.name)[2].strip("/!}") if path is not None else ""


def patience() -> dict[str, str]:
    """Return GDAL's settings for slow and unresponsive servers, except those that the user has set."""
    return {name: value for name, value in PATIENCE.items() if name not in os.environ}


def open_source(name: str) -> Any:
    """Open a raster for reading; the caller reports errors and closes it.

    Raises InputError for names that can never be opened.
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
    """Raise InputError for a name whose opening would fail without a reason, or never return."""
    if not name:
        raise InputError("the name of an input is empty; name a file")
    try:
        name.encode()
        path = local_path(name)
        mode = path.stat().st_mode if path is not None else 0
    except UnicodeEncodeError as error:
        raise InputError(f"{name}: this name is not UTF-8; rename the file") from error
    except (OSError, ValueError):  # missing, or not the name of a file: opening will report it
        return
    for is_kind, kind in KINDS.items():
        if is_kind(mode):
            raise InputError(f"{name}: is {kind}; name a file")
    if path is not None and path.exists() and path.stat().st_dev in _systems_own():
        raise InputError(f"{name}: is a special file of the operating system; name a data file")


@cache
def _systems_own() -> frozenset[int]:
    """Return the pseudo file systems of the operating system, where reading may never end."""
    found = (Path(name) for name in ("/proc", "/sys"))
    return frozenset(path.stat().st_dev for path in found if path.is_dir())


def files_of(dataset: Any, name: str) -> tuple[str, ...]:
    """Return all files that GDAL reads for an open local raster: side files, and the sources of a mosaic.

    None for a remote one, since a server would be asked for dozens of names. Raises InputError.
    """
    names = () if is_remote(name) else tuple(dataset.files)
    for source in names:
        refuse_what_is_no_file(source)
    return names


def unreadable(name: str, error: Exception, kind: str = "an image") -> str:
    """Return the message why a name cannot be opened as an image or as a file of another kind."""
    path = None if name.startswith("/vsi") else local_path(name)
    if path is not None:
        if not os.path.lexists(path):
            return f"{name}: no such file"
        if path.is_symlink() and not path.exists():
            return f"{name}: is a broken link"
        if path.is_dir():
            return f"{name}: is a folder; name a file"
        if not os.access(path, os.R_OK):
            return f"{name}: no permission to read this file"
    return f"{name}: cannot be read as {kind} ({reason_of(error)})"


def reading_failed(name: str, error: Exception) -> str:
    """Return the message why reading pixels of an open image failed."""
    if is_remote(name):
        return f"{name}: reading failed, the server closed the connection ({reason_of(error)}); try again"
    return f"{name}: reading failed, the file is damaged ({reason_of(error)})"


def refuse_the_implausible(dataset: Any, name: str) -> None:
    """Raise InputError for an open raster that declares more than it can hold, before memory is allocated."""
    size = f"{dataset.width}x{dataset.height} pixels in {dataset.count} bands"
    if dataset.count == 0:
        raise InputError(f"{name}: contains no image itself; name one of its subdatasets (see gdalinfo)")
    if dataset.count > MOST_BANDS:
        raise InputError(f"{name}: declares {size}; at most {MOST_BANDS:,} bands can be read")
    if max(dataset.shape) > LONGEST_SIDE_PX:
        raise InputError(
            f"{name}: declares {size}; at most {LONGEST_SIDE_PX:,} per side can be read: cut it first"
        )
    file_bytes = _file_bytes(dataset, name)
    if file_bytes is not None and _declares_more_than(dataset, file_bytes):
        raise InputError(f"{name}: declares {size}, but the file has {file_bytes:,} bytes: it is damaged")


def _file_bytes(dataset: Any, name: str) -> int | None:
    """Return the size in bytes of a raster that is a single local file, else None."""
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
    except TypeError:  # complex integers, unknown to numpy
        return 4
