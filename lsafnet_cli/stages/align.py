"""Align: a `ScenePair` becomes an `AlignedPair`, two images on one grid over the ground they share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from lsafnet_cli.errors import InputError, NoOverlapError
from lsafnet_cli.stages.read import (
    RASTER_ERRORS,
    BoolArray,
    NumberArray,
    Scene,
    ScenePair,
    rasterio_open,
    valid_pixels,
)
from lsafnet_cli.stages.sources import reading_failed
from lsafnet_cli.types import Grid

WHOLE_PIXEL_TOLERANCE_PX = 0.01  # below what any resampling could mend
EDGE_POINTS = 33  # along each side of a footprint, so that a curved edge is followed in another CRS


@dataclass(frozen=True, slots=True)
class AlignedImage:
    """One date on the common grid: read at an offset of whole pixels, or warped on read where that is None."""

    scene: Scene
    grid: Grid
    offset: tuple[int, int] | None

    @property
    def block_shape(self) -> tuple[int, int]:
        """(rows, cols) of the unit that reads should respect; a warp has none of its own."""
        return self.scene.block_shape if self.offset is not None else (1, self.grid.width)

    @property
    def all_valid(self) -> bool:
        """Whether no pixel of the grid can be without data; a warp may reach beyond its image."""
        return self.offset is not None and self.scene.all_valid

    def cut(self, window: Window, grid: Grid) -> "AlignedImage":
        """Return the image over a window of its grid, which makes the grid `grid`."""
        if self.offset is None:
            return replace(self, grid=grid)
        row, col = self.offset
        return replace(self, grid=grid, offset=(row + int(window.row_off), col + int(window.col_off)))


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """Both dates on one grid, which covers the ground they share."""

    grid: Grid
    before: AlignedImage
    after: AlignedImage

    def cut(self, window: Window) -> "AlignedPair":
        """Return the pair over a window of whole pixels."""
        grid = self.grid.cut(window)
        return AlignedPair(grid, self.before.cut(window, grid), self.after.cut(window, grid))


def align_pair(pair: ScenePair) -> AlignedPair:
    """Put the after image on the before image's grid, over the ground both cover.

    Raises NoOverlapError where they share none.
    """
    window = shared_window(pair.before, pair.after)
    grid = pair.before.grid.cut(window)
    before = AlignedImage(pair.before, grid, (int(window.row_off), int(window.col_off)))
    return AlignedPair(
        grid, before, AlignedImage(pair.after, grid, whole_pixel_offset(grid, pair.after.grid))
    )


def shared_window(before: Scene, after: Scene) -> Window:
    """Return the window of before's grid whose pixel centres lie within the after image's bounding box."""
    cols, rows = _footprint(after.grid, before.grid)
    first_row, end_row = _centres_between(rows, before.grid.height)
    first_col, end_col = _centres_between(cols, before.grid.width)
    if first_row >= end_row or first_col >= end_col:
        raise NoOverlapError(
            f"{before.path} and {after.path} share no ground: {_extent(before.grid)} against "
            f"{_extent(after.grid)}; check each file's CRS"
        )
    return Window(first_col, first_row, end_col - first_col, end_row - first_row)


def _footprint(grid: Grid, onto: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (cols, rows) on `onto` of points along the edge of `grid`."""
    share = np.linspace(0.0, 1.0, EDGE_POINTS)
    along = np.concatenate([share, share, 0 * share, 0 * share + 1])
    across = np.concatenate([0 * share, 0 * share + 1, share, share])
    x, y = grid.to_ground(along * grid.width, across * grid.height)
    if grid.crs != onto.crs and grid.crs is not None and onto.crs is not None:
        x, y = (np.asarray(axis) for axis in transform_points(grid.crs, onto.crs, x, y))
    seen = np.isfinite(x) & np.isfinite(y)
    return onto.to_pixels(x[seen], y[seen])


def _centres_between(positions: NDArray[np.float64], length: int) -> tuple[int, int]:
    if positions.size == 0:
        return 0, 0
    slack = WHOLE_PIXEL_TOLERANCE_PX
    first = np.ceil(positions.min() - 0.5 - slack)
    end = np.floor(positions.max() - 0.5 + slack) + 1
    return int(np.clip(first, 0, length)), int(np.clip(end, 0, length))


def _extent(grid: Grid) -> str:
    corners = [grid.transform @ corner for corner in ((0, 0), (grid.width, grid.height))]
    (left, top), (right, bottom) = corners
    name = grid.crs.to_string() if grid.crs is not None else "no CRS"
    name = name if len(name) <= 40 else f"{name[:37]}..."
    return f"{left:.9g} {bottom:.9g} {right:.9g} {top:.9g} ({name})"


def whole_pixel_offset(grid: Grid, other: Grid) -> tuple[int, int] | None:
    """Return (row, col) of `grid`'s first pixel on `other`, or None where pixels do not coincide."""
    if grid.crs != other.crs:
        return None
    corners = np.array([(0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height)], float)
    placed = np.array([~other.transform @ (grid.transform @ corner) for corner in corners])
    shift = placed - corners
    whole = np.round(shift[0])
    if np.abs(shift - whole).max() > WHOLE_PIXEL_TOLERANCE_PX:
        return None
    col, row = (int(value) for value in whole)
    inside = row >= 0 and col >= 0 and row + grid.height <= other.height and col + grid.width <= other.width
    return (row, col) if inside else None


class ImageReader:
    """Reads one date by windows of the common grid, from any number of threads; each keeps its own handle."""

    def __init__(self, image: AlignedImage) -> None:
        self.image = image
        self._local = threading.local()
        self._close: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for close in self._close:
            close()

    def read(self, window: Window, numbers: NumberArray, valid: BoolArray) -> None:
        """Fill `numbers` (bands, rows, cols), and `valid` (rows, cols) where it can be False. Raises InputError."""
        scene = self.image.scene
        try:
            dataset = self._dataset()
            placed = self._placed(window)
            dataset.read(scene.bands, window=placed, out=numbers)
            if not self.image.all_valid:
                valid[:] = self._valid(dataset, placed, numbers)
        except RASTER_ERRORS as error:
            raise InputError(reading_failed(scene.path, error)) from error

    def _placed(self, window: Window) -> Window:
        row, col = self.image.offset or (0, 0)
        return Window(window.col_off + col, window.row_off + row, window.width, window.height)

    def _valid(self, dataset: Any, window: Window, numbers: NumberArray) -> BoolArray:
        scene = self.image.scene
        valid = valid_pixels(numbers, scene.nodata)
        if self.image.offset is None and alpha_band(dataset):
            valid &= dataset.read(alpha_band(dataset), window=window) > 0
        elif scene.validity == "mask":
            valid &= dataset.read_masks(scene.bands[0], window=window) > 0
        return valid

    def _dataset(self) -> Any:
        if not hasattr(self._local, "dataset"):
            source = rasterio_open(self.image.scene.path)
            dataset = source if self.image.offset is not None else warp_onto(source, self.image.grid)
            with self._lock:
                self._close += [dataset.close, source.close]
            self._local.dataset = dataset
        return self._local.dataset


def warp_onto(dataset: Any, grid: Grid, resampling: Resampling = Resampling.bilinear) -> WarpedVRT:
    """Return `dataset` as seen on `grid`; beyond its data it holds nodata, or 0 in an alpha band.

    GDAL's masks do not tell of alpha in floating-point rasters, so the band itself must be read.
    """
    return WarpedVRT(
        dataset,
        crs=grid.crs,
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        resampling=resampling,
        add_alpha=dataset.nodata is None and not alpha_band(dataset),
        warp_mem_limit=64,
    )


def alpha_band(dataset: Any) -> int | None:
    """Return the number of an open raster's alpha band, or None."""
    meanings = [meaning.name for meaning in dataset.colorinterp]
    return meanings.index("alpha") + 1 if "alpha" in meanings else None


def pixel_size_m(grid: Grid) -> float | None:
    """Return the ground size of the grid's central pixel in metres, or None without a CRS."""
    if grid.crs is None:
        return None
    centre = Affine.translation(grid.width / 2, grid.height / 2)
    corners = [grid.transform @ centre @ point for point in ((0, 0), (1, 0), (0, 1))]
    if grid.crs.is_projected:
        (x0, y0), (x1, y1), (x2, y2) = corners
        factor = grid.crs.linear_units_factor[1]
        return float(np.sqrt(np.hypot(x1 - x0, y1 - y0) * np.hypot(x2 - x0, y2 - y0)) * factor)
    from pyproj import Geod

    (x0, y0), (x1, y1), (x2, y2) = corners
    geod = Geod(ellps="WGS84")
    return float(np.sqrt(geod.inv(x0, y0, x1, y1)[2] * geod.inv(x0, y0, x2, y2)[2]))
