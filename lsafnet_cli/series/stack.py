"""The maps of a series on one grid: virtual rasters over all ground that any of them covers."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasterio.windows import Window

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.layers import CODES, PERCENT_NODATA
from lsafnet_cli.files.publishing import WorkFolder, output_errors
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.vrt import Part, RasterMeta, vrt_xml
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.table import open_legend
from lsafnet_cli.scenes.align import offset_px
from lsafnet_cli.series.chain import IntervalRows
from lsafnet_cli.series.intervals import Interval

LAYERS = ("before", "after", "probability")


@dataclass(frozen=True, slots=True)
class MapStack:
    """Maps on one grid, which share a legend: for each interval its rasters by name, "codes" and the layers kept."""

    grid: Grid
    legend: Legend
    rasters: tuple[dict[str, Path], ...]

    @contextmanager
    def opened(self) -> Iterator["OpenStack"]:
        """Open the codes and the land cover of all maps. Raises InputError."""
        with ExitStack() as opened:
            names = (CODES, "before", "after")
            yield OpenStack(
                self,
                tuple(
                    {name: opened.enter_context(open_raster(one[name])) for name in names if name in one}
                    for one in self.rasters
                ),
            )


@dataclass(frozen=True, slots=True)
class OpenStack:
    """The open rasters of a stack."""

    stack: MapStack
    datasets: tuple[dict[str, Any], ...]

    def rows(self, window: Window) -> Iterator[IntervalRows]:
        """Yield a window of each interval's map, one after the other. Raises InputError."""
        for one in self.datasets:
            read = {name: dataset.read(1, window=window) for name, dataset in one.items()}
            yield IntervalRows(read[CODES], read.get("before"), read.get("after"))


def stack_maps(intervals: Sequence[Interval], store: WorkFolder) -> MapStack:
    """Lay maps over each other, by virtual rasters in the work folder.

    Raises InputError where a map is none, or has other classes or pixels than the first one.
    """
    found = [open_legend(interval.map) for interval in intervals]
    legend, base = found[0]
    places = []
    for interval, (other, grid) in zip(intervals, found, strict=True):
        if other != legend:
            raise InputError(f"{interval.map}: has other classes than {intervals[0].map}")
        places.append(_place(interval, grid, base))
    top, left = (min(place[axis] for place in places) for axis in (0, 1))
    end = max(row + grid.height for (row, _), (_, grid) in zip(places, found, strict=True))
    right = max(col + grid.width for (_, col), (_, grid) in zip(places, found, strict=True))
    whole = base.cut(Window(left, top, right - left, end - top))
    rasters = []
    for number, (interval, (row, col), (_, grid)) in enumerate(zip(intervals, places, found, strict=True), 1):
        files = {CODES: interval.map, **{name: path for name in LAYERS if (path := interval.layer(name))}}
        row, col = row - top, col - left
        place = row, row + grid.height, col, col + grid.width
        rasters.append(
            {
                name: _virtual(store, f"{number:03d}.{name}.vrt", path, place, whole, legend)
                for name, path in files.items()
            }
        )
    return MapStack(whole, legend, tuple(rasters))


def _place(interval: Interval, grid: Grid, base: Grid) -> tuple[int, int]:
    """Return the (row, col) of a map's first pixel on another's grid. Raises InputError off its pixels."""
    place = offset_px(grid, base)
    whole = None if place is None else (round(place[0]), round(place[1]))
    if place is None or whole is None or max(abs(place[0] - whole[0]), abs(place[1] - whole[1])) > 0.01:
        raise InputError(f"{interval.map}: does not lie on the grid of the series' first map")
    return whole


def _virtual(
    store: WorkFolder, name: str, source: Path, place: tuple[int, int, int, int], grid: Grid, legend: Legend
) -> Path:
    """Write a virtual raster of one layer over the whole grid."""
    of_codes = f".{CODES}." in name
    meta = RasterMeta(
        grid=grid,
        dtype=legend.dtype if of_codes else "uint8",
        nodata=legend.nodata if of_codes else PERCENT_NODATA,
        description="",
        relative_paths=True,
    )
    path = store.path(name)
    part = Part(Path(os.path.relpath(source, path.parent)), *place)
    with output_errors(path):
        path.write_text(vrt_xml(meta, [part]), encoding="utf-8")
    return path
