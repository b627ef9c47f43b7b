"""Polygons of when the ground last changed: of each interval those pixels that nothing changed later."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio

from lsafnet_cli.files.layer_style import add_layer_style, categorized_style
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.publishing import WorkFolder, output_errors
from lsafnet_cli.files.rasters import open_raster, work_profile
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import PolygonOptions
from lsafnet_cli.polygons.files import polygon_errors
from lsafnet_cli.polygons.gathering import append_polygons, remove_rest
from lsafnet_cli.polygons.table import GEOMETRY, LAYER_NAME
from lsafnet_cli.polygons.vectorization import vectorizing
from lsafnet_cli.polygons.vectorize import ChangeMap
from lsafnet_cli.series.intervals import Interval
from lsafnet_cli.series.layers import colors_of_time
from lsafnet_cli.series.stack import MapStack

FIELD, NUMBER = "when", "interval"  # of the polygons, besides those that all polygons have


def write_polygons(
    stack: MapStack, intervals: Sequence[Interval], when: Path, final: Path, store: WorkFolder,
    options: PolygonOptions, observer: Observer,
) -> int:  # fmt: skip
    """Write a GeoPackage of what changed last in each interval to the work folder; return how many polygons it has.

    `when` is the raster of the numbers of intervals. A polygon is a connected component of one transition within
    one interval. Memory follows the number of an interval's polygons. Raises InputError, OutputError.
    """
    target, part = store.path(final.name), store.path("part.gpkg")
    crs = stack.grid.crs.to_wkt() if stack.grid.crs is not None else None
    remove_rest(target)
    count = 0
    with watched(observer, "polygons", len(intervals), "intervals"):
        for number, (interval, rasters) in enumerate(zip(intervals, stack.rasters, strict=True), 1):
            change_map = ChangeMap(
                codes=_last_changes(stack, rasters, when, number, store),
                probability=rasters.get("probability"),
                legend=stack.legend,
                before_date=interval.earlier.date.day,
                after_date=interval.later.date.day,
                scene=interval.map.stem,
            )
            with vectorizing(
                change_map, [part], replace(options, review_form=False), stack.grid.pixel_count
            ) as wait:
                wait()
            with polygon_errors(str(final)):
                count = append_polygons(target, part, {FIELD: interval.name, NUMBER: number}, count, crs)
                remove_rest(part)
            observer.advance(1)
    names = [interval.name for interval in intervals]
    colors = dict(zip(names, colors_of_time(len(names)), strict=True))
    style = categorized_style(FIELD, colors, "when", "interval of the last change")
    with polygon_errors(str(final)):
        add_layer_style(target, LAYER_NAME, GEOMETRY, style)
    return count


def _last_changes(
    stack: MapStack, rasters: Mapping[str, Path], when: Path, number: int, store: WorkFolder
) -> Path:
    """Write the codes of an interval where nothing changed later, 0 elsewhere, to a raster of the work folder."""
    path, grid, legend = store.path("last.work.tif"), stack.grid, stack.legend
    with (
        output_errors(path),
        open_raster(rasters[CODES]) as codes,
        open_raster(when) as last,
        rasterio.open(path, "w", **work_profile(grid, legend.dtype, legend.nodata)) as dataset,
    ):
        for window in row_windows(grid):
            rows = codes.read(1, window=window)
            kept = (last.read(1, window=window) == number) | (rows == legend.nodata)
            dataset.write(np.where(kept, rows, 0).astype(legend.dtype), 1, window=window)
    return path
