"""Work in another Python process."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

Item = TypeVar("Item")


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
    command = [sys.executable, "-c", "from lsafnet_cli.system.apart import _serve; _serve()"]
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
