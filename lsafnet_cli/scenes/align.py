"""Align: a `ScenePair` becomes an `AlignedPair`, two images on one grid over their overlap."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lsafnet_cli.errors import NoOverlapError, OptionError, PairError, reason_of
from lsafnet_cli.files.rasters import RASTER_ERRORS
from lsafnet_cli.files.vrt import RasterMeta, vrt_xml
from lsafnet_cli.geometry.arrays import FloatArray
from lsafnet_cli.geometry.crs import NoWayError, horizontal, name_of
from lsafnet_cli.geometry.footprints import spread_points, to_pixels
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_sides_m
from lsafnet_cli.options import Bounds, GridOptions
from lsafnet_cli.scenes.masks import PlacedMask
from lsafnet_cli.scenes.read import Scene, ScenePair

WHOLE_PIXEL_TOLERANCE_PX = 0.01  # smaller offsets do not matter to resampling
LARGEST_SIDE_PX = 1_000_000  # of a grid of another resolution or CRS


@dataclass(frozen=True, slots=True)
class AlignedImage:
    """One date on the common grid: read at an offset of whole pixels, or warped on read if the offset is None.

    Pixels within `masks` have no data.
    """

    scene: Scene
    grid: Grid
    offset: tuple[int, int] | None
    masks: tuple[PlacedMask, ...] = ()

    @property
    def block_shape(self) -> tuple[int, int]:
        """(rows, cols) of the file's block; (1, width) for warped images."""
        return self.scene.block_shape if self.offset is not None else (1, self.grid.width)

    @property
    def all_valid(self) -> bool:
        """Whether every pixel of the grid has data; a warp may extend beyond its image."""
        return self.offset is not None and self.scene.all_valid and not self.masks

    def cut(self, window: Window, grid: Grid) -> "AlignedImage":
        """Return the image over a window of its grid; `grid` is the grid of the window."""
        masks = tuple(mask.cut(window) for mask in self.masks)
        if self.offset is None:
            return replace(self, grid=grid, masks=masks)
        row, col = self.offset
        return replace(
            self, grid=grid, masks=masks, offset=(row + int(window.row_off), col + int(window.col_off))
        )


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """Both dates on one grid that covers their overlap."""

    grid: Grid
    before: AlignedImage
    after: AlignedImage

    def cut(self, window: Window) -> "AlignedPair":
        """Return the pair over a window of whole pixels."""
        grid = self.grid.cut(window)
        return AlignedPair(grid, self.before.cut(window, grid), self.after.cut(window, grid))


def align_pair(pair: ScenePair, options: GridOptions | None = None) -> AlignedPair:
    """Put both images on one grid over their overlap: by default that of the before image.

    An image whose pixels coincide with the grid's is read as it is, any other is warped on read. Raises
    NoOverlapError if they do not overlap.
    """
    options = options or GridOptions()
    whole = common_grid(pair, options)
    grid = whole.cut(shared_window(whole, pair))
    before, after = (
        AlignedImage(scene, grid, None if scene.placement else whole_pixel_offset(grid, scene.grid))
        for scene in (pair.before, pair.after)
    )
    return AlignedPair(grid, before, after)


def common_grid(pair: ScenePair, options: GridOptions) -> Grid:
    """Return the grid of the image chosen for it, in the CRS and with the pixel size if `options` name them.

    In another CRS, pixel edges coincide with the west and north of the bounds.
    """
    owner = pair.owner(options)
    grid = owner.grid if options.dst_crs is None else grid_in(owner, options.dst_crs)
    if options.resolution_m is not None:
        grid = with_pixels_of(grid, options.resolution_m)
    return grid if options.bounds is None or grid.crs == owner.grid.crs else snapped(grid, options.bounds)


def grid_in(scene: Scene, crs_text: str) -> Grid:
    """Return the north-up grid that GDAL suggests for a scene in another CRS, with about the same pixel size.

    Raises OptionError if the scene has no CRS, PairError if there is no transformation between the two.
    """
    grid, crs = scene.grid, CRS.from_user_input(crs_text)
    if grid.crs is None:
        raise OptionError(
            f"`dst_crs` {crs_text}: {scene.path} has no CRS to transform from; omit this option"
        )
    if grid.crs == crs:
        return grid
    without_pixels = vrt_xml(RasterMeta(grid, "uint8", 0, ""), ())
    try:
        with rasterio.open(without_pixels) as source, WarpedVRT(source, crs=crs) as warped:
            made = Grid(crs, warped.transform, warped.width, warped.height)
    except RASTER_ERRORS as error:
        raise PairError(f"{scene.path}: {name_of(grid.crs)} cannot be transformed to {crs_text}") from error
    return _of_possible_size(made, f"`dst_crs` {crs_text}")


def snapped(grid: Grid, bounds: Bounds) -> Grid:
    """Return a north-up grid, extended so that the north-west corner of the bounds is a corner of its pixels."""
    (west, _, _, north), t = bounds, grid.transform
    left, top = west + np.floor((t.c - west) / t.a) * t.a, north + np.floor((t.f - north) / t.e) * t.e
    cols = np.ceil((t.c - left) / t.a + grid.width - WHOLE_PIXEL_TOLERANCE_PX)
    rows = np.ceil((t.f - top) / t.e + grid.height - WHOLE_PIXEL_TOLERANCE_PX)
    return Grid(grid.crs, Affine(t.a, 0, left, 0, t.e, top), int(cols), int(rows))


def with_pixels_of(grid: Grid, resolution_m: float) -> Grid:
    """Return a grid with another pixel size. Raises OptionError if the ground size of its pixels is unknown."""
    sides = pixel_sides_m(grid)
    if sides is None:
        raise OptionError(
            "`resolution_m`: the ground size of the images' pixels is unknown; omit this option"
        )
    width_m, height_m = sides
    scale = resolution_m / width_m, resolution_m / height_m
    cols, rows = max(1, round(grid.width / scale[0])), max(1, round(grid.height / scale[1]))
    made = Grid(grid.crs, grid.transform @ Affine.scale(*scale), cols, rows)
    return (
        made
        if max(made.shape) <= max(grid.shape)
        else _of_possible_size(made, f"`resolution_m` {resolution_m}")
    )


def _of_possible_size(grid: Grid, option: str) -> Grid:
    if max(grid.shape) > LARGEST_SIDE_PX:
        raise OptionError(
            f"{option}: this gives {grid.width:,} x {grid.height:,} pixels; "
            f"at most {LARGEST_SIDE_PX:,} per side are possible"
        )
    return grid


def shared_window(grid: Grid, pair: ScenePair) -> Window:
    """Return the window of `grid` whose pixel centres lie within the bounding boxes of both images."""
    return window_within(grid, {scene.path: scene.grid for scene in (pair.before, pair.after)})


def window_within(grid: Grid, others: Mapping[str, Grid]) -> Window:
    """Return the window of `grid` whose pixel centres lie within the bounding boxes of all files, by their paths.

    Raises NoOverlapError where there are no such pixels.
    """
    rows, cols = (0, grid.height), (0, grid.width)
    for path, other in others.items():
        seen_cols, seen_rows = footprint(other, grid, path)
        rows = _both(rows, _centres_between(seen_rows, grid.height))
        cols = _both(cols, _centres_between(seen_cols, grid.width))
    if rows[0] >= rows[1] or cols[0] >= cols[1]:
        raise NoOverlapError(
            f"{' and '.join(others)} do not overlap: {' against '.join(map(extent, others.values()))}; check each "
            "file's CRS"
        )
    return Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def footprint(grid: Grid, onto: Grid, path: str) -> tuple[FloatArray, FloatArray]:
    """Return (cols, rows) on `onto` of points spread over `grid`, without those outside the domain of its CRS.

    Raises PairError, naming the file `path`, if no transformation between both CRSs exists.
    """
    x, y = (axis.ravel() for axis in spread_points(grid, None))
    if grid.crs is not None and onto.crs is not None and grid.crs != onto.crs:
        try:
            cols, rows = to_pixels(x, y, horizontal(grid.crs), onto)
        except NoWayError as error:
            raise PairError(
                f"{path}: cannot be transformed to the other image's CRS ({reason_of(error)})"
            ) from error
    else:
        cols, rows = onto.to_pixels(x, y)
    seen = np.isfinite(cols) & np.isfinite(rows)
    cols, rows = cols[seen], rows[seen]
    if seen.all() or not seen.any():
        return cols, rows
    margin_cols, margin_rows = (
        np.ptp(cols) / 8,
        np.ptp(rows) / 8,
    )  # the visible part may extend between the points
    return (
        np.append(cols, [cols.min() - margin_cols, cols.max() + margin_cols]),
        np.append(rows, [rows.min() - margin_rows, rows.max() + margin_rows]),
    )


def _centres_between(positions: NDArray[np.float64], length: int) -> tuple[int, int]:
    if positions.size == 0:
        return 0, 0
    slack = WHOLE_PIXEL_TOLERANCE_PX
    first = np.ceil(positions.min() - 0.5 - slack)
    end = np.floor(positions.max() - 0.5 + slack) + 1
    return int(np.clip(first, 0, length)), int(np.clip(end, 0, length))


def extent(grid: Grid) -> str:
    """Return the bounds and CRS of a grid as text."""
    corners = [grid.transform @ corner for corner in ((0, 0), (grid.width, grid.height))]
    (left, top), (right, bottom) = corners
    name = grid.crs.to_string() if grid.crs is not None else "no CRS"
    name = name if len(name) <= 40 else f"{name[:37]}..."
    return f"{left:.9g} {bottom:.9g} {right:.9g} {top:.9g} ({name})"


def offset_px(grid: Grid, other: Grid) -> tuple[float, float] | None:
    """Return (row, col) of `grid`'s first corner in pixels of `other`, or None in another CRS."""
    if grid.crs != other.crs:
        return None
    col, row = ~other.transform @ (grid.transform.c, grid.transform.f)
    return round(float(row), 4), round(float(col), 4)


def whole_pixel_offset(grid: Grid, other: Grid) -> tuple[int, int] | None:
    """Return (row, col) of `grid`'s first pixel on `other`, or None if pixels do not coincide."""
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
