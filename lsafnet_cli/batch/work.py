"""The work of a worker: scene after scene, the next one computed while the last one is written."""

import json
import time
import traceback
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from lsafnet_cli.batch.folder import BatchFolder, SceneState, claim_files
from lsafnet_cli.batch.messages import Advance, Message, Said, SceneOutcome, Task, WorkerSetup
from lsafnet_cli.batch.options import OUTPUTS, scene_files, scene_fingerprint, scene_options
from lsafnet_cli.batch.records import DONE, FAILED, RUNNING, SceneRecord, write_whole
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.batch.split_rows import agreed_store, band_rows, same_cut
from lsafnet_cli.checkpoints.choose import NamedCheckpoint, load_ensemble
from lsafnet_cli.errors import CheckpointFileError, DeviceError, LsafnetError, OutputError, one_line
from lsafnet_cli.files.fingerprints import Fingerprint
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.prediction.compute import MAP_STAGE
from lsafnet_cli.prediction.pipeline import Prediction, open_prediction
from lsafnet_cli.prediction.report import RunReport
from lsafnet_cli.prediction.write import PartStore
from lsafnet_cli.system.background import Background
from lsafnet_cli.system.devices import is_out_of_memory

TELLING_SECONDS = 0.2  # progress is told no more often
Tell = Callable[[Message], None]


@dataclass
class Job:
    """A scene under way: what holds its lock and its work folder, and since when it has been at work."""

    task: Task
    lock: ExitStack
    options: PredictOptions
    fingerprint: Fingerprint
    known: SceneState | None
    added: set[Path]
    parts: ExitStack = field(default_factory=ExitStack)
    seconds: float = 0.0

    @property
    def spec(self) -> SceneSpec:
        """Its scene."""
        return self.task.spec


class SceneRunner:
    """Does the tasks of one process, with the network loaded once. Whatever goes wrong becomes an outcome.

    With `beside`, a scene is written by a thread of its own while the next task is begun.
    """

    def __init__(self, setup: WorkerSetup, tell: Tell, beside: bool = True) -> None:
        self._setup, self._tell = setup, tell
        self._folder = BatchFolder(setup.folder)
        self._writing = Background(self._write_next, depth=1) if beside else None

    def __enter__(self) -> Self:
        if self._writing is not None:
            self._writing.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._writing is not None:
            self._writing.__exit__(*error)

    @cached_property
    def _checkpoint(self) -> NamedCheckpoint:
        options = self._setup.options.predict
        loaded = load_ensemble(options.checkpoint, options.ensemble)
        if loaded.fingerprints != self._setup.sha256:
            raise CheckpointFileError(f"{loaded.names}: has changed since the batch started; start it again")
        return loaded

    def do(self, task: Task) -> None:
        """Do a task, or all of it but the writing, and tell what became of it."""
        if task.parts is not None:
            self._tell(self._do_bands(task, task.parts))
            return
        with ExitStack() as lock:
            try:
                job = self._claim(task, lock)
            except Exception as error:
                self._refuse(task, self._failure(task, error))
                return
            if isinstance(job, SceneOutcome):
                self._tell(job)
                return
            written = self._compute(job)
            if written is None:
                return
            job.lock = lock.pop_all()
        if self._writing is not None:
            self._writing.put((job, *written))
        else:
            self._write(job, *written)

    def _claim(self, task: Task, lock: ExitStack) -> Job | SceneOutcome:
        """Hold a scene and note that it is begun; or return the outcome where there is nothing to do."""
        spec, folder = task.spec, self._folder
        if not task.split and not lock.enter_context(folder.lock(spec)):
            return SceneOutcome(task)
        options = scene_options(spec, folder.path, self._setup.options)
        fingerprint = scene_fingerprint(spec, folder.path, options, self._setup.sha256)
        state = folder.state(spec)
        if state is not None and not folder.reasons(state, fingerprint):
            return SceneOutcome(task, state.record, fresh=True)
        job = Job(task, lock, options, fingerprint, state, folder.added(state, fingerprint))
        if task.split and not job.added:  # claimed by whoever shared it out
            job.options = replace(options, output=replace(options.output, overwrite=True))
            return job
        job.options = claim_files(folder, spec, options, state, fingerprint)
        if not job.added:
            outputs = state.outputs if state is not None else {}
            folder.write_state(spec, SceneState(SceneRecord.of(spec, RUNNING), fingerprint, True, outputs))
        return job

    def _refuse(self, task: Task, record: SceneRecord) -> None:
        """Report a scene that could not be started; record it unless it is done. Existing files stay untouched."""
        state = self._folder.state(task.spec)
        if state is None or state.record.status != DONE:
            with suppress(OutputError):
                self._folder.write_state(task.spec, SceneState(record, {}, state is not None and state.ours))
        self._tell(SceneOutcome(task, record))

    def _compute(self, job: Job) -> tuple[Prediction, PartStore] | None:
        start = time.perf_counter()
        try:
            with ExitStack() as parts:
                prediction = self._open(job.task, job.options, job.added)
                store = parts.enter_context(prediction.work_folder())
                prediction.compute(store)
                job.parts = parts.pop_all()
        except Exception as error:
            self._end(job, self._failure(job.task, error))
            return None
        job.seconds = time.perf_counter() - start
        return prediction, store

    def _open(self, task: Task, options: PredictOptions, added: Collection[Path] = ()) -> Prediction:
        spec, options = task.spec, on_device(options, self._setup.device)
        pair, output = (spec.before, spec.after), self._folder.path / spec.output
        observer = SceneObserver(spec.name, self._tell)
        prediction = open_prediction(pair, output, options, observer, self._checkpoint, added)
        return replace(prediction, run=same_cut(prediction.run)) if task.split else prediction

    def _write_next(self, job: tuple[Job, Prediction, PartStore]) -> None:
        self._write(*job)

    def _write(self, job: Job, prediction: Prediction, store: PartStore) -> None:
        start = time.perf_counter()
        with job.lock:
            try:
                with job.parts:
                    report = prediction.write(store)
                record = self._written(job, report, job.seconds + time.perf_counter() - start)
            except Exception as error:
                record = self._failure(job.task, error)
            self._end(job, record)

    def _written(self, job: Job, report: RunReport, seconds: float) -> SceneRecord:
        """Return the record of a scene whose files are there, once its report is, and none of an older map."""
        if job.added and job.known is not None:
            return job.known.record
        folder, spec = self._folder, job.spec
        text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_whole(folder.path / spec.report, text, job.options.output.overwrite)
        if job.known is not None:
            folder.remove_old(job.known, scene_files(spec, folder.path, job.options))
        return success(spec, report, seconds)

    def _end(self, job: Job, record: SceneRecord) -> None:
        """Keep the record of a scene that this process holds, and tell it."""
        folder, fingerprint = self._folder, dict(job.fingerprint)
        sizes: dict[str, int] = {}
        try:
            if job.added and job.known is not None:
                fingerprint[OUTPUTS] = sorted({*fingerprint[OUTPUTS], *job.known.fingerprint[OUTPUTS]})
                sizes |= job.known.outputs
            if record.status == DONE:
                files = job.added or set(scene_files(job.spec, folder.path, job.options))
                sizes |= folder.sizes(sorted(files))
            if not job.added or record.status == DONE:  # else what is done stays so
                folder.write_state(job.spec, SceneState(record, fingerprint, True, sizes))
        except (OutputError, OSError) as error:
            record = replace(record, error=record.error or f"its record cannot be written: {one_line(error)}")
        self._tell(SceneOutcome(job.task, record))

    def _failure(self, task: Task, error: Exception) -> SceneRecord:
        text, code, log = self._words(task, error)
        return SceneRecord.of(task.spec, FAILED, error=text, exit_code=code, log=log)

    def _words(self, task: Task, error: Exception) -> tuple[str, int, str]:
        """Return an error in one line, its exit code, and the log of one that is a bug."""
        if isinstance(error, LsafnetError):
            return one_line(error), error.exit_code, ""
        if is_out_of_memory(error):
            return (
                f"out of memory ({one_line(error)}); lower `size_px` or `memory_bytes`",
                DeviceError.exit_code,
                "",
            )
        log = ""
        with suppress(OutputError):
            log = self._folder.write_log(task.spec, "".join(traceback.format_exception(error)))
        where = f"; see {log}" if log else ""
        return f"internal error: {type(error).__name__}: {one_line(error)}{where}", 1, log

    def _do_bands(self, task: Task, parts: tuple[int, int]) -> SceneOutcome:
        try:
            options = scene_options(task.spec, self._folder.path, self._setup.options)
            options = replace(options, output=replace(options.output, overwrite=True))
            prediction = self._open(task, options)
            rows = band_rows(prediction.run, parts)
            if rows is not None:
                with agreed_store(prediction, rows, task.token) as store:
                    prediction.compute(store, rows)
        except Exception as error:
            return SceneOutcome(task, error=self._words(task, error)[0])
        return SceneOutcome(task)


def on_device(options: PredictOptions, device: str) -> PredictOptions:
    """Return options for one device."""
    return replace(options, device=replace(options.device, device=device))


def success(spec: SceneSpec, report: RunReport, seconds: float) -> SceneRecord:
    """Return the record of a scene that is done."""
    table = report.table
    return SceneRecord.of(
        spec,
        DONE,
        seconds=round(seconds, 3),
        pixels=report.width * report.height,
        valid_pixels=table.valid_pixels,
        changed_pixels=table.changed_pixels,
        changed_ha=table.changed_ha,
        polygons=report.polygon_count,
        exit_code=0,
    )


class SceneObserver(Observer):
    """Sends a batch's driver the notices and the progress of one scene."""

    def __init__(self, name: str, tell: Tell) -> None:
        super().__init__()
        self._name, self._tell = name, tell
        self._pixels, self._told_at, self._counting = 0, 0.0, False

    def notice(self, text: str, item: str = "") -> None:  # noqa: ARG002
        """Send a line."""
        self._tell(Said(text, self._name))

    def start(self, stage: str, total: int, unit: str = "px", **counts: int) -> None:  # noqa: ARG002
        """Count the pixels of the map alone."""
        self._counting = stage == MAP_STAGE

    def advance(self, amount: int, item: str = "", **facts: float) -> None:  # noqa: ARG002
        """Send how many pixels are done, now and then."""
        self._pixels += amount if self._counting else 0
        if time.monotonic() - self._told_at > TELLING_SECONDS:
            self.finish()

    def finish(self, item: str = "", text: str = "", **facts: Any) -> None:  # noqa: ARG002
        """Send what has not been sent."""
        if self._pixels:
            self._tell(Advance(self._name, self._pixels))
        self._pixels, self._told_at = 0, time.monotonic()
