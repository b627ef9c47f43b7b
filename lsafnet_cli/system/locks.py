"""Locks on folders and outputs; released when the process ends, however it ends."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lsafnet_cli.errors import OutputError, reason_of
from lsafnet_cli.system.beside import when_quiet

LOCK = "lock"
WITHOUT_LOCKS = {
    getattr(errno, name, None) for name in ("ENOSYS", "ENOLCK", "ENOTSUP", "EOPNOTSUPP", "EINVAL")
}
Tell = Callable[[str], None]


class NoLocksError(OutputError):
    """The file system does not support locks."""


@contextmanager
def lock_file(path: Path, wait: bool = False, keep: bool = True) -> Iterator[bool]:
    """Try to lock a file, created if missing; yield whether that worked, or wait until it does.

    Symbolic links are not followed. The file is kept unless `keep` is False. Raises NoLocksError on a file system
    without locks, OutputError if the file cannot be created.
    """
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        held = _acquire(lock, wait)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, NotImplementedError) or error.errno in WITHOUT_LOCKS:
            raise NoLocksError(
                f"{path}: this file system does not support locks ({reason_of(error)})"
            ) from error
        raise OutputError(f"{path}: cannot be created ({error.strerror})") from error
    try:
        yield held
    finally:
        if held:  # after threads left by an interruption have ended, since they still write
            when_quiet(lambda: _release(lock, path, keep))


def _acquire(lock: FileLock, wait: bool) -> bool:
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        return False
    return True


def _release(lock: FileLock, path: Path, keep: bool) -> None:
    if not keep and os.name == "posix":  # a process waiting for it sees that the file is gone
        path.unlink(missing_ok=True)
    lock.release()
    if not keep and os.name != "posix":
        with suppress(OSError):  # another process holds it now
            path.unlink(missing_ok=True)


def lock_of(output: Path) -> Path:
    """Return the lock file of an output, beside it."""
    return output.with_name(f".{output.name}.lock")


def remove_idle_lock(output: Path) -> None:
    """Remove the lock file of an output if it exists and no process holds it."""
    if os.path.lexists(lock_of(output)):
        with suppress(OutputError), lock_file(lock_of(output), keep=False):
            pass


@contextmanager
def locked_outputs(outputs: Iterable[Path], tell: Tell | None = None) -> Iterator[None]:
    """Lock outputs for this process, each by a file beside it that is removed at the end, the first one's last.

    Raises OutputError if another run writes one of them. On a file system without locks `tell` receives a notice and
    the run continues without; if it is None, NoLocksError is raised.
    """
    with ExitStack() as stack:
        for output in dict.fromkeys(outputs):
            try:
                held = stack.enter_context(lock_file(lock_of(output), keep=False))
            except NoLocksError as error:
                if tell is None:
                    raise
                tell(f"{error}: make sure that no other run writes {output.name} at the same time")
                continue
            except OutputError as error:
                raise OutputError(f"{output}: cannot be written ({reason_of(error)})") from error
            if not held:
                raise OutputError(f"{output}: another run is writing this output; wait for it")
        yield
