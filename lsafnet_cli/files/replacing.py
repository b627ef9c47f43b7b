"""Replacing files: each is written under a temporary name beside the final one, then renamed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lsafnet_cli.errors import OutputError, reason_of
from lsafnet_cli.files.rasters import RASTER_ERRORS

LEAST_FREE_BYTES = 2**16  # with less free space a disk is full: file systems allocate whole blocks
NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


def coming(path: Path) -> Path:
    """Return the temporary name of a file."""
    return path.with_name(f".{path.name}.coming")


@contextmanager
def replacing(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield an empty temporary file that is renamed to `path`, synced to disk, if the block succeeds.

    A temporary file of a killed run is overwritten. Writers of the same file must hold a lock. Without
    `overwrite` a file that has appeared under the name is kept. Raises OutputError.
    """
    temporary = coming(path)
    with output_errors(path):
        make_empty(temporary)
        try:
            yield temporary
            to_disk(temporary)
            (name_again if overwrite else name_newly)(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def make_empty(path: Path) -> None:
    """Create an empty file with the permissions of new files; an existing file or link is removed."""
    with suppress(FileNotFoundError):
        path.unlink()
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def to_disk(path: Path) -> None:
    """Sync a file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def name_again(finished: Path, final: Path) -> None:
    """Replace a file by another."""
    finished.replace(final)


def name_newly(finished: Path, final: Path) -> None:
    """Rename a file. Raises OutputError, and changes nothing, if the name is taken."""
    if os.name == "posix":
        try:
            os.link(finished, final, follow_symlinks=False)
            finished.unlink()
            return
        except FileExistsError:
            raise taken(final) from None
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
    if os.path.lexists(final):
        raise taken(final)
    finished.rename(final)


def taken(path: Path) -> OutputError:
    """Return the error for a file that must not be replaced."""
    return OutputError(f"{path}: exists already; add `overwrite` to replace it")


def bring(source: Path, final: Path) -> Path:
    """Return the file itself if it is on the file system of its final name, else a copy beside that name."""
    if source.stat().st_dev == final.parent.stat().st_dev:
        return source
    copy = coming(final)
    try:
        make_empty(copy)
        shutil.copyfile(source, copy)
        to_disk(copy)
    except BaseException:
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        raise
    return copy


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn write errors of GDAL, torch and the operating system into an OutputError naming the file."""
    try:
        yield
    except RASTER_ERRORS as error:
        raise OutputError(f"{path}: cannot be written ({why_not_written(error, path.parent)})") from error


def why_not_written(error: BaseException, folder: Path) -> str:
    """Return the reason of a write error: a full disk, or what the error says."""
    return os.strerror(errno.ENOSPC) if _is_full(folder) else reason_of(error)


def _is_full(folder: Path) -> bool:
    # GDAL drivers often do not report the system's reason.
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    except OSError:
        return False
