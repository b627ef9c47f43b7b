"""Sample: points of a change map to label, drawn at random within strata."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lsafnet_cli.accuracy.allocation import SampleSize, allocate
from lsafnet_cli.accuracy.chips import write_chips
from lsafnet_cli.accuracy.drawing import draw_points
from lsafnet_cli.accuracy.points import SQUARE_METRES_PER_HECTARE, write_points
from lsafnet_cli.accuracy.strata import StrataOptions, Stratum, make_strata
from lsafnet_cli.errors import OptionError, OutputError
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import MARK, WorkFolder, finish_naming, output_errors, publish
from lsafnet_cli.files.rasters import bounded_cache
from lsafnet_cli.files.vectors import writing_vectors
from lsafnet_cli.maps.table import count_changes, open_legend
from lsafnet_cli.observer import Observer
from lsafnet_cli.scenes.on_grid import images_on_grid


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """Options of a sample. `images` are those of both dates, for small pictures of the points."""

    size: SampleSize = field(default_factory=SampleSize)
    strata: StrataOptions = field(default_factory=StrataOptions)
    seed: int = 0
    images: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise OptionError(f"`seed` {self.seed}: give 0 or more")


@dataclass(frozen=True, slots=True)
class SampledStratum:
    """A stratum and how many points it got."""

    name: str
    points: int
    pixels: int
    area_ha: float | None


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What `sample_map` returns."""

    map: str
    output: str
    seed: int
    points: int
    strata: tuple[SampledStratum, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


@bounded_cache()
def sample_map(
    change_map: str | Path, output: str | Path, options: SampleOptions | None = None, overwrite: bool = False,
    observer: Observer | None = None,
) -> SampleReport:  # fmt: skip
    """Draw points of a change map at random within strata, and write them as a GeoPackage with a form for QGIS.

    With images, small pictures of each point lie in the folder `NAME.chips` beside it. Memory does not grow with
    the map. Raises a subclass of LsafnetError for whatever a user can mend.
    """
    options, observer = options or SampleOptions(), observer or Observer()
    path, target = str(change_map), Path(output)
    if target.suffix.lower() != ".gpkg":
        raise OptionError(f"`outputs` {target}: a sample is a GeoPackage; its name must end in .gpkg")
    finish_naming(target)
    if os.path.lexists(target) and _is_unfinished(_chips_of(target)):
        (_chips_of(target) / MARK).unlink()  # a run was killed when all was written
    check_path(target, (path, *(options.images or ())), overwrite)
    legend, grid = open_legend(path)
    images = images_on_grid(grid, *options.images, path) if options.images else None
    folder = _chip_folder(target, overwrite) if images else None
    strata = make_strata(count_changes(path, legend, observer), options.strata)
    wanted = allocate(strata, options.size)
    draw = draw_points(path, legend, strata, wanted, options.seed, observer)
    store = WorkFolder(target)
    with store.used(), ExitStack() as opened:
        pictures = None
        if images is not None and folder is not None:
            pictures = {number: f"{folder.name}/{number}.png" for number in range(1, len(draw.row) + 1)}
            opened.enter_context(chips_folder(folder))
            with output_errors(folder):
                write_chips(folder, draw, grid, images)
        with writing_vectors(target):
            write_points(store.path(target.name), draw, strata, grid, legend, pictures)
        publish(store, [target], overwrite)
    rows = (_row(one, int(points)) for one, points in zip(strata, wanted, strict=True))
    return SampleReport(path, str(target), options.seed, len(draw.row), tuple(rows))


def _chip_folder(target: Path, overwrite: bool) -> Path:
    folder = _chips_of(target)
    if os.path.lexists(folder) and not (overwrite and folder.is_dir()) and not _is_unfinished(folder):
        raise OutputError(f"{folder}: exists already; add `overwrite` to write into it")
    return folder


def _chips_of(target: Path) -> Path:
    return target.with_name(f"{target.stem}.chips")


def _is_unfinished(folder: Path) -> bool:
    """Return whether a killed run has left a folder."""
    return folder.is_dir() and not folder.is_symlink() and (folder / MARK).is_file()


@contextmanager
def chips_folder(folder: Path) -> Iterator[None]:
    """Create a folder of pictures, with a marker until the block succeeds; a new one is removed if it fails.

    Raises OutputError.
    """
    new = not os.path.lexists(folder) or _is_unfinished(folder)
    with output_errors(folder):
        folder.mkdir(exist_ok=True)
        if new:
            (folder / MARK).touch()
    try:
        yield
    except BaseException:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    with output_errors(folder):
        (folder / MARK).unlink(missing_ok=True)


def _row(stratum: Stratum, points: int) -> SampledStratum:
    known = stratum.ground_m2 == stratum.ground_m2
    area = round(stratum.ground_m2 / SQUARE_METRES_PER_HECTARE, 6) if known else None
    return SampledStratum(stratum.name, points, stratum.pixels, area)
