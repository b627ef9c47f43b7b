"""Row bands of all that the page of a series shows: when the ground last changed, each interval's map, each image."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.maps.quicklook_sheet import Picture
from lsafnet_cli.report_page.painted_rows import CACHE_BYTES, date_reader
from lsafnet_cli.report_page.tile_rows import (
    TILE_PX,
    codes_text,
    halved_codes,
    halved_picture,
    picture_text,
)
from lsafnet_cli.scenes.align import AlignedImage
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.series.chain import INCOMPLETE
from lsafnet_cli.series.stack import MapStack

PIXELS_AT_ONCE = 1 << 22  # of all layers together


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Some full-width rows: `codes` (rows, cols), first of WHEN and then of each interval; images (rows, cols, 3)."""

    codes: tuple[NDArray[np.unsignedinteger], ...]
    images: tuple[Picture, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.codes[0].shape
        return rows, cols

    def cut(self, rows: slice, cols: slice) -> "SeriesRows":
        """Return a part of it."""
        return SeriesRows(
            tuple(layer[rows, cols] for layer in self.codes),
            tuple(layer[rows, cols] for layer in self.images),
        )

    def above(self, other: "SeriesRows") -> "SeriesRows":
        """Return both as one, `other` below."""
        codes = zip(self.codes, other.codes, strict=True)
        images = zip(self.images, other.images, strict=True)
        return SeriesRows(tuple(map(np.concatenate, codes)), tuple(map(np.concatenate, images)))

    def halved(self) -> "SeriesRows":
        """Return it in half as many rows and cols, rounded up."""
        return SeriesRows(tuple(map(halved_codes, self.codes)), tuple(map(halved_picture, self.images)))

    def changed_pixels(self, nodata: int) -> int:
        """Return how many pixels changed in any interval."""
        when = self.codes[0]
        return int(np.count_nonzero((when > 0) & (when < min(INCOMPLETE, nodata))))

    def texts(self) -> Iterator[str]:
        """Yield each layer as JSON."""
        yield from map(codes_text, self.codes)
        yield from map(picture_text, self.images)


def read_series_rows(stack: MapStack, when: Path, images: Sequence[AlignedImage]) -> Iterator[SeriesRows]:
    """Yield row bands from top to bottom, each pixel of each file read once. Raises InputError.

    Memory follows the width of the grid and the number of dates.
    """
    grid, kind = stack.grid, stack.legend.dtype
    with ExitStack() as opened:
        opened.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES))
        last = opened.enter_context(open_raster(when))
        maps = [opened.enter_context(open_raster(one[CODES])) for one in stack.rasters]
        dates = [date_reader(opened.enter_context(ImageReader(image))) for image in images]
        rows = max(1, PIXELS_AT_ONCE // (len(images) * TILE_PX * grid.width)) * TILE_PX
        for top in range(0, grid.height, rows):
            window = Window(0, top, grid.width, min(rows, grid.height - top))
            codes = (dataset.read(1, window=window).astype(kind) for dataset in (last, *maps))
            yield SeriesRows(tuple(codes), tuple(read(window) for read in dates))
