"""Work folders beside outputs, and how finished files leave them: under their final names only when complete."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lsafnet_cli.errors import OutputError, reason_of
from lsafnet_cli.files.rasters import RASTER_ERRORS

LEAST_FREE_BYTES = 2**16  # below this a disk is full: file systems hand out whole blocks


class WorkFolder:
    """The work folder of an output: files on their way to their final names."""

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(f".{output.name}.partial")

    def create(self) -> None:
        """Make the folder. Raises OutputError where that is not allowed."""
        with output_errors(self.folder):
            self.folder.mkdir(exist_ok=True)

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name: str) -> Path:
        """Return the path of a file on its way to its final name."""
        return self.folder / name


def publish(store: WorkFolder, finals: Iterable[Path]) -> None:
    """Give finished files in the work folder their final names, one after the other. Raises OutputError."""
    for final in finals:
        with output_errors(final):
            _move(store.path(final.name), final)


def _move(finished: Path, final: Path) -> None:
    try:
        finished.replace(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        coming = final.with_name(
            f".{final.name}.coming"
        )  # another file system: copied, then named in one step
        shutil.copyfile(finished, coming)
        coming.replace(final)


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Let whatever GDAL or the system says against writing become an OutputError naming a file."""
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
