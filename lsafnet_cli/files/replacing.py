"""Writing beside, then renaming: the one way in which a file comes under its final name."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lsafnet_cli.errors import OutputError, reason_of
from lsafnet_cli.files.rasters import RASTER_ERRORS

LEAST_FREE_BYTES = 2**16  # below this a disk is full: file systems hand out whole blocks
NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


def coming(path: Path) -> Path:
    """Return the name under which a file is written before it gets its own."""
    return path.with_name(f".{path.name}.coming")


@contextmanager
def replacing(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Give an empty file to be written, which gets the name `path`, complete and on disk, when the block ends well.

    What a killed run left of such a file is written over. Whoever may be writing the same file at the same time
    holds a lock. Without `overwrite` what has appeared under the name stays. Raises OutputError.
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
    """Make an empty file, with the rights that new files have here; whatever is there, a link too, goes."""
    with suppress(FileNotFoundError):
        path.unlink()
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def to_disk(path: Path) -> None:
    """Wait until a file is safe from a loss of power."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def name_again(finished: Path, final: Path) -> None:
    """Let a file take another's place."""
    finished.replace(final)


def name_newly(finished: Path, final: Path) -> None:
    """Name a file. Raises OutputError, and changes nothing, where the name is taken."""
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
    """Return the error that says of a file that it may not be replaced."""
    return OutputError(f"{path}: exists already; add `overwrite` to replace it")


def bring(source: Path, final: Path) -> Path:
    """Return a file, on its way to a final name, on the file system of that name: itself, or a copy beside it."""
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
    """Let whatever GDAL, torch or the system says against writing become an OutputError naming a file."""
    try:
        yield
    except RASTER_ERRORS as error:
        reason = os.strerror(errno.ENOSPC) if _is_full(path.parent) else reason_of(error)
        raise OutputError(f"{path}: cannot be written ({reason})") from error


def _is_full(folder: Path) -> bool:
    # GDAL's drivers often keep the system's reason to themselves.
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    except OSError:
        return False
