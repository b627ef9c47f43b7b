"""Processes without their imports: a server that has loaded torch, GDAL and lsafnet forks one for each command.

    python -m tests.fork_server SOCKET

serves until its standard input ends. `tests/preloaded_python` is what is run in place of Python: it hands its
arguments, folder, environment, limits and open files over to the server, passes signals on, and ends as the forked
process ends, so that `subprocess` needs no change. A process that is killed takes the forked one with it. Rights
that a process has given up are not handed over.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from tests import kills

MOST_FILES = 64
MOST_BYTES = 1 << 20


def preload() -> None:
    """Import what nearly every command imports."""
    import fiona  # noqa: F401
    import pyogrio  # noqa: F401
    import scipy.ndimage
    import scipy.sparse.csgraph  # noqa: F401
    import torch  # noqa: F401

    import lsafnet_cli.app
    import lsafnet_cli.batch.driver
    import lsafnet_cli.batch.worker
    import lsafnet_cli.commands.predict
    import lsafnet_cli.prediction.pipeline
    import lsafnet_cli.terminal.console  # noqa: F401


def serve(path: str) -> None:
    """Fork for every connection; tell its client the process number, then how the process has ended."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(path)
    listening.listen(64)
    print("ready", flush=True)
    clients: dict[socket.socket, int] = {}  # their processes
    watched: dict[int, socket.socket] = {}  # process descriptor -> client
    while True:
        ready = select.select([sys.stdin.fileno(), listening, *watched, *clients], [], [])[0]
        if sys.stdin.fileno() in ready:
            return
        for ended in [file for file in ready if file in watched]:
            client = watched.pop(ended)
            _finish(ended, clients.pop(client, 0), client)
        for client in [file for file in ready if file in clients]:  # it has ended before its process: killed
            os.kill(clients.pop(client), signal.SIGKILL)
        if listening in ready:
            client, _ = listening.accept()
            if pid := _fork(client, listening):
                clients[client], watched[os.pidfd_open(pid)] = pid, client


def _finish(ended: int, pid: int, client: socket.socket) -> None:
    """Tell how a process has ended, unless its client was killed meanwhile."""
    result = os.waitid(os.P_PIDFD, ended, os.WEXITED)
    os.close(ended)
    if pid and result is not None:
        code = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
        with contextlib.suppress(OSError):
            client.send(str(code).encode())
    client.close()


def _fork(client: socket.socket, listening: socket.socket) -> int:
    """Return the number of the process that does what the client asks for; 0 where it has ended before asking."""
    message, files, _, _ = socket.recv_fds(client, MOST_BYTES, MOST_FILES)
    if not message:
        client.close()
        return 0
    if pid := os.fork():
        for file in files:
            os.close(file)
        with contextlib.suppress(OSError):  # where it has ended meanwhile, which the next turn sees
            client.send(str(pid).encode())
        return pid
    code = 1
    try:
        client.close()
        listening.close()
        job = json.loads(message)
        _become(job, files)
        code = _run(job["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    import threading

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120  # as Python itself ends
    os._exit(code)


def _become(job: dict[str, Any], files: list[int]) -> None:
    """Take over the folder, environment, limits and open files of the client."""
    high = [os.dup(file) for file in _above(files, job["numbers"])]
    for file, number in zip(high, job["numbers"], strict=True):
        os.dup2(file, number, inheritable=True)
    for file in {*files, *high} - set(job["numbers"]):
        os.close(file)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    os.umask(job["umask"])
    for name, limits in job["limits"].items():
        resource.setrlimit(getattr(resource, name), tuple(limits))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, buffering=1, closefd=False)  # noqa: SIM115
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    sys.executable = job["executable"]
    added = [folder for folder in job["environment"].get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:] = [str(Path.cwd()), *added, *sys.path]
    if kills.VARIABLE in os.environ:
        kills.arm()


def _above(files: list[int], numbers: list[int]) -> list[int]:
    """Return the files; none of them lies where another is to go."""
    import fcntl

    first = max([*numbers, *files]) + 1
    return [fcntl.fcntl(file, fcntl.F_DUPFD, first) for file in files]


def _run(arguments: list[str]) -> int:
    arguments = [word for word in arguments[:1] if word != "-u"] + arguments[
        1:
    ]  # as torchrun starts its processes
    kind, what, *rest = arguments if arguments[0] in ("-m", "-c") else ("", *arguments)
    sys.argv = [what if kind != "-c" else "-c", *rest]
    try:
        if kind == "-m":
            sys.modules.pop(what, None)  # it is run anew, as __main__
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        elif kind == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.path.insert(0, str(Path(what).resolve().parent))
            runpy.run_path(what, run_name="__main__")
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    preload()
    serve(sys.argv[1])
