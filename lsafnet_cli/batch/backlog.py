"""Queue of tasks: their order, retries, and scenes locked by other runs."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from lsafnet_cli.batch.messages import Task

LOOKING_SECONDS = 0.5  # between two looks at a scene that another run holds


class Backlog:
    """Waiting tasks. Those locked by another run are tried again when nothing else is left."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = deque(tasks)
        self._held: deque[tuple[float, Task]] = deque()

    def __len__(self) -> int:
        return len(self._tasks) + len(self._held)

    def take(self) -> Task | None:
        """Return the next task, None where there is none, or none yet."""
        if self._tasks:
            return self._tasks.popleft()
        if self._held and self._held[0][0] <= time.monotonic():
            return self._held.popleft()[1]
        return None

    def peek(self) -> Task | None:
        """Return the task that is next in any case, without taking it."""
        return self._tasks[0] if self._tasks else None

    def add_first(self, task: Task) -> None:
        """Let a task be the next one."""
        self._tasks.appendleft(task)

    def again(self, task: Task) -> None:
        """Let a task whose worker died be the next one."""
        self._tasks.appendleft(replace(task, attempt=task.attempt + 1))

    def later(self, task: Task) -> None:
        """Look at a task again in a while."""
        self._held.append((time.monotonic() + LOOKING_SECONDS, task))

    def clear(self) -> None:
        """Drop everything."""
        self._tasks.clear()
        self._held.clear()
