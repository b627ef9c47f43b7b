"""A process that runs lsafnet on damaged files, so that whatever happens to it happens to nobody else.

It answers each line of JSON on stdin, {"folder": path} with "command": [...], "state_dict": path or "python": code,
with one on stdout: the exit code (-1 where an exception got out), all that was said on standard error, by Python and
by the libraries below it, and which files the folder holds that it did not hold before.
"""

import contextlib
import io
import json
import os
import resource
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from lsafnet.checkpoint.files import CheckpointError, load_state_dict_file
from lsafnet_cli.app import main

MOST_BYTES = 6 << 30  # of address space: no damaged header may take the machine's memory


def run(command: list[str]) -> tuple[int, str]:
    """Return the exit code and stderr of a command, -1 and the traceback where an exception got out.

    A report that something does not fit is a result on standard output, and counts as the one line.
    """
    said, printed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
        try:
            main(command)
        except SystemExit as left:
            reported = "lsafnet: reported\n" if left.code and printed.getvalue() else ""
            return int(left.code or 0), said.getvalue() + reported
        except BaseException:
            return -1, traceback.format_exc()
    return -1, "main came back"


def load(path: str) -> tuple[int, str]:
    """Return 0, or 5 and the message where a state dict is refused."""
    try:
        load_state_dict_file(path)
    except CheckpointError as error:
        return 5, f"lsafnet: {error}\n"
    except BaseException:
        return -1, traceback.format_exc()
    return 0, ""


def execute(code: str) -> tuple[int, str]:
    """Run a piece of Python, to see what becomes of the process."""
    try:
        exec(code)
    except Exception:
        return -1, traceback.format_exc()
    return 0, ""


JOBS = {"command": run, "state_dict": load, "python": execute}


def answer(job: dict[str, Any], answers: TextIO) -> None:
    """Do one job and say what became of it; remove the files that are new at the top of the folder."""
    os.chdir(job.pop("folder"))
    os.ftruncate(2, 0)
    before = set(Path.cwd().iterdir())
    ((kind, what),) = job.items()
    code, said = JOBS[kind](what)
    left = sorted(set(Path.cwd().iterdir()) - before)
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    below = Path("/proc/self/fd/2").read_text(encoding="utf-8", errors="replace")
    names = [path.name for path in left]
    print(json.dumps({"code": code, "said": said + below, "left": names}), file=answers, flush=True)


def serve() -> None:
    """Answer until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not come between the answers
    for line in sys.stdin:
        answer(json.loads(line), answers)


if __name__ == "__main__":
    serve()
