"""Locks on folders and files; they end with the process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsafnet_cli.errors import OutputError

LOCK = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone; the lock ends with the process, however that ends.

    Raises OutputError where another run holds it.
    """
    with lock_file(folder / LOCK) as held:
        if not held:
            raise OutputError(f"{folder}: another run is writing this output; wait for it")
        yield


@contextmanager
def lock_file(path: Path, wait: bool = False) -> Iterator[bool]:
    """Try to lock a file, made where it is not there; yield whether that worked, or wait until it does.

    The lock ends with the process, however that ends. Raises OutputError where files cannot be locked.
    """
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made ({error.strerror})") from error
    try:
        yield _lock(handle, path, wait)
    finally:
        os.close(handle)


def _lock(handle: int, path: Path, wait: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise OutputError(f"{path}: this file system has no locks ({error.strerror})") from error
    return True
