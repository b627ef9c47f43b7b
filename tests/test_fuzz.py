"""Damaged files, thousands of kinds of them: never a traceback, a crash or a hang, never a file left behind.

`python -m benchmarks.fuzz FOLDER` tries thousands; here, each command meets each kind of file a few times.
"""

from collections.abc import Iterator
from random import Random

import pytest

from lsafnet_cli.errors import BATCH_EXIT_CODE

from .crashes import CRASHES
from .fuzzing import Worker, WorkerError, World, damaged, fault_of, random_changes, targets

TRIES = 4
TARGETS = targets()


@pytest.fixture(scope="module")
def world(tmp_path_factory, tiny_checkpoint) -> World:
    return World(tmp_path_factory.mktemp("fuzz"), tiny_checkpoint)


@pytest.fixture(scope="module")
def worker(world) -> Iterator[Worker]:
    worker = Worker(world.folder)
    yield worker
    worker.stop()


@pytest.mark.parametrize("name", CRASHES)
def test_what_once_ended_in_a_traceback_ends_as_it_should(world, worker, name):
    content = world.content(name, TARGETS[name])
    found = worker.ask(TARGETS[name].job, world.prepare(TARGETS[name], content))
    assert found["code"] == CRASHES[name].code, found["said"]
    assert fault_of(found, TARGETS[name].codes) is None, found["said"]


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in CRASHES])
def test_a_whole_file_is_read(world, worker, name):
    found = worker.ask(TARGETS[name].job, world.prepare(TARGETS[name], world.content(name, TARGETS[name])))
    unfinished = BATCH_EXIT_CODE if name == "records of a batch" else 0
    assert (found["code"], fault_of(found, TARGETS[name].codes)) == (unfinished, None), found["said"]


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_is_read_or_one_line(world, worker, name):
    draw = Random(name)
    content = world.content(name, TARGETS[name])
    for _ in range(TRIES):
        changes = random_changes(draw, len(content))
        found = worker.ask(TARGETS[name].job, world.prepare(TARGETS[name], damaged(content, changes)))
        assert fault_of(found, TARGETS[name].codes) is None, (changes, found)


def test_the_worker_tells_a_crash_and_a_hang_from_an_answer(world):
    worker, folder = Worker(world.folder), world.folder / "now"
    folder.mkdir(exist_ok=True)
    assert fault_of(worker.ask({"python": "pass"}, folder), frozenset({0})) is None
    with pytest.raises(WorkerError, match="crashed with exit code -6"):
        worker.ask({"python": "import os; os.abort()"}, folder)
    worker.hanging_seconds = 0.3
    with pytest.raises(WorkerError, match="it hangs"):
        worker.ask({"python": "while True: pass"}, folder)
    worker.hanging_seconds = 10
    assert fault_of(worker.ask({"python": "1 / 0"}, folder), frozenset({0})) == "exit code -1"
    warns = worker.ask({"python": "import warnings; warnings.warn('odd')"}, folder)
    assert fault_of(warns, frozenset({0})) in ("more than one line", "another line")
    worker.stop()
