"""Row bands of all layers of a page on the map's grid: codes, both dates as pictures, probability."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.files.layers import PERCENT_NODATA
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.maps.quicklook import NO_DATA
from lsafnet_cli.maps.quicklook_sheet import Picture
from lsafnet_cli.options import StretchRule
from lsafnet_cli.report_page.tile_rows import TILE_PX, codes_text, halved_codes, halved_picture, picture_text
from lsafnet_cli.scenes.align import AlignedImage
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.stretch import percentile_limits, sample_scene
from lsafnet_cli.scenes.validity import BoolArray, NumberArray

PIXELS_AT_ONCE = 1 << 21
CACHE_BYTES = 96 << 20  # holds a row of blocks of every file, so that none is decoded twice
FOR_THE_EYE = StretchRule("percentile", 1.0, 99.0)


@dataclass(frozen=True, slots=True)
class PaintedRows:
    """Some full-width rows: codes (rows, cols); dates (rows, cols, 3) and percent (rows, cols) where at hand.

    Percent is 0 where it is not known; the codes say where that is.
    """

    codes: NDArray[np.unsignedinteger]
    before: Picture | None = None
    after: Picture | None = None
    percent: NDArray[np.uint8] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.codes.shape
        return rows, cols

    @property
    def layers(self) -> tuple[Any, ...]:
        """All arrays, None for missing ones."""
        return self.codes, self.before, self.after, self.percent

    def cut(self, rows: slice, cols: slice) -> "PaintedRows":
        """Return a part of it."""
        others = (None if layer is None else layer[rows, cols] for layer in self.layers[1:])
        return PaintedRows(self.codes[rows, cols], *others)

    def above(self, other: "PaintedRows") -> "PaintedRows":
        """Return both as one, `other` below."""
        pairs = zip(self.layers[1:], other.layers[1:], strict=True)
        others = (None if one is None else np.concatenate([one, two]) for one, two in pairs)
        return PaintedRows(np.concatenate([self.codes, other.codes]), *others)

    def halved(self) -> "PaintedRows":
        """Return it in half as many rows and cols, rounded up: of 2 x 2 the mean, of codes the most frequent."""
        others = (None if layer is None else halved_picture(layer) for layer in self.layers[1:])
        return PaintedRows(halved_codes(self.codes), *others)

    def changed_pixels(self, nodata: int) -> int:
        """Return how many pixels have changed."""
        return int(np.count_nonzero((self.codes != 0) & (self.codes != nodata)))

    def texts(self) -> Iterator[str]:
        """Yield the codes, both dates and the probability as JSON."""
        halves = None if self.percent is None else self.percent * 2  # of a percent: JPEG is not exact
        yield codes_text(self.codes)
        yield from map(picture_text, (self.before, self.after, halves))


def read_bands(
    map_path: str, pair: tuple[AlignedImage, AlignedImage] | None, probability: str | None
) -> Iterator[PaintedRows]:
    """Yield a map's row bands from top to bottom, each pixel of each file read once. Raises InputError."""
    with ExitStack() as opened:
        opened.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES))
        codes = opened.enter_context(open_raster(map_path))
        percent = opened.enter_context(open_raster(probability)) if probability is not None else None
        dates = [date_reader(opened.enter_context(ImageReader(image))) for image in pair or ()]
        grid = grid_of(codes)
        rows = max(1, PIXELS_AT_ONCE // (TILE_PX * grid.width)) * TILE_PX
        for top in range(0, grid.height, rows):
            window = Window(0, top, grid.width, min(rows, grid.height - top))
            before, after = (read(window) for read in dates) if dates else (None, None)
            known = None if percent is None else percent.read(1, window=window)
            if known is not None:
                known[known == PERCENT_NODATA] = 0
                np.minimum(known, 100, out=known)
            yield PaintedRows(codes.read(1, window=window), before, after, known)


def date_reader(reader: ImageReader) -> Callable[[Window], Picture]:
    """Return a function that reads a window of a date as (rows, cols, 3), with one stretch, grey without data."""
    image = reader.image
    paint, shown = painter(image), list(image.scene.shown)

    def read(window: Window) -> Picture:
        shape = int(window.height), int(window.width)
        numbers = np.empty((len(image.scene.bands), *shape), image.scene.dtype)
        valid = np.ones(shape, bool)
        reader.read(window, numbers, valid)
        return paint(numbers[shown], valid)

    return read


def painter(image: AlignedImage) -> Callable[[NumberArray, BoolArray], Picture]:
    """Return a function that converts the shown bands (3 or 1, rows, cols) to a picture, by one stretch."""
    sample = sample_scene(image.scene)
    low, high = percentile_limits(
        sample.numbers[list(image.scene.shown)][:, sample.valid].ravel(), FOR_THE_EYE
    )
    kind = np.dtype(image.scene.dtype)

    def stretched(numbers: NumberArray) -> NDArray[np.uint8]:
        shares = (numbers.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
        return np.asarray(np.clip(shares, 0, 255)).astype(np.uint8)

    small = kind.kind in "iu" and kind.itemsize <= 2
    unsigned = np.dtype(f"u{kind.itemsize}")
    table = stretched(np.arange(1 << 8 * kind.itemsize).astype(unsigned).view(kind)) if small else None

    def paint(numbers: NumberArray, valid: BoolArray) -> Picture:
        painted = (
            table[numbers.view(unsigned)] if table is not None else stretched(np.where(valid, numbers, 0))
        )
        picture = np.moveaxis(painted if len(painted) == 3 else painted.repeat(3, axis=0), 0, -1)
        picture[~valid] = NO_DATA
        return np.asarray(picture)

    return paint
