"""Polygons from an existing map: `lsafnet vectorize`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.files.fingerprints import plain
from lsafnet_cli.files.outputs import check_path, layer_path
from lsafnet_cli.files.provenance import AFTER_DATE, BEFORE_DATE
from lsafnet_cli.files.publishing import WorkFolder, finish_naming, publish
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps.table import read_legend
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import PolygonOptions, check_polygon_files, check_polygon_name
from lsafnet_cli.polygons.vectorize import ChangeMap, vectorize_map
from lsafnet_cli.polygons.wishes import check_classes, refuse_without_place
from lsafnet_cli.scenes.stamps import Stamps, file_stamp
from lsafnet_cli.system.apart import apart
from lsafnet_cli.system.beside import beside

APART_PX = 1 << 25  # from this size polygonizing may take seconds without reacting to Ctrl-C


@dataclass(frozen=True, slots=True)
class PolygonReport:
    """Result of `vectorize_changes`."""

    map: str
    outputs: tuple[str, ...]
    polygon_count: int
    options: dict[str, Any]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PolygonReport":
        """Return the report that `as_dict` wrote, from JSON."""
        return cls(values["map"], tuple(values["outputs"]), values["polygon_count"], values["options"])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def vectorize_changes(
    changes: str | Path,
    outputs: Sequence[str | Path],
    options: PolygonOptions | None = None,
    probability: str | Path | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> PolygonReport:
    """Write the polygons of a change map to each of some files; their endings choose the formats.

    Confidence comes from `probability`, else from `MAP.probability.tif` beside the map, else it is unknown. Raises a
    subclass of LsafnetError for errors that users can correct; no incomplete files are left.
    """
    paths = [Path(output) for output in outputs]
    inputs = (str(changes), *([str(probability)] if probability else []))
    for path in paths:
        check_polygon_name("outputs", path)
    if len({path.name for path in paths}) < len(paths):
        raise OptionError("`outputs`: two outputs have the same name")
    options, observer = options or PolygonOptions(), observer or Observer()
    check_polygon_files(options, paths)
    asked = _asked_of(inputs, paths, options)
    naming = finish_naming(paths[0], paths[1:], overwrite)
    if naming is not None and (finished := naming.report_to(asked, PolygonReport.from_dict)) is not None:
        observer.notice("an earlier run was killed while publishing its files: this is completed now")
        return finished
    for path in paths:
        check_path(path, inputs, overwrite)
    stamps = Stamps.of(inputs)
    change_map, grid = open_change_map(changes, probability, options)
    refuse_without_place(paths, grid)
    for text in polygon_notices(Path(changes), change_map.probability, options):
        observer.notice(text)
    store = WorkFolder(paths[0])
    with store.used(paths[1:], observer.notice):
        targets = [store.path(path.name) for path in paths]
        with watched(observer, "vectorize", grid.pixel_count), open_raster(changes):
            with vectorizing(change_map, targets, options, grid.pixel_count) as wait:
                report = PolygonReport(str(changes), tuple(map(str, paths)), wait(), options.told())
            observer.advance(grid.pixel_count)
        stamps.check()
        publish(store, paths, overwrite, asked, report.as_dict())
    return report


def _asked_of(inputs: Sequence[str], outputs: Sequence[Path], options: PolygonOptions) -> dict[str, Any]:
    """Return the request of a run as JSON-ready values."""
    return {
        "version": version("lsafnet"),
        "files": [file_stamp(name) for name in inputs],
        "outputs": [str(path.absolute()) for path in outputs],
        "options": plain(asdict(options)),
    }


def polygon_notices(
    change_map: Path, probability: str | Path | None, options: PolygonOptions
) -> Iterator[str]:
    """Yield what users should know of the polygons of a map before they are drawn."""
    if probability is None:
        yield f"{layer_path(change_map, 'probability')} does not exist: the polygons have no confidence"
    yield from sieve_notices(options)


def sieve_notices(options: PolygonOptions) -> Iterator[str]:
    """Yield the notice about small components that are dropped by default."""
    if options.min_pixels:
        named = options.min_area_by_class
        others = " of classes without a limit of their own" if named else ""
        yield (
            f"polygons: connected components below {options.min_pixels} pixels{others} went to their neighbours; "
            f"`min_area_m2` 0{',...' if named else ''} keeps them"
        )


def open_change_map(
    changes: str | Path, probability: str | Path | None, options: PolygonOptions
) -> tuple[ChangeMap, Grid]:
    """Return provenance, legend and grid of a map. Raises InputError."""
    sibling = layer_path(Path(changes), "probability")
    probability = Path(probability) if probability else (sibling if sibling.exists() else None)
    with open_raster(changes) as dataset:
        tags, grid = dataset.tags(), grid_of(dataset)
        legend = read_legend(Path(changes), tags)
        check_classes(legend, options)
        if dataset.dtypes[0] != legend.dtype:
            raise InputError(
                f"{changes}: holds {dataset.dtypes[0]} values; a change map of its classes has {legend.dtype}"
            )
    if probability is not None:
        with open_raster(probability) as dataset:
            if grid_of(dataset) != grid:
                raise InputError(
                    f"{probability}: is not on the grid of {changes}; name the probability layer of this map"
                )
            if dataset.count != 1 or dataset.dtypes[0] != "uint8":
                raise InputError(
                    f"{probability}: is no probability layer; name MAP.probability.tif as written by lsafnet"
                )
    change_map = ChangeMap(
        codes=str(changes),
        probability=probability,
        legend=legend,
        before_date=options.before_date or _tagged_date(tags, BEFORE_DATE),
        after_date=options.after_date or _tagged_date(tags, AFTER_DATE),
        scene=Path(changes).stem,
    )
    return change_map, grid


def _tagged_date(tags: dict[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(tags[name])
    except (KeyError, ValueError):
        return None


def vectorizing(
    change_map: ChangeMap, targets: list[Path], options: PolygonOptions, pixel_count: int
) -> AbstractContextManager[Callable[[], int]]:
    """Start writing polygon files; yield a call that waits for the number of polygons.

    It can be interrupted: large maps are processed in a new process.
    """
    return (apart if pixel_count >= APART_PX else beside)(vectorize_map, change_map, targets, options)
