"""Huge scenes divided among workers: first their row bands, then one task that writes the files."""

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from lsafnet_cli.batch.folder import BatchFolder, SceneState, claim_files
from lsafnet_cli.batch.messages import SceneOutcome, Task, WorkerSetup
from lsafnet_cli.batch.options import scene_fingerprint, scene_options
from lsafnet_cli.batch.records import FAILED, RUNNING, SceneRecord
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.errors import DeviceError, LsafnetError, one_line

BEYOND = 1 << 40  # the last band goes on to the end, however long the map turns out to be


@dataclass
class SharedScene:
    """A scene whose bands are under way: how many are out, and what went wrong with one."""

    task: Task
    lock: ExitStack
    bands_out: int
    errors: list[str] = field(default_factory=list)


class SharedScenes:
    """Keeps account of the bands, and holds the locks of their scenes."""

    def __init__(self, setup: WorkerSetup, heights: Mapping[str, int]) -> None:
        self._setup, self._heights = setup, heights
        self._folder = BatchFolder(setup.folder)
        self._scenes: dict[str, SharedScene] = {}

    def close(self) -> None:
        """Let go of all scenes."""
        for scene in self._scenes.values():
            scene.lock.close()

    def share_out(self, task: Task) -> list[Task | SceneOutcome]:
        """Return the tasks of a scene: its bands where it is large enough, else itself; or its outcome."""
        rows = self._setup.options.split_rows
        if rows is None or self._heights[task.spec.name] <= rows or self._is_mapped(task.spec):
            return [task]
        with ExitStack() as lock:
            try:
                outcome = self._claim(task, lock)
            except LsafnetError as error:
                text, code = one_line(error), error.exit_code
                outcome = SceneOutcome(task, SceneRecord.of(task.spec, FAILED, error=text, exit_code=code))
            if outcome is not None:
                return [outcome]
            token = uuid.uuid4().hex
            bands = self._bands(self._heights[task.spec.name], rows)
            self._scenes[task.spec.name] = SharedScene(task, lock.pop_all(), len(bands))
        return [replace(task, parts=band, split=True, token=token) for band in bands]

    def _is_mapped(self, spec: SceneSpec) -> bool:
        """Return whether a scene's map is there and only further files are to be made of it."""
        options = scene_options(spec, self._folder.path, self._setup.options)
        fingerprint = scene_fingerprint(spec, self._folder.path, options, self._setup.sha256)
        return bool(self._folder.added(self._folder.state(spec), fingerprint))

    def _bands(self, height: int, rows: int) -> list[tuple[int, int]]:
        part_px = self._setup.options.predict.tile.row_band_px
        parts, step = -(-height // part_px), max(1, rows // part_px)
        firsts = list(range(0, parts, step))
        return [(first, first + step if first != firsts[-1] else BEYOND) for first in firsts]

    def _claim(self, task: Task, lock: ExitStack) -> SceneOutcome | None:
        """Hold a scene and note that it is begun; return its outcome where there is nothing to do."""
        spec, folder, setup = task.spec, self._folder, self._setup
        if not lock.enter_context(folder.lock(spec)):
            return SceneOutcome(task)
        options = scene_options(spec, folder.path, setup.options)
        fingerprint = scene_fingerprint(spec, folder.path, options, setup.sha256)
        state = folder.state(spec)
        if state is not None and not folder.reasons(state, fingerprint):
            return SceneOutcome(task, state.record, fresh=True)
        claim_files(folder, spec, options, state, fingerprint)
        outputs = state.outputs if state is not None else {}
        folder.write_state(spec, SceneState(SceneRecord.of(spec, RUNNING), fingerprint, True, outputs))
        return None

    def follow(self, outcome: SceneOutcome) -> Task | SceneOutcome | None:
        """Return what follows a task's outcome: after the last band the task that writes, else the outcome."""
        task = outcome.task
        if not task.split:
            return outcome
        scene = self._scenes[task.spec.name]
        if task.parts is not None:
            scene.bands_out -= 1
            scene.errors += [outcome.error] if outcome.error else []
            if scene.bands_out:
                return None
            if not scene.errors:
                return replace(scene.task, split=True)
            error = scene.errors[0]
            record = SceneRecord.of(task.spec, FAILED, error=error, exit_code=DeviceError.exit_code)
            outcome = SceneOutcome(scene.task, record)
        self._scenes.pop(task.spec.name).lock.close()
        return outcome
