"""Work folders beside outputs, and publishing: finished files get their final names as a set.

The list of files is stored in the work folder before the first one is renamed, so that the next run completes what a
killed run was publishing.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from lsafnet_cli.errors import OutputError
from lsafnet_cli.files.replacing import (
    bring as bring,
    name_again,
    name_newly,
    output_errors as output_errors,
    replacing,
    taken,
    to_disk,
)
from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.system.beside import when_quiet
from lsafnet_cli.system.locks import LOCK, Tell, locked_outputs, remove_idle_lock

MARK = "made-by-lsafnet"  # in every work folder: the first file created and the last one removed
NAMING = "naming.json"
Report = TypeVar("Report")
FOLDERS_RIGHTS = 0o666  # the permission bits of the marker file that a file can have


class WorkFolder:
    """The work folder of an output, with files not yet published. Use it while it is `held`."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f".{output.name}.partial")

    @contextmanager
    def held(self, others: Iterable[Path] = (), tell: Tell | None = None) -> Iterator[None]:
        """Lock the output and others for this process, and create the folder. Raises OutputError."""
        with locked_outputs((self.output, *others), tell):
            self.create()
            yield

    def create(self) -> None:
        """Create the folder. Raises OutputError if that is not permitted, or if the existing one is no work
        folder."""
        with output_errors(self.folder):
            if not _made(self.folder):
                self._refuse_others()
            (self.folder / MARK).touch()

    @contextmanager
    def used(self, others: Iterable[Path] = (), tell: Tell | None = None) -> Iterator[None]:
        """Lock the output and others, with a folder that is removed at the end: all files are published by
        then, or none."""
        with self.held(others, tell):
            self.empty()
            try:
                yield
            finally:
                if not self.being_named():
                    when_quiet(self.remove)

    def being_named(self) -> bool:
        """Return whether publishing may have been interrupted."""
        naming = Naming.read(self)
        return naming is not None and any(Path(finished).exists() for finished, _ in naming.pairs)

    def _refuse_others(self) -> None:
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise OutputError(f"{self.folder}: is in the way and no folder of lsafnet's; move it elsewhere")
        if found.st_uid not in (_user(), _owner_of_new_files(self.folder.parent)):
            raise OutputError(f"{self.folder}: belongs to another user; choose another name for the output")
        names = {path.name for path in self.folder.iterdir()}
        if MARK not in names and names - {LOCK}:
            raise OutputError(f"{self.folder}: is in the way and no folder of lsafnet's; move it elsewhere")

    def is_bare(self) -> bool:
        """Return whether the folder exists and is empty: a run was killed at its very start or end."""
        try:
            return {path.name for path in self.folder.iterdir()} <= {MARK}
        except OSError:
            return False

    def empty(self) -> None:
        """Remove the contents of the folder except its marker file and locks of other processes."""
        for path in self.folder.iterdir():
            if path.name not in (MARK, LOCK) and path.suffix != ".lock":
                remove_whatever(path)

    def remove(self) -> None:
        """Remove the folder with its contents, the marker file last, so that a remainder is recognised as a
        work folder."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.name not in (MARK, NAMING):
                    remove_whatever(path)
            for name in (NAMING, MARK):
                self.path(name).unlink(missing_ok=True)
            self.folder.rmdir()

    def path(self, name: str) -> Path:
        """Return the path of a file before it is published."""
        return self.folder / name

    def rights(self) -> int:
        """Return the permissions of new files in this folder."""
        return self.path(MARK).stat().st_mode & FOLDERS_RIGHTS


def _made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _owner_of_new_files(folder: Path) -> int:
    """Return the owner of new files: on some network file systems not the user who creates them."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".lsafnet-") as made:
        return Path(made).stat().st_uid


def remove_whatever(path: Path) -> None:
    """Remove a file, a link or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Naming:
    """A set of files to publish, in this order: pairs (finished file, final name).

    `gone`: old files to remove, each with the finished file that replaces it.
    asked, report: what the run was asked for, and what it has to say, as JSON-ready values.
    """

    pairs: list[tuple[str, str]]
    gone: list[tuple[str, str]] = field(default_factory=list)
    overwrite: bool = False
    asked: Mapping[str, Any] | None = None
    report: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, store: WorkFolder) -> "Naming | None":
        """Return the set that a killed run was publishing, None if there is none."""
        try:
            found = cls(**json.loads(store.path(NAMING).read_text(encoding="utf-8")))
            names = [name for old, new in (*found.pairs, *found.gone) for name in (old, new)]
            kinds = all(isinstance(one, Mapping | None) for one in (found.asked, found.report))
            return found if kinds and all(isinstance(name, str) for name in names) else None
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def report_to(
        self, asked: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Report]
    ) -> Report | None:
        """Return the report of that run if it was asked the same, else None."""
        if self.report is None or self.asked != asked:
            return None
        try:
            return read(self.report)
        except (KeyError, TypeError):  # of another version
            return None

    def run(self) -> None:
        """Publish the files not published yet. Raises OutputError if a name is taken and must not be replaced."""
        for old, finished in self.gone:
            if Path(finished).exists():
                with output_errors(Path(old)):
                    Path(old).unlink(missing_ok=True)
        for finished, final in self.pairs:
            source, target = Path(finished), Path(final)
            if not source.exists():
                continue  # it is published already
            with output_errors(target):
                if not self.overwrite and target.exists() and source.samefile(target):
                    source.unlink()  # killed between creating the new name and removing the old one
                else:
                    (name_again if self.overwrite else name_newly)(source, target)

    def take_back(self) -> None:
        """Undo the publishing of files that replaced nothing, and remove temporary copies."""
        for finished, final in self.pairs:
            source = Path(finished)
            if not self.overwrite and not source.exists():
                Path(final).rename(source)
            if source.parent == Path(final).parent:
                source.unlink(missing_ok=True)


def publish(
    store: WorkFolder, finals: Iterable[Path], overwrite: bool = False,
    asked: Mapping[str, Any] | None = None, report: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Publish finished files of the work folder with their side files, as a set.

    Nothing is published if a name is taken and `overwrite` is False. Side files come first; all files of a replaced
    shapefile are removed. Raises OutputError.
    """
    named, gone = _with_sides(store, finals, overwrite)
    if not overwrite:
        for final in named:
            if os.path.lexists(final):
                raise taken(final)
    pairs = []
    for final in named:
        with output_errors(final):
            source = store.path(final.name)
            with suppress(PermissionError):  # file systems without permissions
                source.chmod(store.rights())
            to_disk(source)
            pairs.append((str(bring(source, final).absolute()), str(final.absolute())))
    naming = Naming(pairs, gone, overwrite, asked, report)
    with replacing(store.path(NAMING)) as path:
        path.write_text(json.dumps(asdict(naming)), encoding="utf-8")
    try:
        naming.run()
    except OutputError:
        naming.take_back()
        store.path(NAMING).unlink()
        raise


def _with_sides(
    store: WorkFolder, finals: Iterable[Path], overwrite: bool
) -> tuple[list[Path], list[tuple[str, str]]]:
    """Return all files in the order of publishing, and old files to remove with those that replace them."""
    finals = list(dict.fromkeys(finals))
    named: list[Path] = []
    gone = []
    for final in finals:
        sides = side_files(final)
        coming = [side for side in sides if store.path(side.name).exists()]
        named += [path for path in (*coming, final) if path not in named]
        if overwrite:
            old = [final, *sides] if final.suffix.lower() == ".shp" else set(sides) - {*coming, *finals}
            for path in filter(os.path.lexists, old):
                following = path if path in coming else final
                gone.append((str(path.absolute()), str(store.path(following.name).absolute())))
    return named, gone


def finish_naming(output: Path, others: Iterable[Path] = (), overwrite: bool = False) -> Naming | None:
    """Complete what a killed run was publishing and remove its locks; return the set, if there was one.

    Raises OutputError if another run is active, or if a file cannot be published.
    """
    store, others = WorkFolder(output), list(others)
    if not os.path.lexists(store.path(NAMING)) and not store.is_bare():  # False where the name is too long
        for path in (output, *others):
            remove_idle_lock(path)
        return None
    with store.held(others, tell=lambda _: None):
        naming = Naming.read(store)
        if naming is not None:
            replace(naming, overwrite=naming.overwrite or overwrite).run()
        store.remove()
    return naming
