"""Background threads with bounded queues, and errors that reach the caller who waits for the result."""

import pickle
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from types import ModuleType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 0.1  # how soon a waiting thread notices that the other side has ended
_FAREWELL_SECONDS = 0.5  # after an interruption, for work that is nearly done
_strays: set[threading.Thread] = set()  # still running after their block was interrupted
_left_behind: set[threading.Thread] = set()  # that took too long
_put_off: deque[Callable[[], None]] = deque()  # until they have ended


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


@contextmanager
def without_main_module() -> Iterator[None]:
    """Keep processes spawned meanwhile from importing the main script again: it may have no __main__ guard.

    Objects passed to them must come from modules.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def apart(function: Callable[..., Item], *arguments: Any) -> Iterator[Callable[[], Item]]:
    """Start `function(*arguments)` in a new Python process; yield a call that waits for its result.

    For C code that holds the interpreter lock for long. Function, arguments and result are pickled; errors of the
    function are raised by the call. A block left by an error or an interruption ends the process at once.
    """
    command = [sys.executable, "-c", "from lsafnet_cli.system.background import _serve; _serve()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError), process.stdin as pipe:  # the exit code shows that the child died
                pipe.write(pickle.dumps((function, arguments)))
            yield partial(_answer_of, process, function.__name__)
        except BaseException:
            process.kill()
            raise


def _answer_of(process: subprocess.Popen[bytes], name: str) -> Any:
    assert process.stdout is not None
    answer = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError(f"{name} ended with exit code {process.returncode}")
    result, error = pickle.loads(answer)  # noqa: S301 - written by this program's own child
    if error is not None:
        raise error
    return result


def _serve() -> None:
    function, arguments = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by the parent
    result, error = None, None
    try:
        result = function(*arguments)
    except Exception as raised:
        error = raised
    sys.stdout.buffer.write(pickle.dumps((result, error)))
