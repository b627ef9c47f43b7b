"""Threads beside the caller, who waits for their result or leaves them behind."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

Item = TypeVar("Item")
_POLL_SECONDS = 0.1  # how soon a Ctrl-C is answered while a thread is waited for
_FAREWELL_SECONDS = 0.5  # after an interruption, for work that is nearly done
_strays: set[threading.Thread] = set()  # still running after their block was interrupted
_left_behind: set[threading.Thread] = set()  # that took too long
_put_off: deque[Callable[[], None]] = deque()  # until they have ended


@contextmanager
def beside(function: Callable[..., Item], *arguments: Any) -> Iterator[Callable[[], Item]]:
    """Start `function(*arguments)` in a thread; yield a call that waits for its result or raises its error.

    Ctrl-C works while C code runs in the thread. A block left by an error waits for the thread, one left by an
    interruption only briefly.
    """
    results: list[Item] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="beside", daemon=True)

    def wait() -> Item:
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
        if errors:
            raise errors[0]
        return results[0]

    thread.start()
    try:
        yield wait
    except BaseException as error:
        thread.join(None if isinstance(error, Exception) else _FAREWELL_SECONDS)
        if thread.is_alive():
            _strays.add(thread)
        raise


def within(seconds: float, function: Callable[[], Item]) -> Item:
    """Return the result of a function run in a thread. Raises TimeoutError after `seconds` and abandons the
    thread."""
    results: list[Item] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="within", daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(_POLL_SECONDS)
    if errors:
        raise errors[0]
    if not results:
        _left_behind.add(thread)
        raise TimeoutError
    return results[0]


def anything_at_work() -> bool:
    """Return whether abandoned threads are still running."""
    return any(thread.is_alive() for thread in (*_strays, *_left_behind))


def when_quiet(action: Callable[[], None]) -> None:
    """Run something at once or, if an interruption left threads running, after these have ended, in order.

    A notebook keeps running after Ctrl-C; what such a thread still writes must stay locked until it is done.
    """
    if not _strays:
        action()
        return
    _put_off.append(action)

    def wait() -> None:
        for thread in list(_strays):
            thread.join()
        _strays.clear()
        do_what_was_put_off()

    threading.Thread(target=wait, name="when-quiet", daemon=True).start()


def do_what_was_put_off() -> None:
    """Run at once what waits for threads to end: they have ended, or will with the process, immediately."""
    while _put_off:
        with suppress(IndexError):  # two threads may check at the same time
            _put_off.popleft()()


def run_beside(function: Callable[..., Item], *arguments: Any) -> Item:
    """Return `function(*arguments)`, run in a thread, so that Ctrl-C works while C code runs."""
    with beside(function, *arguments) as wait:
        return wait()
