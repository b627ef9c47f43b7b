"""Label rasters: class numbers or class colours of a file as classes on a grid."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lsafnet.checkpoint.info import ClassEntry
from lsafnet_cli.data_sets.description import UNKNOWN, Numbers
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.arrays import BoolArray, IntArray
from lsafnet_cli.geometry.crs import NoWayError, Way, horizontal, name_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import ClassArray, parse_color
from lsafnet_cli.scenes.align import whole_pixel_offset
from lsafnet_cli.scenes.validity import NumberArray

MOST_CLASSES = 255
RGB = (1, 2, 3)
_SHADES = 256


@dataclass(frozen=True, slots=True)
class LabelRaster:
    """A file of labels: one band of class numbers 0..K-1, a palette, or the classes' colours as red, green, blue.

    Palettes whose colours in use are all classes' are read by colour, other ones by number. `numbers` says what
    other numbers mean; they may be sets of classes, K and up. Where `zero_is_known`, class 0 says that nothing
    changed, even in a file that declares its number or colour as nodata.
    """

    path: str
    classes: tuple[ClassEntry, ...]
    numbers: Numbers | None = None
    zero_is_known: bool = False

    def __post_init__(self) -> None:
        if len(self.classes) > MOST_CLASSES:
            raise InputError(f"{self.path}: {len(self.classes)} classes; at most {MOST_CLASSES} are possible")

    def grid(self) -> Grid:
        """Return the file's own grid. Raises InputError."""
        with open_raster(self.path) as dataset:
            return grid_of(dataset)

    def read(self, grid: Grid, window: Window | None = None) -> ClassArray:
        """Return (rows, cols) classes 0..K-1, or sets, over a window of `grid`, UNKNOWN where there is no label.

        A file on another grid is resampled to the nearest pixel; one without georeference must have the grid's
        size. Raises InputError, also for numbers and colours that are no class.
        """
        numbers, known, colors = read_numbers(self.path, grid, window, self._means_unchanged)
        if self.numbers is not None:
            return self._by_meaning(numbers[0], known, self.numbers)
        if len(numbers) == 3:
            return self._by_color(_packed(numbers), known)
        if colors is not None and self._all_are_classes(colors, numbers[0][known]):
            return self._by_color(colors[numbers[0]], known)
        return self._by_number(numbers[0], known)

    def _means_unchanged(self, nodata: float, bands: int, palette: IntArray | None) -> bool:
        """Return whether a nodata number of a file of labels stands for class 0, which is known there."""
        if not self.zero_is_known or not float(nodata).is_integer() or not 0 <= nodata < _SHADES:
            return False
        number, unchanged = int(nodata), self._colors()[0]
        if bands >= len(RGB):
            return bool(_pack(number, number, number) == unchanged)
        return number == 0 or (palette is not None and bool(palette[number] == unchanged))

    def _all_are_classes(self, palette: IntArray, numbers: NDArray[Any]) -> bool:
        return bool(np.isin(palette[np.unique(numbers)], self._colors()).all())

    def _colors(self) -> IntArray:
        return np.array([_pack(*parse_color(entry.color)[:3]) for entry in self.classes], np.int64)

    def _by_color(self, colors: IntArray, known: BoolArray) -> ClassArray:
        listed = self._colors()
        order = np.argsort(listed)
        found = order[np.searchsorted(listed[order], colors).clip(max=len(listed) - 1)]
        strange = (listed[found] != colors) & known
        if strange.any():
            self._refuse(colors[strange], "the colour #{:06x} is no class")
        return np.where(known, found, UNKNOWN).astype(np.uint8)

    def _by_number(self, numbers: NDArray[Any], known: BoolArray) -> ClassArray:
        known = known & (numbers != UNKNOWN)
        strange = known & ~np.isin(numbers, np.arange(len(self.classes)))
        if strange.any():
            self._refuse(
                numbers[strange], f"the value {{}} is none of the classes 0..{len(self.classes) - 1}"
            )
        return np.where(known, numbers, UNKNOWN).astype(np.uint8)

    def _by_meaning(self, numbers: NDArray[Any], known: BoolArray, meanings: Numbers) -> ClassArray:
        listed, meant = np.array(meanings, np.int64).reshape(-1, 2).T
        if not len(listed):
            self._refuse(
                numbers, "the value {} has no meaning: the description lists texts for polygons only,"
            )
        found = np.searchsorted(listed, numbers).clip(max=len(listed) - 1)
        strange = known & (listed[found] != numbers) & (numbers != UNKNOWN)
        if strange.any():
            names = ", ".join(map(str, listed))
            self._refuse(numbers[strange], f"the value {{}} is none of those with a meaning: {names}")
        return np.where(known & (listed[found] == numbers), meant[found], UNKNOWN).astype(np.uint8)

    def _refuse(self, values: NDArray[Any], words: str) -> None:
        found, counts = np.unique(values, return_counts=True)
        most = int(counts.argmax())
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        value = int(found[most]) if float(found[most]).is_integer() else found[most]
        raise InputError(f"{self.path}: {words.format(value)} ({counts[most]:,} pixels{more})")


MeansSomething = Callable[[float, int, IntArray | None], bool]
"""Whether a file's nodata number is a label all the same, by the number, how many bands there are, the palette."""


def read_numbers(
    path: str, grid: Grid, window: Window | None = None, means_something: MeansSomething | None = None
) -> tuple[NumberArray, BoolArray, IntArray | None]:
    """Return what a label file holds over a window of `grid`, by the nearest pixel.

    (1 or 3, rows, cols) numbers, (rows, cols) where there are any, and the packed colours of the palette, -1 where
    it has none; None without a palette. Raises InputError.
    """
    window = window or Window(0, 0, grid.width, grid.height)
    with open_raster(path) as dataset:
        palette, nodata = _palette(dataset), dataset.nodata
        if nodata is not None and means_something and means_something(nodata, dataset.count, palette):
            nodata = None
        with _on_grid(dataset, path, grid, nodata) as (placed, row, col):
            moved = Window(window.col_off + col, window.row_off + row, window.width, window.height)
            numbers = placed.read([1, 2, 3] if dataset.count >= len(RGB) else [1], window=moved)
            if placed is dataset and nodata is None and dataset.nodata is not None:
                return numbers, np.ones(numbers.shape[1:], bool), palette
            return numbers, placed.dataset_mask(window=moved) > 0, palette


def _on_grid(
    dataset: Any, path: str, grid: Grid, nodata: float | None
) -> AbstractContextManager[tuple[Any, int, int]]:
    """Return what can be read by windows of `grid`, and the (row, col) of the grid's first pixel there.

    A CRS that has nothing to do with the grid's, or none, is taken for the grid's own where the pixels coincide.
    """
    own = grid_of(dataset)
    georeferenced = own.crs is not None or not own.transform.is_identity
    if not georeferenced or grid.crs is None:
        if own.shape != grid.shape:
            raise InputError(
                f"{path}: is {own.width}x{own.height} pixels and not georeferenced, its image "
                f"{grid.width}x{grid.height}; georeference it, or give it that size"
            )
        return nullcontext((dataset, 0, 0))
    coinciding = replace(own, crs=grid.crs) if own.crs is None or not _is_way(own, grid) else own
    offset = whole_pixel_offset(grid, coinciding)
    if offset is not None:
        return nullcontext((dataset, *offset))
    if own.crs is not None and coinciding is not own:
        raise InputError(
            f"{path}: its CRS ({name_of(own.crs)}) cannot be brought to that of the images ({name_of(grid.crs)})"
        )
    return _Warped(dataset, coinciding.crs, grid, nodata)


def _is_way(own: Grid, grid: Grid) -> bool:
    try:
        Way.between(horizontal(own.crs), horizontal(grid.crs))
    except NoWayError:
        return False
    return True


class _Warped:
    """A label file resampled to the nearest pixel of a grid, with an alpha band that says where it lies."""

    def __init__(self, dataset: Any, crs: CRS, grid: Grid, nodata: float | None) -> None:
        self._warped = WarpedVRT(
            dataset,
            src_crs=crs,
            src_nodata=nodata,
            nodata=nodata,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling.nearest,
            add_alpha=nodata is None and ColorInterp.alpha not in dataset.colorinterp,
        )

    def __enter__(self) -> tuple[Any, int, int]:
        return self._warped, 0, 0

    def __exit__(self, *_: object) -> None:
        self._warped.close()


def _palette(dataset: Any) -> IntArray | None:
    """Return the packed colour of each number of a file's palette, -1 where it has none."""
    if dataset.count > 2 or dataset.dtypes[0] != "uint8":
        return None
    try:
        entries: Mapping[int, Sequence[int]] = dataset.colormap(1)
    except ValueError:
        return None
    packed = np.full(_SHADES, -1, np.int64)
    for number, color in entries.items():
        packed[number] = _pack(*color[:3])
    return packed


def _packed(numbers: NDArray[Any]) -> IntArray:
    red, green, blue = numbers[:3].astype(np.int64)
    return red << 16 | green << 8 | blue  # type: ignore[no-any-return]


def _pack(red: int, green: int, blue: int) -> int:
    return red << 16 | green << 8 | blue
