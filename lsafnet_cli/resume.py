"""Going on where a run was broken off: what decides a map is written down beside its parts."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsafnet_cli.errors import OutputError

STATE, LOCK = "state.json", "lock"
Fingerprint = Mapping[str, Any]


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """Return the fingerprint of the run whose parts lie in a folder, or None where it has none."""
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_fingerprint(folder: Path, fingerprint: Fingerprint) -> None:
    """Write a fingerprint down, complete or not at all."""
    temporary = folder / f"{STATE}.tmp"
    temporary.write_text(json.dumps(fingerprint), encoding="utf-8")
    temporary.replace(folder / STATE)


def differences(old: Fingerprint, new: Fingerprint) -> list[str]:
    """Return the names of what differs between two fingerprints."""
    plain = json.loads(json.dumps(new))
    return sorted(name for name in old.keys() | plain.keys() if old.get(name) != plain.get(name))


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
