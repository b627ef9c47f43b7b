"""A process that kills itself, and its fellows, before its N-th rename, unlink, link, mkdir or rmdir below a folder.

`LSAFNET_TEST_KILL_AT="N:FOLDER"` arms every process that the fork server makes (tests/fork_server.py); N = 0 only
counts. The steps of all processes together are counted in the file FOLDER.steps, their numbers in FOLDER.processes.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

VARIABLE = "LSAFNET_TEST_KILL_AT"
STEPS = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir")


def arm() -> None:
    """Count the steps of this process from now on, and kill all that are armed before the chosen one."""
    number, folder = os.environ[VARIABLE].split(":", 1)
    steps, processes = (
        os.open(f"{folder}.{what}", os.O_CREAT | os.O_APPEND | os.O_RDWR) for what in ("steps", "processes")
    )
    os.write(processes, f"{os.getpid()}\n".encode())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in STEPS or not str(Path.cwd() / os.fsdecode(arguments[0])).startswith(folder):
            return
        os.write(steps, b".")
        if os.fstat(steps).st_size == int(number):
            kill_all(processes)

    sys.addaudithook(hook)


def kill_all(processes: int) -> None:
    """Kill the others first, for they would see their fellow go."""
    os.lseek(processes, 0, os.SEEK_SET)
    others = {int(line) for line in os.read(processes, 1 << 16).split()} - {os.getpid()}
    for other in (*others, os.getpid()):
        try:
            os.kill(other, signal.SIGKILL)
        except ProcessLookupError:
            continue
