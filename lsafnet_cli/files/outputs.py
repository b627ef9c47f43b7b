"""Output files of a run: their names, and whether they can be written."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.errors import OptionError, OutputError, reason_of
from lsafnet_cli.files.replacing import coming
from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.files.sources import local_path
from lsafnet_cli.files.windows_names import why_windows_refuses
from lsafnet_cli.options import OutputOptions, refuse_unwritable
from lsafnet_cli.system.locks import lock_file, lock_of

MAP_ENDINGS = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The final names of all outputs of a run, in one folder except for the polygons."""

    map: Path
    layers: Mapping[str, Path]
    polygons: tuple[Path, ...]
    quicklook: Path | None
    stac: Path | None = None
    page: Path | None = None

    @classmethod
    def of(cls, output: Path, options: OutputOptions) -> "OutputPaths":
        """Return the output files for these options. Raises OptionError for a map that is no .tif."""
        if output.suffix.lower() not in MAP_ENDINGS:
            raise OptionError(f"{output}: a change map is a GeoTIFF; its name must end in .tif")
        layers = {layer: layer_path(output, layer) for layer in options.layers}
        picture = output.with_name(f"{output.stem}.quicklook.png")
        item = output.with_name(f"{output.stem}.stac.json")
        return cls(
            map=output,
            layers=layers,
            polygons=tuple(map(Path, options.polygons)),
            quicklook=picture if "quicklook" in options.also else None,
            stac=item if "stac" in options.also else None,
            page=page_path(output) if "report" in options.also else None,
        )

    def only(self, wanted: Collection[Path]) -> "OutputPaths":
        """Return the map, and of the other outputs those that are wanted."""

        def one(path: Path | None) -> Path | None:
            return path if path in wanted else None

        return OutputPaths(
            map=self.map,
            layers={layer: path for layer, path in self.layers.items() if path in wanted},
            polygons=tuple(path for path in self.polygons if path in wanted),
            quicklook=one(self.quicklook),
            stac=one(self.stac),
            page=one(self.page),
        )

    def all(self) -> list[Path]:
        """Return all files, the map first."""
        return [path for _, path in self.named()]

    def named(self) -> Iterator[tuple[str, Path]]:
        """Yield each file with its name in reports."""
        yield "map", self.map
        yield from self.layers.items()
        for path in self.polygons:
            yield f"polygons ({path.suffix.removeprefix('.')})", path
        if self.quicklook:
            yield "quicklook", self.quicklook
        if self.page:
            yield "report", self.page
        if self.stac:
            yield "stac", self.stac

    def check(self, inputs: tuple[str, ...], overwrite: bool, only: Collection[Path] = ()) -> None:
        """Raise OutputError, before anything is computed, if a file (of `only`, if given) cannot be written."""
        paths = [path for _, path in self.named()]
        if len({path.name for path in paths}) < len(paths):
            raise OptionError(f"{self.map}: two outputs have the same name")
        if self.polygons:
            refuse_unwritable("outputs", self.map)  # they are created in a folder with its name
        for path in paths:
            check_path(path, inputs, overwrite or (bool(only) and path not in only))

    def keep_off(self, inputs: Iterable[str]) -> None:
        """Raise OutputError if an output would overwrite an input, under any name or link."""
        for _, path in self.named():
            keep_off(path, inputs)


def layer_path(output: Path, layer: str) -> Path:
    """Return the file of a layer beside the map: `changes.from.tif` and so on."""
    return output.with_name(f"{output.stem}.{layer}{output.suffix}")


def page_path(output: Path) -> Path:
    """Return the report page beside the map: `changes.report.html`."""
    return output.with_name(f"{output.stem}.report.html")


def check_path(path: Path, inputs: Iterable[str], overwrite: bool) -> None:
    """Raise OutputError if a file cannot be written. Temporary files of a killed run beside it are removed."""
    remove_rest(path)
    try:
        _check_place(path, overwrite)
    except OSError as error:  # a name too long, say
        raise OutputError(f"{path}: cannot be written ({reason_of(error)})") from error
    keep_off(path, inputs)


def remove_rest(path: Path) -> None:
    """Remove the lock file and the temporary file of an output, if they exist and no process holds the lock."""
    if os.path.lexists(lock_of(path)) or os.path.lexists(coming(path)):
        with suppress(OutputError, OSError), lock_file(lock_of(path), keep=False) as idle:
            if idle:
                coming(path).unlink(missing_ok=True)


def keep_off(path: Path, inputs: Iterable[str]) -> None:
    """Raise OutputError if an output would overwrite an input, under any name or link."""
    taken = [found for found in map(local_path, inputs) if found is not None]
    if any(_same_file(path, other) for other in taken):
        raise OutputError(f"{path}: is also an input; choose another name for the output")


def _check_place(path: Path, overwrite: bool) -> None:
    if not can_be_encoded(path):
        raise OutputError(f"{path}: this name is not UTF-8; choose another one")
    if os.name == "nt" and (reason := why_windows_refuses(path)):
        raise OutputError(f"{path}: {reason}; choose another one")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a regular file; choose another name for the output")
    for there in (path, *side_files(path)):
        if os.path.lexists(there) and not overwrite:
            raise OutputError(f"{there}: exists already; add `overwrite` to replace it")


def can_be_encoded(path: Path) -> bool:
    """Return whether a name can be stored as text in other files."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.resolve() == other.resolve() or path.samefile(other)
    except (OSError, RuntimeError):  # one of them does not exist, or a link leads to itself
        return False
