"""Running a batch: plan, distribute, record, merge. The failure of one scene never stops the others."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsafnet_cli.batch.backlog import Backlog
from lsafnet_cli.batch.folder import INDEX, MERGED_POLYGONS, MOSAIC, TABLES, BatchFolder
from lsafnet_cli.batch.index import write_index
from lsafnet_cli.batch.merge import merge_outputs
from lsafnet_cli.batch.messages import Advance, Message, Said, SceneOutcome, Task, WorkerSetup
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.plan import BatchPlan, plan_batch
from lsafnet_cli.batch.records import FAILED, RUNNING, WAITING, RecordTables, SceneRecord, counts
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.batch.worker_devices import worker_devices
from lsafnet_cli.batch.workers import WorkerPool
from lsafnet_cli.checkpoints.choose import chosen_checkpoint, default_notice
from lsafnet_cli.errors import BATCH_EXIT_CODE, LsafnetError, OutputError, one_line
from lsafnet_cli.observer import Observer, watched


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What `run_batch` returns: the records of its scenes, and how many of them this run itself did."""

    folder: str
    records: tuple[SceneRecord, ...]
    done_now: int
    outputs: dict[str, str]
    seconds: float
    version: str

    @property
    def failures(self) -> list[SceneRecord]:
        """The records of the scenes that failed."""
        return [record for record in self.records if record.status == FAILED]

    @property
    def exit_code(self) -> int:
        """0 where every scene is done, else 8."""
        found = counts(self.records)
        return 0 if found["done"] == len(self.records) else BATCH_EXIT_CODE

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return {
            "folder": self.folder, "counts": counts(self.records), "done_now": self.done_now,
            "outputs": self.outputs, "seconds": self.seconds, "version": self.version,
            "scenes": [record.as_dict() for record in self.records],
        }  # fmt: skip


def run_batch(
    scenes: Sequence[SceneSpec],
    folder: str | Path,
    options: BatchOptions | None = None,
    observer: Observer | None = None,
    plan: BatchPlan | None = None,
) -> BatchReport:
    """Do what is missing, failed or changed among some scenes, and write the tables and merged files of all.

    `plan` is what `plan_batch` returned for the same scenes, where that has been called. Raises a subclass of
    LsafnetError for what concerns the whole batch; what concerns one scene stands in its record.
    """
    options, observer = options or BatchOptions(), observer or Observer()
    plan = plan or plan_batch(scenes, Path(folder), options)
    home = BatchFolder(Path(folder))
    refuse_replacing(plan, home, options)
    home.create()
    home.claim(own_tables(home, options), options.predict.output.overwrite)
    start = time.perf_counter()
    batch = RunningBatch(plan, home, options, observer)
    try:
        batch.run()
    finally:
        batch.tables.write(batch.ordered())
    outputs = batch.table_names()
    if options.shard is None:
        outputs |= merge_outputs(home, batch.ordered(), options.mosaic, observer.notice)
    if options.shard is None and (options.pages or home.owns(INDEX)):
        outputs |= write_index(home, batch.ordered(), observer.notice)
    if batch.done_now and (notice := default_notice(options.predict.checkpoint)):
        observer.notice(notice)
    seconds = round(time.perf_counter() - start, 3)
    return BatchReport(
        str(folder), tuple(batch.ordered()), batch.done_now, outputs, seconds, version("lsafnet")
    )


def refuse_replacing(plan: BatchPlan, folder: BatchFolder, options: BatchOptions) -> None:
    """Raise OutputError where maps that are done with other options would be replaced without `overwrite`."""
    wishes = [scene.changed_wishes for scene in plan.scenes if scene.changed_wishes]
    if wishes and not options.predict.output.overwrite:
        changed = ", ".join(dict.fromkeys(name for names in wishes for name in names))
        raise OutputError(
            f"{folder.path}: {len(wishes):,} of its scenes are done, and {changed} changed since: add `overwrite` to "
            "do them again, or name another folder"
        )


def own_tables(folder: BatchFolder, options: BatchOptions) -> list[Path]:
    """Return the files of a batch as a whole that a run writes, but for the index, which is told by its own mark."""
    stem = TABLES if options.shard is None else f"{TABLES}.{options.shard}"
    names = [f"{stem}.csv", f"{stem}.json"]
    if options.shard is None:
        names += [MERGED_POLYGONS, *([MOSAIC] if options.mosaic else [])]
    return [folder.path / name for name in names]


class RunningBatch:
    """The records of a run, kept while outcomes come in."""

    def __init__(
        self, plan: BatchPlan, folder: BatchFolder, options: BatchOptions, observer: Observer
    ) -> None:
        self._plan, self._folder, self._options, self._observer = plan, folder, options, observer
        self._pixels = {scene.spec.name: scene.size.pixels for scene in plan.scenes}
        self._records = {
            scene.spec.name: SceneRecord.of(scene.spec, WAITING)
            if scene.reasons or scene.state is None
            else scene.state.record
            for scene in plan.scenes
        }
        shard = options.shard
        self._stem = folder.path / (TABLES if shard is None else f"{TABLES}.{shard}")
        about = {
            "version": version("lsafnet"), "checkpoint": chosen_checkpoint(options.predict.checkpoint).name,
            "checkpoint_sha256": plan.sha256, "shard": shard and str(shard), "all_scenes": plan.all_names,
            "pages": options.pages,
        }  # fmt: skip
        self.tables = RecordTables(self._stem, about, folder.write_table)
        self.done_now = 0
        self._said: set[str] = set()
        self._told: Counter[str] = Counter()  # pixels, by scene

    def ordered(self) -> list[SceneRecord]:
        """Return the records in the order of the scenes."""
        return list(self._records.values())

    def table_names(self) -> dict[str, str]:
        """Return the names of the two tables."""
        return {kind: f"{self._stem}.{kind}" for kind in ("csv", "json")}

    def run(self) -> None:
        """Compute the pending scenes."""
        todo, observer = self._plan.todo, self._observer
        for scene in todo:
            if scene.state is not None:
                again = "is completed" if scene.only_more else "is done again"
                observer.notice(f"{scene.spec.name} {again}: {', '.join(scene.reasons)}")
        with watched(observer, "batch", self._plan.pixels, items=len(todo)):
            if todo:
                backlog = Backlog(Task(scene.spec) for scene in todo)
                with self._workers() as run:
                    self._follow(run(backlog), backlog)

    @contextmanager
    def _workers(self) -> Iterator[Callable[[Backlog], Iterator[SceneOutcome]]]:
        options = self._options
        setup = WorkerSetup(self._folder.path.resolve(), options, self._plan.sha256, "auto")
        if options.ray is not None:
            from lsafnet_cli.batch.cluster import RayWorkers  # here, for Ray is an extra

            heights = {scene.spec.name: scene.size.height for scene in self._plan.scenes}
            with RayWorkers(setup, self._listen, heights) as cluster:
                yield cluster.run
        else:
            with WorkerPool(setup, worker_devices(options.devices), self._listen) as pool:
                yield pool.run

    def _follow(self, outcomes: Iterator[SceneOutcome], backlog: Backlog) -> None:
        for outcome in outcomes:
            if outcome.record is None:
                self._said_once(
                    f"{outcome.task.spec.name} is being computed by another run; it is checked again later"
                )
                backlog.later(outcome.task)
                continue
            self._note(outcome, outcome.record)
            if self._options.fail_fast and outcome.record.status == FAILED:
                return

    def _note(self, outcome: SceneOutcome, record: SceneRecord) -> None:
        self._records[record.name] = record
        self._keep_lost(outcome.task.spec, record)
        self.done_now += not outcome.fresh
        self._tell_end(record)
        try:
            self.tables.write_now_and_then(self.ordered())
        except LsafnetError as error:  # a full disk, say; it is tried again, and at the end it counts
            self._said_once(one_line(error))

    def _tell_end(self, record: SceneRecord) -> None:
        """Tell the observer how a scene ended; pixels that were there already count as done now."""
        name = record.name
        self._observer.advance(max(0, self._pixels[name] - self._told.pop(name, 0)), name)
        if record.status == FAILED:
            self._observer.notice(f"{name} failed: {record.error}")
            self._observer.finish(name, status=FAILED, error=record.error, exit_code=record.exit_code)
        else:
            self._observer.finish(
                name, f"done in {record.seconds} s", status=record.status, seconds=record.seconds
            )

    def _keep_lost(self, spec: SceneSpec, record: SceneRecord) -> None:
        """Keep the record of a scene whose worker died before it could."""
        state = self._folder.state(spec)
        if record.status == FAILED and state is not None and state.record.status == RUNNING:
            with suppress(LsafnetError):
                self._folder.write_state(spec, replace(state, record=record))

    def _said_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._observer.notice(text)

    def _listen(self, message: Message) -> None:
        if isinstance(message, Advance):
            self._told[message.name] += message.pixels
            self._observer.advance(message.pixels, message.name)
        elif isinstance(message, Said) and message.name:
            self._observer.notice(message.text, message.name)
        elif isinstance(message, Said):
            self._said_once(message.text)
