"""The page of a series: one HTML file with a slider over the dates, which asks for nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import rasterio

from lsafnet_cli.files.provenance import options_of
from lsafnet_cli.files.publishing import output_errors
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.maps.quicklook import NO_DATA
from lsafnet_cli.maps.table import area_text
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import GridOptions
from lsafnet_cli.report_page.content import place_data, transition_data
from lsafnet_cli.report_page.page_text import PageText
from lsafnet_cli.report_page.painted_rows import CACHE_BYTES
from lsafnet_cli.report_page.place import place_text
from lsafnet_cli.report_page.pyramid import build_pyramid
from lsafnet_cli.scenes.align import AlignedImage, align_pair, whole_pixel_offset
from lsafnet_cli.scenes.read import Scene, ScenePair, read_picture
from lsafnet_cli.scenes.registration import Registration, coregistered
from lsafnet_cli.series.chain import INCOMPLETE, NODATA
from lsafnet_cli.series.dates import DatedImage
from lsafnet_cli.series.intervals import Interval
from lsafnet_cli.series.layers import GAP_COLOR, colors_of_time
from lsafnet_cli.series.painted import SeriesRows, read_series_rows
from lsafnet_cli.series.report import SeriesReport, consistency_text, finding_text
from lsafnet_cli.series.stack import MapStack
from lsafnet_cli.system.background import run_ahead

TEMPLATE, STYLES = "series.html", ("page.css", "series.css")
SCRIPTS = ("elements.js", "tiles.js", "places.js", "map.js", "series.js")


def write_series_page(
    target: Path, stack: MapStack, when: Path, images: Sequence[AlignedImage], report: SeriesReport,
    max_mb: float, observer: Observer,
) -> None:  # fmt: skip
    """Write the page of a series, whatever is there, of at most `max_mb` megabytes.

    `when` is the raster of the last change. Raises OptionError where nothing fits, InputError, OutputError.
    """
    page = PageText(title_of(report, stack), page_data(report, stack), TEMPLATE, STYLES, SCRIPTS)
    room = int(max_mb * 1e6) - page.size_bytes
    rows_ahead = run_ahead(read_series_rows(stack, when, images), 1)
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        watched(observer, "page", stack.grid.pixel_count),
        closing(rows_ahead),
    ):
        pyramid = build_pyramid(_told(rows_ahead, observer), stack.grid.shape, stack.legend.nodata, room)
    page.data["levels"] = pyramid.levels
    with output_errors(target), target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page.pieces(tile.text for tile in pyramid.tiles))


def _told(rows: Iterable[SeriesRows], observer: Observer) -> Iterator[SeriesRows]:
    for painted in rows:
        yield painted
        observer.advance(painted.shape[0] * painted.shape[1])


def images_of_series(
    stack: MapStack, dated: Sequence[DatedImage], intervals: Sequence[Interval], grid_image: str
) -> list[AlignedImage]:
    """Return each image on the series' grid, at the place to which the maps have shifted it.

    Raises InputError where one cannot be read.
    """
    reference = read_picture(grid_image)
    shifts = shifts_of(intervals)
    images = []
    for one in dated:
        scene = read_picture(one.path)
        if (shift := shifts.get(one.path)) is not None:
            scene = _shifted(scene, reference, stack, shift)
        offset = None if scene.placement else whole_pixel_offset(stack.grid, scene.grid)
        images.append(AlignedImage(scene, stack.grid, offset))
    return images


def shifts_of(intervals: Sequence[Interval]) -> dict[str, tuple[float, float]]:
    """Return by how many (rows, cols) each image was off that of the grid, for those that were shifted."""
    found: dict[str, tuple[float, float]] = {}
    for interval in intervals:
        with open_raster(interval.map) as dataset:
            told = options_of(dataset.tags())
        for image, shift in zip(
            (interval.earlier, interval.later), told.get("shift_px") or (None, None), strict=True
        ):
            if shift is not None:
                found[image.path] = (float(shift[0]), float(shift[1]))
    return found


def _shifted(scene: Scene, reference: Scene, stack: MapStack, shift: tuple[float, float]) -> Scene:
    """Return an image after its shift, which is in pixels of the maps, has been corrected."""
    pair = ScenePair(reference, scene)
    aligned = replace(align_pair(pair, GridOptions()), grid=stack.grid)
    return coregistered(pair, aligned, Registration(1, 1, *shift, 0.0), "before").after


def title_of(report: SeriesReport, stack: MapStack) -> str:
    """Return a title by dates and place."""
    place = place_text(stack.grid)
    return (
        f"Changes from {report.images[0].date} to {report.images[-1].date}{f' at {place}' if place else ''}"
    )


def page_data(report: SeriesReport, stack: MapStack) -> dict[str, Any]:
    """Return what the page's script shows, but for the tiles."""
    legend, count = stack.legend, len(report.intervals)
    colors = colors_of_time(count)
    return {
        **place_data(stack.grid),
        "finding": finding_text(report),
        "consistency": consistency_text(report.consistency).capitalize() + "." if report.consistency else "",
        "days": [image.date for image in report.images],
        "code_layers": count + 1,
        "classes": [
            {"name": name, "color": color} for name, color in zip(legend.names, legend.colors, strict=True)
        ],
        "transitions": [],
        "probability": None,
        "nodata": _entry(legend.nodata, "no data", NO_DATA, 0, None),
        "when": [
            _entry(number, one.name, color, one.last_change_pixels, one.last_change_ha)
            for number, (one, color) in enumerate(zip(report.intervals, colors, strict=True), 1)
        ],
        "gaps": [
            _entry(
                INCOMPLETE, "no change seen, some intervals without data", GAP_COLOR, report.incomplete_pixels,
                report.incomplete_ha,
            ),
            _entry(NODATA, "no data in any interval", NO_DATA, report.nodata_pixels, report.nodata_ha),
        ],
        "intervals": [
            {
                "name": one.name,
                "transitions": [transition_data(row, legend) for row in one.table.transitions],
                "nodata": {
                    "pixels": one.table.nodata_pixels,
                    "amount": area_text(one.table.nodata_ha, one.table.nodata_pixels),
                },
                "changed": area_text(one.table.changed_ha, one.table.changed_pixels),
                "last": area_text(one.last_change_ha, one.last_change_pixels),
            }
            for one in report.intervals
        ],
        "frequencies": [
            {"name": str(one.times) if one.times else "none", "amount": area_text(one.ha, one.pixels)}
            for one in report.frequencies
        ],
        "facts": list(_facts(report, stack)),
    }  # fmt: skip


def _entry(
    code: int, name: str, color: tuple[int, int, int], pixels: int, ha: float | None
) -> dict[str, Any]:
    """Return what the page's script knows of a number that is no transition."""
    return {
        "code": code, "name": name, "from": None, "to": None, "color": color, "pixels": pixels,
        "amount": area_text(ha, pixels),
    }  # fmt: skip


def _facts(report: SeriesReport, stack: MapStack) -> Iterator[tuple[str, str]]:
    size = pixel_size_m(stack.grid)
    yield "size", f"{report.width:,} x {report.height:,} pixels" + (f" of {size:.3g} m" if size else "")
    for image in report.images:
        yield f"image of {image.date}", f"{Path(image.path).name} (date: {image.date_from})"
    yield "maps", ", ".join(Path(one.map).name for one in report.intervals)
    yield "page made", f"{date.today().isoformat()} by lsafnet {report.version}"
