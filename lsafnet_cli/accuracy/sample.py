"""Sample: points of a change map to label, drawn at random within strata."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fiona.errors import FionaError

from lsafnet_cli.accuracy.allocation import SampleSize, allocate
from lsafnet_cli.accuracy.chips import write_chips
from lsafnet_cli.accuracy.drawing import draw_points
from lsafnet_cli.accuracy.points import SQUARE_METRES_PER_HECTARE, write_points
from lsafnet_cli.accuracy.strata import StrataOptions, Stratum, make_strata
from lsafnet_cli.errors import OptionError, OutputError, reason_of
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import WorkFolder, finish_naming, output_errors, publish
from lsafnet_cli.files.rasters import bounded_cache
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
    check_path(target, (path, *(options.images or ())), overwrite)
    legend, grid = open_legend(path)
    images = images_on_grid(grid, *options.images, path) if options.images else None
    folder = _chip_folder(target, overwrite) if images else None
    strata = make_strata(count_changes(path, legend, observer), options.strata)
    wanted = allocate(strata, options.size)
    draw = draw_points(path, legend, strata, wanted, options.seed, observer)
    with _writing(target, overwrite) as store:
        pictures = None
        if images is not None and folder is not None:
            pictures = {number: f"{folder.name}/{number}.png" for number in range(1, len(draw.row) + 1)}
            with output_errors(folder):
                folder.mkdir(exist_ok=True)
                write_chips(folder, draw, grid, images)
        write_points(store.path(target.name), draw, strata, grid, legend, pictures)
    rows = (_row(one, int(points)) for one, points in zip(strata, wanted, strict=True))
    return SampleReport(path, str(target), options.seed, len(draw.row), tuple(rows))


def _chip_folder(target: Path, overwrite: bool) -> Path:
    folder = target.with_name(f"{target.stem}.chips")
    if folder.exists() and not (overwrite and folder.is_dir()):
        raise OutputError(f"{folder}: exists already; add `overwrite` to write into it")
    return folder


@contextmanager
def _writing(target: Path, overwrite: bool) -> Iterator[WorkFolder]:
    """Give a folder for a file, and the file its name where all goes well. Raises OutputError."""
    store = WorkFolder(target)
    with store.used():
        try:
            yield store
        except (FionaError, OSError, RuntimeError) as error:
            raise OutputError(f"{target}: cannot be written ({reason_of(error)})") from error
        publish(store, [target], overwrite)


def _row(stratum: Stratum, points: int) -> SampledStratum:
    known = stratum.ground_m2 == stratum.ground_m2
    area = round(stratum.ground_m2 / SQUARE_METRES_PER_HECTARE, 6) if known else None
    return SampledStratum(stratum.name, points, stratum.pixels, area)
