"""The folder of a batch: what it knows of its scenes, under .batch, and whether a scene must be done again."""

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsafnet_cli.batch.options import scene_files
from lsafnet_cli.batch.records import DONE, FAILED, SceneRecord, write_whole
from lsafnet_cli.batch.scenes import STATE_FOLDER, SceneSpec
from lsafnet_cli.files.fingerprints import Fingerprint, differences
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import output_errors
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.system.locks import lock_file

MERGED_POLYGONS, MOSAIC, TABLES, INDEX = "changes.gpkg", "changes.vrt", "batch", "index.html"
OWN_NAMES = (MERGED_POLYGONS, MOSAIC, f"{TABLES}.csv", f"{TABLES}.json", INDEX)
SIZED_ENDINGS = (".tif", ".tiff", ".json", ".png")  # a GIS may touch vector files by opening them


@dataclass(frozen=True, slots=True)
class SceneState:
    """A scene's record, what decided its files, and their names below the folder with their sizes in bytes.

    `ours` says that files under its names, where there are any, are a batch's own and may be replaced.
    """

    record: SceneRecord
    fingerprint: Fingerprint
    ours: bool = False
    outputs: Mapping[str, int] = field(default_factory=dict)


class BatchFolder:
    """The folder that a batch writes to; several runs, on several machines, may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hidden = path / STATE_FOLDER
        self._scenes, self.logs = self.hidden / "scenes", self.hidden / "logs"

    def create(self) -> None:
        """Make it, with what is hidden in it. Raises OutputError."""
        with output_errors(self.path):
            for folder in (self._scenes, self.logs):
                folder.mkdir(parents=True, exist_ok=True)

    def lock(self, spec: SceneSpec) -> AbstractContextManager[bool]:
        """Try to hold a scene for this process; the lock ends with the process."""
        return lock_file(self._scenes / f"{spec.key}.lock")

    def state(self, spec: SceneSpec) -> SceneState | None:
        """Return what is known of a scene, None where that is nothing."""
        return read_state(self._scenes / f"{spec.key}.json")

    def states(self) -> list[SceneState]:
        """Return what is known of every scene, by whichever run."""
        found = map(read_state, sorted(self._scenes.glob("*.json")))
        return [state for state in found if state is not None]

    def write_state(self, spec: SceneSpec, state: SceneState) -> None:
        """Keep what is known of a scene. Raises OutputError."""
        text = {
            "record": state.record.as_dict(), "fingerprint": state.fingerprint, "ours": state.ours,
            "outputs": dict(state.outputs),
        }  # fmt: skip
        write_whole(self._scenes / f"{spec.key}.json", json.dumps(text, ensure_ascii=False))

    def write_log(self, spec: SceneSpec, text: str) -> str:
        """Keep a text about a scene; return its name below the folder. Raises OutputError."""
        path = self.logs / f"{spec.key}.txt"
        write_whole(path, text)
        return path.relative_to(self.path).as_posix()

    def sizes(self, paths: list[Path]) -> dict[str, int]:
        """Return the names of files below the folder, with their sizes."""
        return {os.path.relpath(path, self.path): path.stat().st_size for path in paths}

    def reasons(self, state: SceneState | None, fingerprint: Fingerprint) -> list[str]:
        """Return why a scene is to be done; nothing where it is done and all of its files are there."""
        if state is None:
            return ["it is new"]
        if state.record.status == FAILED:
            return ["it failed"]
        if state.record.status != DONE:
            return ["it was broken off"]
        changed = [f"{name} changed" for name in differences(state.fingerprint, fingerprint)]
        return changed or [
            f"{name} {fault}" for name, size in state.outputs.items() if (fault := self._fault(name, size))
        ]

    def _fault(self, name: str, size: int) -> str:
        path = self.path / name
        try:
            found = path.stat().st_size
        except OSError:
            return "is gone"
        return "has another size" if path.suffix in SIZED_ENDINGS and found != size else ""


def read_state(path: Path) -> SceneState | None:
    """Return the state in a file, None where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return SceneState(
            SceneRecord.from_dict(found["record"]), found["fingerprint"], found["ours"], found["outputs"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def claim_files(
    folder: BatchFolder, spec: SceneSpec, options: PredictOptions, state: SceneState | None
) -> None:
    """Raise OutputError where a scene's files are there already and are not the batch's own to replace."""
    files = scene_files(spec, folder.path, options)
    with output_errors(files[0]):
        files[0].parent.mkdir(parents=True, exist_ok=True)
    overwrite = options.output.overwrite or (state is not None and state.ours)
    for path in files:
        check_path(path, (spec.before, spec.after), overwrite)
