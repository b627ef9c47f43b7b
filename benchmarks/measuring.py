"""One `lsafnet` command as a process of its own: seconds, processor seconds, peak memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence


def measure_command(words: Sequence[object]) -> tuple[float, float, float]:
    """Return seconds, processor seconds and peak memory (MB) of one `lsafnet` command, from the start of Python.

    Raises RuntimeError where it fails.
    """
    command = [sys.executable, "-m", "lsafnet_cli.app", *map(str, words)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with exit code {process.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
