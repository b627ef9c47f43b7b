"""A two-way connection to a child process, on every operating system."""

import os
import subprocess
import sys
from multiprocessing import Pipe, connection as connections
from multiprocessing.connection import Connection
from typing import Any

WINDOWS = sys.platform == "win32"


def start_connected(
    command: list[str], **settings: Any
) -> "tuple[subprocess.Popen[bytes], Connection[Any, Any]]":
    """Start a command with one more argument, a number; return its process and this end of the connection.

    The child calls `connect` with the number; it reads an end of file when this process has ended.
    """
    ours, theirs = Pipe()
    number = theirs.fileno()
    try:
        process = subprocess.Popen([*command, str(number)], **settings, **_inheriting(number))
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def connect(number: int) -> "Connection[Any, Any]":
    """Return the child's end of the connection of that number."""
    kind = "PipeConnection" if WINDOWS else "Connection"
    opened: Connection[Any, Any] = getattr(connections, kind)(number)
    return opened


def _inheriting(number: int) -> dict[str, Any]:
    """Return the arguments of Popen that pass this file descriptor, or on Windows this handle, to the child."""
    if not WINDOWS:
        return {"pass_fds": [number]}
    getattr(os, "set_handle_inheritable")(number, True)  # noqa: B009 (typed for Windows alone, as is STARTUPINFO)
    start = getattr(subprocess, "STARTUPINFO")()  # noqa: B009
    start.lpAttributeList = {"handle_list": [number]}
    return {"startupinfo": start}
