"""The workers of one machine: one process for each device; idle ones take the next scene."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

from lsafnet_cli.batch.backlog import Backlog
from lsafnet_cli.batch.folder import BatchFolder
from lsafnet_cli.batch.messages import Begun, Free, Message, Said, SceneOutcome, Task, WorkerSetup
from lsafnet_cli.batch.records import FAILED, SceneRecord
from lsafnet_cli.batch.worker_devices import threads_each
from lsafnet_cli.errors import DeviceError
from lsafnet_cli.system.pipes import start_connected

POLL_SECONDS = 0.2
MOST_FALSE_STARTS = 3  # workers in a row that die before they are ready
Listen = Callable[[Message], None]


class Worker:
    """One process, and the tasks that it has been given and has not told the outcome of."""

    def __init__(self, number: int, setup: WorkerSetup) -> None:
        self.number, self.setup = number, setup
        self.log = BatchFolder(setup.folder).logs / f"worker-{os.getpid()}-{number}.txt"
        self.tasks: list[Task] = []
        self.begun: list[Task] = []
        self.free = self.ready = False
        command = [sys.executable, "-m", "lsafnet_cli.batch.worker"]
        threads = {"OMP_NUM_THREADS": str(setup.threads)} if setup.threads is not None else {}
        with self.log.open("ab") as log:
            self.process, self.connection = start_connected(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **threads}
            )
        self._send(setup)

    def give(self, task: Task) -> None:
        """Give it a task."""
        self.tasks.append(task)
        self.free = False
        self._send(task)

    def _send(self, value: WorkerSetup | Task | None) -> None:
        with suppress(OSError):  # it has died; that is seen where it is listened to
            self.connection.send(value)

    def end(self) -> None:
        """End it at once; the finished part of its scene is kept, so that it can be resumed."""
        self.connection.close()
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            if self.log.stat().st_size == 0:
                self.log.unlink()

    def fate(self) -> str:
        """Return how the process ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        code = self.process.poll()
        return (
            f"was killed by signal {-code}"
            if code is not None and code < 0
            else f"ended with exit code {code}"
        )


class WorkerPool:
    """Runs tasks in worker processes; one that dies is replaced, and its scenes are retried, each alone."""

    def __init__(self, setup: WorkerSetup, devices: list[str], listen: Listen) -> None:
        threads = threads_each(devices)
        self._setups = [replace(setup, device=device, threads=threads) for device in devices]
        self._listen = listen
        self._workers: list[Worker] = []
        self._false_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def run(self, backlog: Backlog) -> Iterator[SceneOutcome]:
        """Yield the outcome of each task, until none is left. Raises DeviceError where no worker can start."""
        for number, setup in enumerate(self._setups[: len(backlog)], start=1):
            self._workers.append(Worker(number, setup))
        while backlog or any(worker.tasks for worker in self._workers):
            self._hand_out(backlog)
            by_connection = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(by_connection), timeout=POLL_SECONDS):
                yield from self._take(by_connection[connection], backlog)  # type: ignore[index]

    def _hand_out(self, backlog: Backlog) -> None:
        for worker in self._workers:
            coming = backlog.peek()
            if not worker.free or any(task.attempt > 1 for task in worker.tasks):
                continue
            if worker.tasks and coming is not None and coming.attempt > 1:
                continue  # what may have killed a worker is alone, so that it can take nothing else along
            task = backlog.take()
            if task is not None:
                worker.give(task)

    def _take(self, worker: Worker, backlog: Backlog) -> Iterator[SceneOutcome]:
        try:
            message: Message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._replace(worker, backlog)
            return
        if isinstance(message, Free):
            worker.free = worker.ready = True
            self._false_starts = 0
        elif isinstance(message, Begun):
            worker.begun.append(message.task)
        elif isinstance(message, SceneOutcome):
            worker.tasks.remove(message.task)
            yield message
        else:
            self._listen(message)

    def _replace(self, worker: Worker, backlog: Backlog) -> Iterator[SceneOutcome]:
        fate, log = worker.fate(), worker.log
        worker.end()
        self._workers.remove(worker)
        self._false_starts += not worker.ready
        if self._false_starts >= MOST_FALSE_STARTS:
            raise DeviceError(f"no worker could start: the last one {fate}; {_last_line(log)}")
        most = worker.setup.options.attempts
        for task in reversed(worker.tasks):
            if task not in worker.begun:
                backlog.add_first(task)
            elif task.attempt < most:
                self._listen(Said(f"worker {fate}; retrying this scene", task.spec.name))
                backlog.again(task)
            else:
                yield SceneOutcome(task, self._lost(worker, task, fate))
        if backlog or any(other.tasks for other in self._workers):
            self._workers.append(Worker(worker.number, worker.setup))

    def _lost(self, worker: Worker, task: Task, fate: str) -> SceneRecord:
        log = worker.log.relative_to(worker.setup.folder).as_posix() if worker.log.exists() else ""
        text = f"worker {fate}, {task.attempt} times; out of memory, or a damaged file?"
        return SceneRecord.of(task.spec, FAILED, error=text, exit_code=DeviceError.exit_code, log=log)


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
    return "it said nothing"
