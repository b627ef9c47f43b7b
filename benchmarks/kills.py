"""Kill commands before single renames, links, unlinks and folders of theirs, run them again, and count what is wrong.

    python -m benchmarks.kills FOLDER --kills 100 --seed 1

in a checkout, with its tests, on Linux. The commands of tests/killing.py take turns; each kill is followed by the
same command, after which codes, polygons, weights and the list of files must be those of an undisturbed run.
"""

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import PRELOADED_PYTHON, write_tiny_checkpoint
from tests.killing import COMMANDS, Kill, kills, write_inputs


@contextmanager
def preloaded(folder: Path) -> Iterator[None]:
    """Let processes begin with their imports done, as in the tests."""
    path = str(folder / "socket")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == b"ready\n"
        os.environ["LSAFNET_TEST_FORK_SERVER"] = path
        sys.executable = str(PRELOADED_PYTHON)
        yield
        server.stdin.close()


def in_turns(folder: Path, inputs: Path, count: int, seed: int) -> Iterator[Kill]:
    """Yield so many kills, of one command after the other, as long as they have steps."""
    running = {}
    for kind in COMMANDS:
        (folder / kind).mkdir()
        running[kind] = kills(kind, folder / kind, inputs, count, seed)
    done = 0
    while running:
        for kind in list(running):
            if done == count:
                return
            kill = next(running[kind], None)
            if kill is None:
                del running[kind]
                continue
            done += 1
            yield kill


def main() -> None:
    """Kill, and print a line for each kill and a table of all."""
    parser = argparse.ArgumentParser(description="Kill commands at steps of theirs and run them again.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True)
    counts: Counter[tuple[str, bool]] = Counter()
    with preloaded(folder):
        (folder / "inputs").mkdir()
        checkpoint = write_tiny_checkpoint(folder / "tiny.safetensors")
        inputs = write_inputs(folder / "inputs", checkpoint)
        for number, kill in enumerate(in_turns(folder, inputs, asked.kills, asked.seed), 1):
            print(
                f"{number}: {kill.kind}, step {kill.step} of {kill.steps}: {kill.fault or 'as undisturbed'}",
                flush=True,
            )
            counts[kill.kind, bool(kill.fault)] += 1
    for kind in COMMANDS:
        print(f"{counts[kind, False] + counts[kind, True]:4} kills, {counts[kind, True]} faults  {kind}")


if __name__ == "__main__":
    main()
