"""Masks: pixels excluded from a map by an area or by the clouds of either date."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lsafnet_cli.errors import InputError, NoOverlapError, OptionError
from lsafnet_cli.files.rasters import grid_of, open_raster, rasterio_open
from lsafnet_cli.files.sources import local_path
from lsafnet_cli.geometry.arrays import BoolArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.name_dates import date_in_name
from lsafnet_cli.scenes.outline import place_outlines, read_outline

SAMPLE_PX = 1024  # longest side of the decimated read that estimates the shares
CLOUDS, SHADOWS, SNOW, DEFECTIVE, EXCLUDED = (
    "clouds",
    "cloud shadows",
    "snow",
    "defective pixels",
    "excluded areas",
)
SCL = {1: DEFECTIVE, 3: SHADOWS, 8: CLOUDS, 9: CLOUDS, 10: CLOUDS, 11: SNOW}
"""Values of Sentinel-2's scene classification."""
QA_PIXEL = {1: CLOUDS, 2: CLOUDS, 3: CLOUDS, 4: SHADOWS, 5: SNOW}
"""Bits of Landsat Collection 2's QA_PIXEL: dilated cloud, cirrus, cloud, cloud shadow, snow."""
NAMED = ("scl", "qa_pixel")
RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img")
Codes = NDArray[Any]


class Mask(Protocol):
    """A source of masked pixels of a grid, by cause."""

    def causes(self, grid: Grid, window: Window) -> Mapping[str, BoolArray]:
        """Return (rows, cols) for each cause over a window of `grid`. Raises InputError."""
        ...


@dataclass(frozen=True, slots=True)
class RasterMask:
    """A band whose values mask pixels: `kind` is "scl", "qa_pixel", or "values" (None: all but 0)."""

    path: str
    kind: str
    band: int = 1
    values: tuple[int, ...] | None = None

    def causes(self, grid: Grid, window: Window) -> Mapping[str, BoolArray]:
        """Return (rows, cols) for each cause, by nearest-neighbour resampling."""
        codes = _read_band(self.path, self.band, grid, window)
        if self.kind == "values":
            return {EXCLUDED: codes != 0 if self.values is None else np.isin(codes, self.values)}
        if self.kind == "scl":
            return {
                cause: np.isin(codes, [code for code, meant in SCL.items() if meant == cause])
                for cause in dict.fromkeys(SCL.values())
            }
        return {
            cause: (codes & sum(1 << bit for bit, meant in QA_PIXEL.items() if meant == cause)) > 0
            for cause in dict.fromkeys(QA_PIXEL.values())
        }


@dataclass(frozen=True, slots=True)
class AreaMask:
    """Polygons in pixel coordinates of a grid that mask the pixels within."""

    path: str
    area: AreaOfInterest

    def causes(self, grid: Grid, window: Window) -> Mapping[str, BoolArray]:  # noqa: ARG002 - placed already
        """Return (rows, cols), True within the polygons."""
        return {EXCLUDED: self.area.inside(window)}


@dataclass(frozen=True, slots=True)
class PlacedMask:
    """A mask for a part of the grid it was made for; `row`, `col` are the first pixel of that part."""

    mask: RasterMask | AreaMask
    grid: Grid
    row: int = 0
    col: int = 0

    def cut(self, window: Window) -> Self:
        """Return the mask relative to the first pixel of a window."""
        return replace(self, row=self.row + int(window.row_off), col=self.col + int(window.col_off))

    def excluded(self, window: Window) -> BoolArray:
        """Return (rows, cols), True where pixels of a window are masked. Raises InputError."""
        moved = Window(window.col_off + self.col, window.row_off + self.row, window.width, window.height)
        return np.asarray(np.logical_or.reduce(list(self.mask.causes(self.grid, moved).values())))

    def shares(self) -> dict[str, float]:
        """Return the approximate share of the grid masked by each cause, from lines spread over it."""
        step = max(1, self.grid.height // SAMPLE_PX)
        width, seen = self.grid.width, dict[str, list[float]]()
        for row in range(step // 2, self.grid.height, step):
            for cause, pixels in self.mask.causes(self.grid, Window(0, row, width, 1)).items():
                seen.setdefault(cause, []).append(float(pixels.mean()))
        return {cause: float(np.mean(shares)) for cause, shares in seen.items()}


def cloud_mask(wish: str, image: str) -> RasterMask:
    """Return the mask that "scl", "qa_pixel" or a file name means for an image.

    Raises OptionError if the image has no such band or side file.
    """
    if wish not in NAMED:
        name = Path(wish).name.casefold()
        kind = next((kind for kind in NAMED if _has_word(name, kind)), "values")
        return RasterMask(wish, kind)
    with open_raster(image) as dataset:
        for band, text in enumerate(dataset.descriptions, start=1):
            if (text or "").casefold() == wish:
                return RasterMask(image, wish, band)
    path = local_path(image)
    found = _neighbours(path, wish) if path is not None else []
    if len(found) == 1:
        return RasterMask(str(found[0]), wish)
    what = f"{len(found)} files beside it match" if found else "no band and no file beside it has this name"
    raise OptionError(f"`cloud_masks` {wish}: {image} has no such mask ({what}); name the mask file")


def _neighbours(image: Path, word: str) -> list[Path]:
    """Return the files beside an image or its folder that have this name and belong to the image by name."""
    folders = (image.parent, *(image.parent.parent.glob("R?0m") if image.parent.name.startswith("R") else ()))
    every = sorted(
        path
        for folder in folders
        for path in folder.iterdir()
        if path.suffix.lower() in RASTERS and _has_word(path.stem.casefold(), word) and path != image
    )
    mine = date_in_name(image.name)
    if mine is None:
        return every
    same = [path for path in every if (his := date_in_name(path.name)) and his.first_day == mine.first_day]
    return same or every


def _has_word(name: str, word: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){word}(?![a-z])", name) is not None


def exclusion(path: str, values: Sequence[int] | None, grid: Grid) -> RasterMask | AreaMask | None:
    """Return the mask of a file, from pixels of a raster or from polygons; None if it is outside the grid."""
    try:
        with rasterio_open(path):
            return RasterMask(path, "values", values=tuple(values) if values is not None else None)
    except RasterioIOError:
        if values is not None:
            raise OptionError(f"`exclude_values`: {path} cannot be read as a raster") from None
    try:
        return AreaMask(path, place_outlines([read_outline(path, "exclude")], grid))
    except NoOverlapError:
        return None


def _read_band(path: str, band: int, grid: Grid, window: Window) -> Codes:
    """Return (rows, cols) values of a band over a window of a grid, by nearest neighbour; 0 outside the file."""
    with open_raster(path) as dataset:
        own = grid_of(dataset)
        if grid.crs is None or own.crs is None:
            if own.shape != grid.shape:
                raise InputError(
                    f"{path}: is {own.width}x{own.height} pixels and not georeferenced, the map "
                    f"{grid.width}x{grid.height}; georeference it, or give it that size"
                )
            return np.asarray(dataset.read(band, window=window))
        with WarpedVRT(
            dataset, crs=grid.crs, transform=grid.transform, width=grid.width, height=grid.height,
            resampling=Resampling.nearest, nodata=0,
        ) as warped:  # fmt: skip
            return np.asarray(warped.read(band, window=window))
