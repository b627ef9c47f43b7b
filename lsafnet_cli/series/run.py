"""A series on one page: images in, the map of each interval, and what they say together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsafnet_cli.errors import printable
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import WorkFolder, finish_naming, output_errors, publish
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.observer import Observer
from lsafnet_cli.series.dates import DatedImage, date_images
from lsafnet_cli.series.intervals import IntervalPlan, grid_image, knows_land_cover, plan_intervals
from lsafnet_cli.series.layers import WHEN, layer_names
from lsafnet_cli.series.options import SeriesOptions
from lsafnet_cli.series.page import images_of_series, write_series_page
from lsafnet_cli.series.polygons import write_polygons
from lsafnet_cli.series.rasters import SeriesCounts, write_rasters
from lsafnet_cli.series.report import (
    SeriesReport,
    consistency_of,
    csv_text,
    frequencies_of,
    gaps_of,
    images_of,
    intervals_of,
)
from lsafnet_cli.series.stack import MapStack, stack_maps

REPORT, TABLE, POLYGONS, PAGE = "series.json", "series.csv", "when.gpkg", "series.html"
ASKED = "asked"  # of the report's file: what the series was asked for
KEPT_TAGS = ("TIFFTAG_SOFTWARE", "LSAFNET_VERSION", "LSAFNET_CHECKPOINT", "LSAFNET_CHECKPOINT_SHA256")


def map_series(
    images: Sequence[str | Path], folder: str | Path, options: SeriesOptions | None = None,
    observer: Observer | None = None,
) -> SeriesReport:  # fmt: skip
    """Write the maps of consecutive images into a folder, and what they say together.

    Maps that are there already, made of the same images with the same options, stay, and a run that was broken off
    is resumed. Raises a subclass of LsafnetError: OptionError where the order of the images is not known, OutputError
    where a file is there that belongs to another series, SeriesError where a map cannot be made.
    """
    options, notes, home = options or SeriesOptions(), Observer(observer), Path(folder)
    dated = date_images(list(map(str, images)), options.dates, [str(name) for name in options.cloud_masks])
    if [one.path for one in dated] != list(map(str, images)):
        notes.notice(f"by date: {', '.join(f'{printable(one.path)} ({one.date.text})' for one in dated)}")
    plan = plan_intervals(dated, home, options)
    paths = SeriesPaths.of(home, options)
    asked = asked_of(plan, paths, options)
    overwrite = options.predict.output.overwrite
    if home.is_dir():
        finish_naming(paths.report, paths.others, overwrite)
    earlier = finished_series(paths, asked)
    if earlier is None:
        paths.check(home, dated, overwrite)
    with output_errors(home):
        home.mkdir(parents=True, exist_ok=True)
    plan.make(observer or Observer())
    if earlier is not None:
        notes.notice(
            f"{printable(str(paths.report))}: the series is there already, of the same images and options"
        )
        return earlier
    return write_series(plan, dated, paths, asked, options, notes)


@dataclass(frozen=True, slots=True)
class SeriesPaths:
    """The files of a series as a whole, by the names they have in its report."""

    report: Path
    table: Path
    polygons: Path
    rasters: Mapping[str, Path]
    page: Path | None

    @classmethod
    def of(cls, folder: Path, options: SeriesOptions) -> "SeriesPaths":
        """Name the files in a folder."""
        names = layer_names(knows_land_cover(options))
        rasters = {name: folder / f"{name}.tif" for name in names}
        page = folder / PAGE if options.page else None
        return cls(folder / REPORT, folder / TABLE, folder / POLYGONS, rasters, page)

    @property
    def others(self) -> list[Path]:
        """All files but the report."""
        return [*self.rasters.values(), self.polygons, *([self.page] if self.page else []), self.table]

    def named(self) -> dict[str, str]:
        """Return the files by name."""
        files = {
            **self.rasters,
            "polygons": self.polygons,
            "page": self.page,
            "table": self.table,
            "report": self.report,
        }
        return {name: str(path) for name, path in files.items() if path is not None}

    def check(self, folder: Path, dated: Sequence[DatedImage], overwrite: bool) -> None:
        """Raise OutputError, before anything is computed, where a file may not be written."""
        if not folder.is_dir():
            return
        inputs = [one.path for one in dated]
        for path in (*self.others, self.report):
            check_path(path, inputs, overwrite)


def asked_of(plan: IntervalPlan, paths: SeriesPaths, options: SeriesOptions) -> dict[str, Any]:
    """Return what a series is asked for, as JSON has it: the same again is the same command on the same files."""
    asked = {
        "version": version("lsafnet"),
        "maps": plan.fingerprint(),
        "outputs": paths.named(),
        "max_mb": options.max_mb if options.page else None,
    }
    found: dict[str, Any] = json.loads(json.dumps(asked))
    return found


def finished_series(paths: SeriesPaths, asked: Mapping[str, Any]) -> SeriesReport | None:
    """Return the report of a series that is there as it is asked for, None where it is not, or not whole."""
    if not all(path.is_file() for path in paths.others):
        return None
    try:
        found = json.loads(paths.report.read_text(encoding="utf-8"))
        return SeriesReport.from_dict(found) if found.pop(ASKED) == asked else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_series(
    plan: IntervalPlan, dated: tuple[DatedImage, ...], paths: SeriesPaths, asked: Mapping[str, Any],
    options: SeriesOptions, notes: Observer,
) -> SeriesReport:  # fmt: skip
    """Write what the finished maps say together. Raises InputError, OptionError, OutputError."""
    store, intervals = WorkFolder(paths.report), plan.intervals
    with store.used(paths.others, notes.notice):
        stack = stack_maps(intervals, store)
        names = [interval.name for interval in intervals]
        tags = series_tags(intervals[0].map, dated)
        creation = options.predict.output.creation_options
        finals, counts = write_rasters(stack, names, store, tags, creation, notes)
        when, wishes = store.path(paths.rasters[WHEN].name), options.predict.polygons
        count = write_polygons(stack, intervals, when, paths.polygons, store, wishes, notes)
        report = make_report(plan, dated, paths, stack, counts, count, notes.notices)
        if paths.page is not None:
            images = images_of_series(stack, dated, intervals, grid_image(dated, str(options.grid)))
            write_series_page(store.path(paths.page.name), stack, when, images, report, options.max_mb, notes)
            finals.append(paths.page)
        write_text(store, paths.table, csv_text(report))
        write_text(store, paths.report, report_text(report, asked))
        publish(store, [*finals, paths.polygons, paths.table, paths.report], options.predict.output.overwrite)
    return report


def make_report(
    plan: IntervalPlan, dated: tuple[DatedImage, ...], paths: SeriesPaths, stack: MapStack, counts: SeriesCounts,
    polygon_count: int, notices: Sequence[str],
) -> SeriesReport:  # fmt: skip
    """Put what was counted into one value."""
    return SeriesReport(
        images=images_of(dated),
        intervals=intervals_of(plan.intervals, counts),
        frequencies=frequencies_of(counts),
        consistency=consistency_of(plan.intervals, counts) if stack.legend.semantic else None,
        outputs=paths.named(),
        **place_of(stack),
        polygon_count=polygon_count,
        **gaps_of(counts),
        notices=tuple(notices),
        version=version("lsafnet"),
    )


def place_of(stack: MapStack) -> dict[str, Any]:
    """Return the size and CRS of the series' grid."""
    grid = stack.grid
    return {
        "width": grid.width,
        "height": grid.height,
        "crs": grid.crs.to_string() if grid.crs is not None else None,
    }


def series_tags(first_map: Path, dated: Sequence[DatedImage]) -> dict[str, str]:
    """Return the tags of a series' rasters: what its first map says of the network, and images with dates."""
    with open_raster(first_map) as dataset:
        tags = {name: text for name, text in dataset.tags().items() if name in KEPT_TAGS}
    images = [{"image": printable(one.path), "date": one.date.text} for one in dated]
    return tags | {"LSAFNET_SERIES": json.dumps(images, ensure_ascii=False)}


def report_text(report: SeriesReport, asked: Mapping[str, Any]) -> str:
    """Return the report's file."""
    return json.dumps({**report.as_dict(), ASKED: asked}, indent=1, ensure_ascii=False, allow_nan=False)


def write_text(store: WorkFolder, final: Path, text: str) -> None:
    """Write a text into the work folder under its final name. Raises OutputError."""
    with output_errors(final):
        store.path(final.name).write_text(text, encoding="utf-8")
