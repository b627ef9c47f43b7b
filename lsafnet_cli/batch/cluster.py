"""Batches on a Ray cluster: scenes, and row bands of huge scenes, are Ray tasks.

Ray schedules them, on GPUs if the cluster has any, and retries them elsewhere when a node is lost. All nodes
must have the images and the batch's folder under the same paths.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from lsafnet_cli.batch.backlog import Backlog
from lsafnet_cli.batch.messages import Message, Said, SceneOutcome, Task, WorkerSetup
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.records import FAILED, SceneRecord
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.batch.sharing import SharedScenes
from lsafnet_cli.errors import DeviceError, OptionError, one_line, reason_of

POLL_SECONDS = 0.5
RETRIES = 3  # of a task whose node or process is lost
LEAST_FLYING = 16  # tasks that the cluster is given at once, so that one that grows with its load sees some
TIMES_SLOTS = 2
Listen = Callable[[Message], None]


class RayWorkers:
    """Runs tasks on a cluster; `heights` are the scenes' rows by name, 0 where not known."""

    def __init__(self, setup: WorkerSetup, listen: Listen, heights: Mapping[str, int]) -> None:
        self._listen, self._ours = listen, False
        self._ray = import_ray()
        self._setup = on_all_nodes(setup)
        self._shared = SharedScenes(self._setup, heights)
        self._flying: dict[Any, Task] = {}

    def __enter__(self) -> Self:
        ray, options = self._ray, self._setup.options
        if not ray.is_initialized():
            try:
                ray.init(
                    address=options.ray, log_to_driver=False, logging_level="warning", include_dashboard=False
                )
            except Exception as error:  # Ray raises bare ones where a node does not start in time
                raise DeviceError(f"`ray` {options.ray}: no cluster responds ({reason_of(error)})") from error
            self._ours = True
        resources = ray.cluster_resources()
        cards, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        self._setup = replace(self._setup, device="cuda" if cards else "cpu")
        self._most = max(LEAST_FLYING, TIMES_SLOTS * (cards or cores))
        self._remote = ray.remote(num_cpus=1, num_gpus=1 if cards else 0, max_retries=RETRIES)(do_task)
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._flying:
            self._ray.cancel(reference, force=True)
        self._shared.close()
        if self._ours:
            self._ray.shutdown()

    def run(self, backlog: Backlog) -> Iterator[SceneOutcome]:
        """Yield the outcome of each scene, until none is left."""
        ready: deque[Task | SceneOutcome] = deque()
        while backlog or ready or self._flying:
            while len(self._flying) < self._most and (task := self._next(ready, backlog)) is not None:
                if isinstance(task, SceneOutcome):
                    yield task
                else:
                    self._flying[self._remote.remote(self._setup, task)] = task
            if not self._flying:
                time.sleep(POLL_SECONDS)
                continue
            landed, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=POLL_SECONDS)
            for reference in landed:
                outcome = self._result(reference, self._flying.pop(reference))
                following = self._shared.follow(outcome)
                if isinstance(following, SceneOutcome):
                    yield following
                elif following is not None:
                    ready.append(following)

    def _next(self, ready: deque[Task | SceneOutcome], backlog: Backlog) -> Task | SceneOutcome | None:
        if ready:
            return ready.popleft()
        task = backlog.take()
        if task is None:
            return None
        ready.extend(self._shared.share_out(replace(task, spec=absolute(task.spec))))
        return ready.popleft()

    def _result(self, reference: Any, task: Task) -> SceneOutcome:
        try:
            *said, outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            text = f"the cluster gave up this task: {one_line(error)[:300]}"
            if task.parts is not None:
                return SceneOutcome(task, error=text)
            return SceneOutcome(
                task, SceneRecord.of(task.spec, FAILED, error=text, exit_code=DeviceError.exit_code)
            )
        for message in said:
            self._listen(message)
        assert isinstance(outcome, SceneOutcome)
        return outcome


def do_task(setup: WorkerSetup, task: Task) -> list[Message]:
    """Do a task in a process of the cluster; return what it had to say and, last, its outcome."""
    messages: list[Message] = []
    runner_of(setup)(task, messages)
    return [*(message for message in messages if isinstance(message, Said)), messages[-1]]


@lru_cache(maxsize=1)
def runner_of(setup: WorkerSetup) -> Callable[[Task, list[Message]], None]:
    """Return what does tasks in this process; it keeps the network for the next one."""
    from lsafnet_cli.batch.work import SceneRunner  # here, for the process of the batch needs no network

    waiting: list[Message] = []
    runner = SceneRunner(setup, waiting.append, beside=False)

    def run(task: Task, messages: list[Message]) -> None:
        waiting.clear()
        runner.do(task)
        messages.extend(waiting)

    return run


def import_ray() -> Any:
    """Return the module. Raises OptionError where the extra is not installed."""
    try:
        import ray
    except ImportError:
        raise OptionError('`ray` needs Ray: pip install "lsafnet[ray]"') from None
    return ray


def absolute(spec: SceneSpec) -> SceneSpec:
    """Return a scene whose files have the same names on every node."""
    before, after = (_absolute(name) for name in (spec.before, spec.after))
    return replace(spec, before=before, after=after, aoi=spec.aoi and _absolute(spec.aoi))


def _absolute(name: str) -> str:
    return name if "://" in name or name.startswith("/vsi") else str(Path(name).absolute())


def on_all_nodes(setup: WorkerSetup) -> WorkerSetup:
    """Return a setup whose files have the same names on every node."""
    from lsafnet_cli.checkpoints.choose import chosen_checkpoint, shipped_checkpoint
    from lsafnet_cli.scenes.masks import NAMED

    options: BatchOptions = setup.options
    chosen, read = chosen_checkpoint(options.predict.checkpoint), options.predict.read
    masks = tuple(str(name) if name in NAMED else _absolute(str(name)) for name in read.cloud_masks)
    predict = replace(
        options.predict,
        checkpoint=None if chosen == shipped_checkpoint() else chosen.absolute(),
        ensemble=tuple(Path(path).absolute() for path in options.predict.ensemble),
        read=replace(
            read,
            aoi=read.aoi and _absolute(str(read.aoi)),
            exclude=read.exclude and _absolute(str(read.exclude)),
            cloud_masks=masks,
        ),
    )
    return replace(setup, options=replace(options, predict=predict))
