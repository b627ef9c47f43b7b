"""Background threads with bounded queues, and errors that reach whoever takes the items."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 0.1  # how soon a waiting thread notices that the other side has ended


class _End:
    """Marks the end of a queue; carries the error that ended it, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def run_ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Yield `items`, produced by a background thread, at most `depth` of them in advance.

    The thread starts at once, not when the first item is taken. An error raised by `items` is raised here in place of
    that item. Closing this generator ends the thread.
    """
    line = _Line[Item](depth)
    thread = threading.Thread(target=line.fill, args=(items,), name="run-ahead", daemon=True)
    thread.start()
    taken = _taken(line, thread)
    next(taken)  # up to its first yield, or closing it would leave the thread running
    return taken


def _taken(line: "_Line[Item]", thread: threading.Thread) -> Generator[Any, None, None]:
    try:
        yield None
        while not isinstance(item := line.take(), _End):
            yield item
            del item  # or it would be kept while waiting for the next one
        if item.error is not None:
            raise item.error
    finally:
        line.gone.set()
        thread.join()


class _Line(Generic[Item]):
    """Items produced by a thread and not yet taken; a place is reserved before an item is started."""

    def __init__(self, depth: int) -> None:
        self.gone = threading.Event()
        self._waiting: queue.SimpleQueue[Item | _End] = queue.SimpleQueue()
        self._places = threading.Semaphore(depth)

    def take(self) -> Item | _End:
        item = self._waiting.get()
        self._places.release()
        return item

    def fill(self, items: Iterable[Item]) -> None:
        end = _End()
        iterator = iter(items)
        try:
            while self._place_taken():
                self._waiting.put(next(iterator))
        except StopIteration:
            pass
        except BaseException as error:  # whatever it is, the waiting thread must not wait forever
            end = _End(error)
        finally:
            if close := getattr(iterator, "close", None):
                close()
            self._waiting.put(end)

    def _place_taken(self) -> bool:
        while not self.gone.is_set():
            if self._places.acquire(timeout=_POLL_SECONDS):
                return True
        return False


def run_in_lanes(
    work: Callable[[Item], Result], items: Iterable[Item], lanes: int
) -> Generator[Result, None, None]:
    """Yield `work(item)` of each item in order, computed by `lanes` threads; a single lane is this thread."""
    if lanes == 1:
        yield from map(work, items)
        return
    coming: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) > lanes:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


class Background(Generic[Item]):
    """Passes items to `work` in a background thread, in order; at most `depth` of them wait.

    The first error of `work` is raised by the next `put`, or on leaving the `with` block. If the block itself
    raises, waiting items are dropped.
    """

    def __init__(self, work: Callable[[Item], None], depth: int) -> None:
        self._work = work
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._gone.set()
        while self._thread.is_alive():
            with suppress(queue.Full):
                self._waiting.put(_End(), timeout=_POLL_SECONDS)
                break
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, item: Item) -> None:
        """Queue one item; blocks while `depth` items wait."""
        while self._error is None:
            with suppress(queue.Full):
                self._waiting.put(item, timeout=_POLL_SECONDS)
                return
        raise self._error

    def _run(self) -> None:
        while not isinstance(item := self._take(), _End):
            if self._gone.is_set() or self._error is not None:
                continue
            try:
                self._work(item)
            except BaseException as error:
                self._error = error

    def _take(self) -> Item | _End:
        """Return the next item. A Ctrl-C within `put` may lose the wake-up, so poll."""
        while True:
            with suppress(queue.Empty):
                return self._waiting.get(timeout=_POLL_SECONDS)
