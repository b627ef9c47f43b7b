"""Images: the pixels of one date on the common grid, read unchanged or warped on read."""

import threading
from typing import Any, Self

import numpy as np
from affine import Affine
from rasterio import band as bands_of
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from lsafnet_cli.files.rasters import reading_pixels
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.scenes.align import AlignedImage, footprint
from lsafnet_cli.scenes.read import Scene
from lsafnet_cli.scenes.scene_files import ANY_CRS, VALID, SceneSource, usable_pixels
from lsafnet_cli.scenes.validity import BoolArray, NumberArray

WARP_TOLERANCE_PX = 0.01  # tolerance, in pixels, of positions that GDAL interpolates
WARP_MEMORY_MB = 64
COARSE = (
    1.5  # from this ratio a pixel is the mean over its extent; below, GDAL's wider kernel shifts it slightly
)
PLAIN_BILINEAR = {"XSCALE": 1, "YSCALE": 1}


class ImageReader:
    """Reads one date by windows of the common grid, from any number of threads; each keeps its own handle."""

    def __init__(self, image: AlignedImage) -> None:
        self.image = image
        self._local = threading.local()
        self._open: list[Any] = []
        self._lock = threading.Lock()
        self._kernel = PLAIN_BILINEAR if coarseness(image.grid, image.scene.grid) < COARSE else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._open:
            handle.close()

    def read(self, window: Window, numbers: NumberArray, valid: BoolArray) -> None:
        """Fill `numbers` (bands, rows, cols), and `valid` (rows, cols) where it can be False. Raises InputError."""
        with reading_pixels(self.image.scene.path):
            if self.image.offset is None:
                self._warp(window, numbers, valid)
            else:
                placed = self._placed(window, self.image.offset)
                if self.image.scene.all_valid and self.image.masks:
                    valid[:] = True
                self._source().read_into(numbers, None if self.image.scene.all_valid else valid, placed)
        for mask in self.image.masks:
            valid &= ~mask.excluded(window)

    @staticmethod
    def _placed(window: Window, offset: tuple[int, int]) -> Window:
        row, col = offset
        return Window(window.col_off + col, window.row_off + row, window.width, window.height)

    def _warp(self, window: Window, numbers: NumberArray, valid: BoolArray) -> None:
        bands = _all_bands(self._virtual())
        grid = self.image.grid.cut(window)
        numbers[:], valid[:] = warp_scene(bands, self.image.scene, grid, **self._kernel)

    def _source(self) -> SceneSource:
        if not hasattr(self._local, "source"):
            self._local.source = self._kept(SceneSource(self.image.scene))
        source: SceneSource = self._local.source
        return source

    def _virtual(self) -> Any:
        if not hasattr(self._local, "virtual"):
            self._local.virtual = self._kept(self._source().open_virtual())
        return self._local.virtual

    def _kept(self, handle: Any) -> Any:
        with self._lock:
            self._open.insert(0, handle)  # closed in reverse order
        return handle


def warp_scene(source: Any, scene: Scene, grid: Grid, **options: Any) -> tuple[NumberArray, BoolArray]:
    """Return values (bands, rows, cols) and valid (rows, cols) of a scene on `grid`.

    `source` are all bands of its virtual raster, or an array with the same content. `options` are GDAL's, and an
    array's src_transform and src_crs. Resampling is bilinear, or the mean over the extent of a pixel if the
    grid is coarser.
    """
    warped = np.zeros(
        (_band_count(source), *grid.shape), scene.dtype
    )  # nothing outside the source is written
    reproject(
        source,
        warped,
        dst_transform=grid.transform,
        dst_crs=grid.crs or ANY_CRS,
        resampling=Resampling.bilinear,
        init_dest_nodata=False,
        tolerance=WARP_TOLERANCE_PX,
        warp_mem_limit=WARP_MEMORY_MB,
        **options,
    )
    numbers = warped[: len(scene.bands)]
    return numbers, usable_pixels(numbers, warped[len(scene.bands) :])


def _all_bands(virtual: Any) -> Any:
    return bands_of(virtual, list(virtual.indexes))


def _band_count(source: Any) -> int:
    return len(source) if isinstance(source, np.ndarray) else len(source.bidx)


def coarseness(grid: Grid, other: Grid) -> float:
    """Return the approximate ratio of the pixel sizes of `grid` and `other`."""
    sizes = [pixel_size_m(g) or abs(g.transform.determinant) ** 0.5 for g in (grid, other)]
    return sizes[0] / sizes[1]


def decimated(image: AlignedImage, shape: tuple[int, int]) -> tuple[NumberArray, BoolArray]:
    """Return numbers (bands, rows, cols) and valid (rows, cols) of a whole image in a smaller `shape`.

    Overviews are used where there are any. Raises InputError.
    """
    grid, scene = image.grid, image.scene
    rows, cols = shape
    with reading_pixels(scene.path), SceneSource(scene) as source:
        if image.offset is not None:
            row, col = image.offset
            return source.read(Window(col, row, grid.width, grid.height), shape)
        smaller = Affine.scale(grid.width / cols, grid.height / rows)
        return _warped_small(image, source, Grid(grid.crs, grid.transform @ smaller, cols, rows))


def _warped_small(image: AlignedImage, source: SceneSource, small: Grid) -> tuple[NumberArray, BoolArray]:
    """Return the same for a warped image, from a read at about the resolution of the `small` grid."""
    scene = image.scene
    if scene.placement:
        with source.open_virtual() as virtual:
            return warp_scene(_all_bands(virtual), scene, small)
    window = _window_under(image)
    shape = min(int(window.height), 2 * small.height), min(int(window.width), 2 * small.width)
    numbers, valid = source.read(window, shape)
    seen = np.concatenate([numbers, valid[None] * np.array(VALID, scene.dtype)])
    scale = Affine.scale(window.width / shape[1], window.height / shape[0])
    place = scene.grid.transform @ Affine.translation(window.col_off, window.row_off) @ scale
    return warp_scene(seen, scene, small, src_transform=place, src_crs=scene.grid.crs or ANY_CRS)


def _window_under(image: AlignedImage) -> Window:
    """Return the window of a file under the common grid, with a margin of a few pixels."""
    cols, rows = footprint(image.grid, image.scene.grid, image.scene.path)
    limits = ((cols, image.scene.grid.width), (rows, image.scene.grid.height))
    (left, right), (top, bottom) = (
        (int(np.clip(axis.min() - 2, 0, side - 1)), int(np.clip(axis.max() + 2, 1, side)))
        for axis, side in limits
    )
    return Window(left, top, max(right - left, 1), max(bottom - top, 1))
