"""The `lsafnet` program as a child process: finding it, starting it, watching it, stopping it. Without QGIS."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable, Mapping

from lsafnet_processing.progress import Event, read_event

WINDOWS = sys.platform == "win32"
NAME = "lsafnet.exe" if WINDOWS else "lsafnet"
PLACES = ("", "bin", "Scripts", ".venv/bin", ".venv/Scripts", "venv/bin", "venv/Scripts")
"""Where the program lies in the folder of an environment, or of a project with one inside."""
QGIS_ONLY = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV",
    "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "GDAL_FILENAME_IS_UTF8",
)  # fmt: skip
"""Variables that point a program of another environment to QGIS's own Python, GDAL and PROJ."""
NO_BLACK_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_TO_LEAVE = 10.0


class ProgramError(Exception):
    """The program is missing, or cannot be started."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, what stood on stdout, the last line that was an error, whether it was stopped."""

    code: int
    stdout: str
    error: str
    cancelled: bool


def find_program(setting: str, path: str | None = None) -> Path:
    """Return the program that the setting names (itself, or its environment's folder), else the one on `path`.

    Raises ProgramError.
    """
    if not setting.strip():
        found = shutil.which("lsafnet", path=path)
        if found is None:
            raise ProgramError(
                "the lsafnet program was not found: install it (pip install lsafnet), then name it or its "
                "environment's folder under Settings > Options > Processing > Providers > lsafnet"
            )
        return Path(found)
    named = Path(setting.strip().strip('"')).expanduser()
    tries = [named] if named.is_file() else [named / place / NAME for place in PLACES]
    for candidate in tries:
        if candidate.is_file():
            return candidate
    raise ProgramError(f"{named}: neither the lsafnet program nor the folder of an environment that holds it")


def child_environment(mine: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program that is not QGIS's: without what belongs to QGIS, with UTF-8 pipes."""
    kept = {name: value for name, value in mine.items() if name.upper() not in QGIS_ONLY}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "120"}


def run_program(
    command: list[str],
    take: Callable[[Event], None],
    cancelled: Callable[[], bool],
    folder: str | None = None,
) -> Ended:
    """Run a command to its end; `take` gets each line of its stderr, `cancelled` is asked all the while.

    Raises ProgramError where it cannot be started.
    """
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env=child_environment(os.environ), encoding="utf-8", errors="replace",
            start_new_session=not WINDOWS, creationflags=NO_BLACK_WINDOW,
        )  # fmt: skip
    except OSError as error:
        raise ProgramError(f"{command[0]}: cannot be started ({error.strerror})") from error
    lines: queue.Queue[str | None] = queue.Queue()
    result: list[str] = []
    readers = [
        threading.Thread(target=_read_lines, args=(child.stderr, lines), daemon=True),
        threading.Thread(target=lambda: result.append(_all_of(child.stdout)), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        last_error, stopped = _watch(child, lines, take, cancelled)
    finally:
        stop(child)
        for reader in readers:
            reader.join(SECONDS_TO_LEAVE)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()
    return Ended(child.returncode, "".join(result), last_error, stopped)


def _watch(
    child: subprocess.Popen[str],
    lines: queue.Queue[str | None],
    take: Callable[[Event], None],
    cancelled: Callable[[], bool],
) -> tuple[str, bool]:
    """Pass lines on until there are no more, or until somebody cancels; return the last error and whether so."""
    error = ""
    while True:
        if cancelled():
            return error, True
        try:
            line = lines.get(timeout=SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            continue
        if line is None:
            child.wait()
            return error, False
        event = read_event(line)
        if event.kind == "error":
            error = event.text
        take(event)


def stop(child: subprocess.Popen[str]) -> None:
    """Let a child end as Ctrl-C would, so that it keeps what can be resumed; then end it and its own children."""
    if child.poll() is not None:
        return
    if WINDOWS:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True, check=False)
    else:
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            _signal_group(child.pid, sign)
            if _ended_within(child, SECONDS_TO_LEAVE):
                break
    child.wait()


def _signal_group(pid: int, sign: int) -> None:
    try:
        os.killpg(pid, sign)
    except (ProcessLookupError, PermissionError):  # it ended meanwhile
        return


def _ended_within(child: subprocess.Popen[str], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while child.poll() is None and time.monotonic() < end:
        time.sleep(SECONDS_BETWEEN_LOOKS / 2)
    return child.poll() is not None


def _read_lines(stream: IO[str] | None, lines: queue.Queue[str | None]) -> None:
    for line in stream or ():
        lines.put(line)
    lines.put(None)


def _all_of(stream: IO[str] | None) -> str:
    return stream.read() if stream is not None else ""
