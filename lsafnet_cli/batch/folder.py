"""The folder of a batch: records of its scenes, in .batch, and whether a scene must be computed again."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lsafnet_cli.batch.options import GIVEN, OUTPUTS, scene_files
from lsafnet_cli.batch.records import DONE, FAILED, RECORD_ERRORS, SceneRecord, write_whole
from lsafnet_cli.batch.scenes import REPORT_ENDING, STATE_FOLDER, SceneSpec
from lsafnet_cli.errors import OutputError
from lsafnet_cli.files.fingerprints import Fingerprint, differences
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.replacing import output_errors, replacing, taken
from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.system.locks import lock_file

MERGED_POLYGONS, MOSAIC, TABLES, INDEX = "changes.gpkg", "changes.vrt", "batch", "index.html"
OWN_NAMES = (MERGED_POLYGONS, MOSAIC, f"{TABLES}.csv", f"{TABLES}.json", INDEX)
GONE = "is gone"
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
        self._scenes, self.logs, self._own = (self.hidden / name for name in ("scenes", "logs", "own"))

    def create(self) -> None:
        """Make it, with what is hidden in it. Raises OutputError."""
        with output_errors(self.path):
            for folder in (self._scenes, self.logs, self._own):
                folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.hidden, self._scenes, self.logs, self._own):
            if folder.is_symlink():
                raise OutputError(f"{folder}: is a link; the state of a batch must be in a real folder")

    def claim(self, tables: Iterable[Path], overwrite: bool) -> None:
        """Make files of the batch as a whole its own. Raises OutputError where one is there and somebody else's."""
        for table in tables:
            mark = self._own / table.name
            if os.path.lexists(table) and not mark.exists():
                if not overwrite:
                    raise taken(table)
                mark.touch()

    def owns(self, name: str) -> bool:
        """Return whether a file of the batch as a whole is its own."""
        return (self._own / name).exists()

    @contextmanager
    def table(self, path: Path) -> Iterator[Path]:
        """Give a name to write a file of the batch as a whole to; runs that share the folder take turns.

        Raises OutputError where a file of that name has appeared that is not the batch's own.
        """
        self.create()
        mark = self._own / path.name
        with lock_file(self.hidden / "tables.lock", wait=True):
            first = not mark.exists()
            mark.touch()
            try:
                with replacing(path, overwrite=not first) as temporary:
                    yield temporary
            except BaseException:
                if first:
                    mark.unlink(missing_ok=True)
                raise

    def write_table(self, path: Path, text: str) -> None:
        """Write a file of the batch as a whole, complete under its name at any moment. Raises OutputError."""
        with self.table(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

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

    def added(self, state: SceneState | None, fingerprint: Fingerprint) -> set[Path]:
        """Return the files that a finished scene lacks, new and lost ones; none where it must be done again."""
        if state is None or state.record.status != DONE:
            return set()
        if set(differences(state.fingerprint, fingerprint)) - {OUTPUTS}:
            return set()
        faults = self._faults(state, fingerprint)
        output = Path(state.record.output)
        kept = {output.as_posix(), output.with_suffix(REPORT_ENDING).as_posix()}
        if any(fault != GONE or name in kept for name, fault in faults.items()):
            return set()
        new = set(fingerprint[OUTPUTS]) - set(state.fingerprint[OUTPUTS])
        return {self.path / name for name in new | faults.keys()}

    def changed_wishes(self, state: SceneState | None, fingerprint: Fingerprint) -> list[str]:
        """Return which options differ from those that a scene is done with."""
        if state is None or state.record.status != DONE:
            return []
        return [name for name in differences(state.fingerprint, fingerprint) if name not in (*GIVEN, OUTPUTS)]

    def reasons(self, state: SceneState | None, fingerprint: Fingerprint) -> list[str]:
        """Return why a scene must be computed; empty if it is done and all of its files exist."""
        if state is None:
            return ["it is new"]
        if state.record.status == FAILED:
            return ["it failed"]
        if state.record.status != DONE:
            return ["it was interrupted"]
        changed = [name for name in differences(state.fingerprint, fingerprint) if name != OUTPUTS]
        faults = {} if changed else self._faults(state, fingerprint)
        added = self.added(state, fingerprint) - {self.path / name for name in faults}
        return [
            *(f"{name} changed" for name in changed),
            *(f"{path.name} is requested too" for path in sorted(added)),
            *(f"{name} {fault}" for name, fault in faults.items()),
        ]

    def _faults(self, state: SceneState, fingerprint: Fingerprint) -> dict[str, str]:
        """Return what is wrong with files of a scene that are still asked for, by their names."""
        asked = fingerprint[OUTPUTS]
        found = {name: self._fault(name, size) for name, size in state.outputs.items() if name in asked}
        return {name: fault for name, fault in found.items() if fault}

    def remove_old(self, state: SceneState, files: Iterable[Path]) -> None:
        """Remove what an older run of a scene wrote besides these files: it would tell of a map that is gone."""
        kept = {os.path.relpath(path, self.path) for path in files}
        for name in state.outputs.keys() - kept:
            path = self.path / name
            if path.parent.resolve().is_relative_to(self.path.resolve()):
                for old in (path, *side_files(path)):
                    with output_errors(old):
                        old.unlink(missing_ok=True)

    def _fault(self, name: str, size: int) -> str:
        path = self.path / name
        try:
            found = path.stat().st_size
        except OSError:
            return GONE
        return "has another size" if path.suffix in SIZED_ENDINGS and found != size else ""


def read_state(path: Path) -> SceneState | None:
    """Return the state in a file, None where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        outputs = {str(name): int(size) for name, size in dict(found["outputs"]).items()}
        fingerprint = dict(found["fingerprint"])
        if fingerprint:
            fingerprint[OUTPUTS] = [str(name) for name in fingerprint[OUTPUTS]]
        return SceneState(SceneRecord.from_dict(found["record"]), fingerprint, found["ours"] is True, outputs)
    except RECORD_ERRORS:
        return None


def claim_files(
    folder: BatchFolder, spec: SceneSpec, options: PredictOptions, state: SceneState | None,
    fingerprint: Fingerprint,
) -> PredictOptions:  # fmt: skip
    """Return what a scene is to be told. Of a scene that is done only the files that it lacks are written.

    Raises OutputError where a file is there already and is not the batch's own to replace, or would be replaced
    with other options than it was made with, or would lie elsewhere.
    """
    added = folder.added(state, fingerprint)
    files = sorted(added) or scene_files(spec, folder.path, options)
    if not files[0].parent.resolve().is_relative_to(folder.path.resolve()):
        raise OutputError(
            f"{files[0]}: this is outside the batch's folder through a link; choose another output"
        )
    with output_errors(files[0]):
        files[0].parent.mkdir(parents=True, exist_ok=True)
    asked = options.output.overwrite
    ours = state is not None and state.ours and not added
    if (changed := folder.changed_wishes(state, fingerprint)) and not asked:
        raise OutputError(f"{files[0]}: {', '.join(changed)} changed since; add `overwrite` to replace it")
    for path in files:
        check_path(path, (spec.before, spec.after), asked or ours)
    return replace(options, output=replace(options.output, overwrite=asked or ours))
