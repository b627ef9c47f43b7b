"""The rasters of a series, written in one pass over the maps by row bands, and what is counted on the way."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.files.publishing import WorkFolder, output_errors
from lsafnet_cli.files.raster_styles import RasterStyle
from lsafnet_cli.files.rasters import work_profile
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import PixelAreas, pixel_areas
from lsafnet_cli.geometry.row_bands import row_windows, run_areas
from lsafnet_cli.geometry.runs import find_runs
from lsafnet_cli.maps.count import CodeCounts
from lsafnet_cli.maps.table import ChangeTable, table_of
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.prediction.write import write_styled
from lsafnet_cli.series.chain import NODATA, ChainRows, IntervalRows, follow_chain
from lsafnet_cli.series.layers import FIELDS, OBSERVED, TIMES, WHEN, layer_names, style_of
from lsafnet_cli.series.stack import MapStack, OpenStack

CACHE_BYTES = 64 << 20
PIXELS_AT_ONCE = 1 << 21  # of each of the arrays that are at work
VALUES = 256


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Pixels and ground in m2 of each value of a uint8 raster, counted up while rows pass; NaN without areas."""

    areas: PixelAreas | None
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(VALUES, np.int64))
    ground: NDArray[np.float64] = field(default_factory=lambda: np.zeros(VALUES))

    def add(self, values: NDArray[np.uint8], top: int) -> None:
        """Count (rows, cols) values that begin at row `top`."""
        runs = find_runs(values, top)
        self.pixels[:] += np.bincount(runs.code, runs.length, VALUES).astype(np.int64)
        self.ground[:] += np.bincount(runs.code, run_areas(runs, self.areas), VALUES)


@dataclass(slots=True)
class SeriesCounts:
    """What is counted in one pass: the table of each interval, values of WHEN and TIMES, and inner dates."""

    codes: list[CodeCounts]
    values: dict[str, ValueCounts]
    compared: NDArray[np.int64]
    disagreeing: NDArray[np.int64]

    @classmethod
    def start(cls, stack: MapStack) -> "SeriesCounts":
        """Return counts of nothing yet."""
        areas, count = pixel_areas(stack.grid), len(stack.rasters)
        codes = [CodeCounts.start(str(one["codes"]), stack.legend, areas) for one in stack.rasters]
        inner = max(count - 1, 0)
        values = {name: ValueCounts(areas) for name in (WHEN, TIMES)}
        return cls(codes, values, np.zeros(inner, np.int64), np.zeros(inner, np.int64))

    def add(self, chain: ChainRows, top: int) -> None:
        """Count what the intervals say together of rows that begin at row `top`."""
        for name, counts in self.values.items():
            counts.add(getattr(chain, FIELDS[name]), top)
        self.compared += np.array(chain.compared, np.int64)
        self.disagreeing += np.array(chain.disagreeing, np.int64)

    def counted(self, rows: Iterator[IntervalRows], top: int) -> Iterator[IntervalRows]:
        """Yield each interval's rows, counted."""
        for one, counts in zip(rows, self.codes, strict=True):
            counts.add(one.codes, top, 0)
            yield one

    @property
    def tables(self) -> list[ChangeTable]:
        """The areas of each interval's map, over the ground of the whole series."""
        return [table_of(counts) for counts in self.codes]


def write_rasters(
    stack: MapStack, intervals: Sequence[str], store: WorkFolder, tags: Mapping[str, str],
    creation_options: Mapping[str, str], observer: Observer,
) -> tuple[list[Path], SeriesCounts]:  # fmt: skip
    """Write the rasters of a series to the work folder; return their final names beside its output, and the counts.

    Memory follows the width of the grid, not the number of rows or dates. Raises InputError, OutputError.
    """
    styles = {name: style_of(name, intervals, stack.legend) for name in layer_names(stack.legend.semantic)}
    counts, folder = SeriesCounts.start(stack), store.output.parent
    finals: list[Path] = []
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), output_errors(folder / f"{WHEN}.tif"):
        with (
            watched(observer, "series", stack.grid.pixel_count),
            stack.opened() as maps,
            _plain_rasters(store, styles, stack.grid, tags) as plain,
        ):
            for window in row_windows(stack.grid, PIXELS_AT_ONCE):
                _write_rows(maps, window, plain, counts)
                observer.advance(int(window.width * window.height))
        for name, style in styles.items():
            source = store.path(f"{name}.work.tif")
            final = folder / f"{name}.tif"
            finals += write_styled(source, store, final, style, stack.grid.pixel_count, creation_options)
            source.unlink()
    return finals, counts


def _write_rows(maps: OpenStack, window: Window, plain: Mapping[str, Any], counts: SeriesCounts) -> None:
    top = int(window.row_off)
    chain = follow_chain(counts.counted(maps.rows(window), top), maps.stack.legend)
    counts.add(chain, top)
    for name, dataset in plain.items():
        dataset.write(getattr(chain, FIELDS[name]), 1, window=window)


@contextmanager
def _plain_rasters(
    store: WorkFolder, styles: Mapping[str, RasterStyle], grid: Grid, tags: Mapping[str, str]
) -> Iterator[Mapping[str, Any]]:
    """Open a plain raster for each layer, to be written by row bands."""
    with ExitStack() as opened:
        plain = {}
        for name, style in styles.items():
            profile = work_profile(grid, "uint8", None if name == OBSERVED else NODATA)
            path = store.path(f"{name}.work.tif")
            dataset = plain[name] = opened.enter_context(rasterio.open(path, "w", **profile))
            dataset.update_tags(**tags)
            dataset.set_band_description(1, style.description)
            dataset.write_colormap(1, {entry.value: (*entry.color, 255) for entry in style.categories})
        yield plain
