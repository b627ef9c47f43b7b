"""Work folders beside outputs, and how finished files leave them: as a set, under their final names.

What is being named stands in the work folder before the first file gets its name, so that a run that is killed
meanwhile is finished by the next one.
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
from lsafnet_cli.system.background import when_quiet
from lsafnet_cli.system.locks import LOCK, Tell, locked_outputs, remove_idle_lock

MARK = "made-by-lsafnet"  # in every work folder, the first file to come and the last to go
NAMING = "naming.json"
Report = TypeVar("Report")
FOLDERS_RIGHTS = 0o666  # of what rights the mark was made with, those a file can have


class WorkFolder:
    """The work folder of an output: files on their way to their final names. Use it while it is `held`."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f".{output.name}.partial")

    @contextmanager
    def held(self, others: Iterable[Path] = (), tell: Tell | None = None) -> Iterator[None]:
        """Hold the output and others for this process alone, and make the folder. Raises OutputError."""
        with locked_outputs((self.output, *others), tell):
            self.create()
            yield

    def create(self) -> None:
        """Make the folder. Raises OutputError where that is not allowed, or what is there is not a run's own."""
        with output_errors(self.folder):
            if not _made(self.folder):
                self._refuse_others()
            (self.folder / MARK).touch()

    @contextmanager
    def used(self, others: Iterable[Path] = (), tell: Tell | None = None) -> Iterator[None]:
        """Hold the output and others, and the folder, which is gone at the end: all is named by then, or nothing."""
        with self.held(others, tell):
            self.empty()
            try:
                yield
            finally:
                if not self.being_named():
                    when_quiet(self.remove)

    def being_named(self) -> bool:
        """Return whether some of its files may have their final names and others not."""
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
        """Return whether the folder is there and holds nothing: a run was killed at its very beginning or end."""
        try:
            return {path.name for path in self.folder.iterdir()} <= {MARK}
        except OSError:
            return False

    def empty(self) -> None:
        """Remove what the folder holds, but for its mark and the locks of others who share it."""
        for path in self.folder.iterdir():
            if path.name not in (MARK, LOCK) and path.suffix != ".lock":
                remove_whatever(path)

    def remove(self) -> None:
        """Remove the folder and what it holds; the mark goes last, so that a rest of it is known as a run's own."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.name not in (MARK, NAMING):
                    remove_whatever(path)
            for name in (NAMING, MARK):
                self.path(name).unlink(missing_ok=True)
            self.folder.rmdir()

    def path(self, name: str) -> Path:
        """Return the path of a file on its way to its final name."""
        return self.folder / name

    def rights(self) -> int:
        """Return the rights that new files have here."""
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
    """Return whose a new file is: on some network file systems not the user's who makes it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".lsafnet-") as made:
        return Path(made).stat().st_uid


def remove_whatever(path: Path) -> None:
    """Remove a file, a link or a folder with all it holds."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Naming:
    """A set of files that get their names, in this order: pairs (finished file, final name).

    `gone`: old files that do not belong to the new ones, with the finished file that each makes way for.
    asked, report: what the run was asked for, and what it has to say, as JSON-ready values.
    """

    pairs: list[tuple[str, str]]
    gone: list[tuple[str, str]] = field(default_factory=list)
    overwrite: bool = False
    asked: Mapping[str, Any] | None = None
    report: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, store: WorkFolder) -> "Naming | None":
        """Return what was being named when a run was killed, None where that is nothing."""
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
        """Return what the run had to say, where it was asked the same, else None."""
        if self.report is None or self.asked != asked:
            return None
        try:
            return read(self.report)
        except (KeyError, TypeError):  # of another version
            return None

    def run(self) -> None:
        """Name what has not been named yet. Raises OutputError where a name is taken that must not be."""
        for old, finished in self.gone:
            if Path(finished).exists():
                with output_errors(Path(old)):
                    Path(old).unlink(missing_ok=True)
        for finished, final in self.pairs:
            source, target = Path(finished), Path(final)
            if not source.exists():
                continue  # it has its name already
            with output_errors(target):
                if not self.overwrite and target.exists() and source.samefile(target):
                    source.unlink()  # killed between the new name and the end of the old one
                else:
                    (name_again if self.overwrite else name_newly)(source, target)

    def take_back(self) -> None:
        """Let files that have taken nobody's name be unnamed again, and no copy beside a name stay."""
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
    """Give finished files in the work folder their final names, with their side files, as a set.

    Nothing is named where a name is taken and `overwrite` is False. Side files come first, and of a shapefile
    that is replaced nothing of the old one stays beside the new. Raises OutputError.
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
            with suppress(PermissionError):  # file systems without rights
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
    """Return all names in the order of their naming, and old files to go, with those that they make way for."""
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
    """Finish what a killed run was naming, and remove what it left of locks; return what it named, if anything.

    Raises OutputError where another run is at work, or a file cannot be named.
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
