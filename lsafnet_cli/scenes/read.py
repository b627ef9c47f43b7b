"""Read: two paths become a `ScenePair`; bands, dtype, nodata and CRS are checked here, once."""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.warp import calculate_default_transform

from lsafnet_cli.errors import PairError
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.sources import (
    files_of,
    refuse_the_implausible,
    same_image,
)
from lsafnet_cli.geometry.crs import name_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.options import GridOptions, ReadOptions
from lsafnet_cli.scenes.bands import choose_bands, choose_colors, common_dtype, is_paletted, shown_bands
from lsafnet_cli.scenes.dates import Acquired, acquired_of
from lsafnet_cli.scenes.validity import alpha_band, validity_of

TALLEST_BLOCK_ROW = 2048  # taller blocks (files of one strip) rely on GDAL's cache
RPC_CRS = "EPSG:4326"  # the CRS of RPCs


@dataclass(frozen=True, slots=True)
class Placement:
    """Georeferencing of a file without a transform; empty for files with a transform.

    gcps: ground control points (row, col, x, y, z). rpcs: rational polynomial coefficients, as GDAL names them.
    """

    gcps: tuple[tuple[float, ...], ...] = ()
    rpcs: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gcps or self.rpcs)

    def moved(self, dx: float, dy: float) -> "Placement":
        """Return it shifted, in units of the scene's CRS."""
        points = tuple((row, col, x + dx, y + dy, z) for row, col, x, y, z in self.gcps)
        by = {"LONG_OFF": dx, "LAT_OFF": dy}
        return Placement(points, tuple((k, str(float(v) + by[k]) if k in by else v) for k, v in self.rpcs))


@dataclass(frozen=True, slots=True)
class Scene:
    """The image of one date as stored in its file.

    `validity` is the source of invalid pixels: "all" (none), "nodata" (a number in the bands) or
    "mask" (a mask band, a .msk file); besides, they are invalid where the band `alpha` is 0. `block_shape` is
    (rows, cols) of the unit it is stored in, `scaling` (scale, offset) of each band. `paletted` files are one
    band of palette indices, read as red, green, blue. Where there is a `placement`, `grid` is that which the
    file would be warped to, and `file_shape` (rows, cols) its own size.
    `unplaced_crs` is the CRS of a file that has a CRS but no transform.
    `alpha_is_data` where the file's alpha band was asked for as data. `nodata_given` where nodata is not the file's.
    `shown` are the positions in `bands` of what is displayed: red, green and blue, or one for grey.
    `files` are all that GDAL reads for a local one, side files and the sources of a mosaic too.
    """

    path: str
    grid: Grid
    bands: tuple[int, ...]
    dtype: str
    nodata: tuple[float | None, ...]
    validity: str
    block_shape: tuple[int, int]
    acquired: Acquired | None
    file_shape: tuple[int, int]
    scaling: tuple[tuple[float, float], ...]
    alpha: int | None = None
    paletted: bool = False
    placement: Placement = field(default_factory=Placement)
    files: tuple[str, ...] = ()
    unplaced_crs: str | None = None
    alpha_is_data: bool = False
    nodata_given: bool = False
    shown: tuple[int, ...] = (0,)

    @property
    def day(self) -> date | None:
        """The acquisition date, if known to the day."""
        return self.acquired.day if self.acquired is not None and self.acquired.exact else None

    @property
    def all_valid(self) -> bool:
        """Whether every pixel has data."""
        return (
            self.validity == "all"
            and self.alpha is None
            and not self.paletted
            and not self.dtype.startswith("float")
        )

    @property
    def georeferenced(self) -> bool:
        """Whether it is georeferenced."""
        return self.grid.crs is not None or self.grid.transform != Affine.identity()

    def moved(self, dx: float, dy: float) -> Self:
        """Return the scene shifted, in units of its CRS."""
        grid = replace(self.grid, transform=Affine.translation(dx, dy) @ self.grid.transform)
        return replace(self, grid=grid, placement=self.placement.moved(dx, dy))


@dataclass(frozen=True, slots=True)
class ScenePair:
    """The images of two dates, with the same number of bands, both or neither georeferenced.

    `reference` is a further image, whose grid both are put on.
    """

    before: Scene
    after: Scene
    reference: Scene | None = None

    def __post_init__(self) -> None:
        if self.before.georeferenced != self.after.georeferenced:
            bare, placed = sorted((self.before, self.after), key=lambda scene: scene.georeferenced)
            raise PairError(
                f"{bare.path} is not georeferenced but {placed.path} is; georeference both or neither"
            )
        if (self.before.grid.crs is None) != (self.after.grid.crs is None):
            bare, _ = sorted((self.before, self.after), key=lambda scene: scene.grid.crs is not None)
            raise PairError(f"{bare.path} has no CRS but the other image has one; assign its CRS")
        if not self.georeferenced and self.before.grid.shape != self.after.grid.shape:
            raise PairError(
                f"{self.before.path} is {_size(self.before)} and {self.after.path} is {_size(self.after)} pixels; "
                "images that are not georeferenced must have the same size"
            )

    def owner(self, options: GridOptions) -> Scene:
        """Return the image whose grid is taken."""
        return self.reference or (self.before if options.owner == "before" else self.after)

    def with_reference(self, path: str | Path | None, options: ReadOptions) -> Self:
        """Return the pair with an image whose grid is taken; without a path as it is.

        Raises InputError where that cannot be read, PairError where it does not go with the pair.
        """
        if path is None:
            return self
        reference = read_scene(path, options.bands, len(self.before.bands))
        ScenePair(reference, self.before)  # checks that they go together
        return replace(self, reference=reference)

    def refuse_one_image(self) -> None:
        """Raise PairError if both dates are the same file, also through links."""
        if same_image(self.before.path, self.after.path):
            raise PairError(f"{self.before.path}: is given for both dates; give two different images")

    @property
    def georeferenced(self) -> bool:
        """Whether the pair is georeferenced."""
        return self.before.georeferenced


def _size(scene: Scene) -> str:
    return f"{scene.grid.width}x{scene.grid.height}"


def read_pair(
    before: str | Path, after: str | Path, options: ReadOptions, band_count: int | None = None
) -> ScenePair:
    """Open both images and check them. `band_count` is the number of bands of the checkpoint.

    Raises InputError if a file cannot be read, PairError if two files do not form a pair.
    """
    numbers = options.nodata or (None, None)
    first, second = (
        read_scene(path, options.bands, band_count, nodata)
        for path, nodata in zip((before, after), numbers, strict=True)
    )
    return ScenePair(first, second)


def read_scene(
    path: str | Path, bands: tuple[int | str, ...] | None, band_count: int | None, nodata: float | None = None
) -> Scene:
    """Open one image and check it, without reading a pixel. `nodata` overrides the no-data value of the file."""
    with open_raster(path) as dataset:
        refuse_the_implausible(dataset, str(path))
        paletted = is_paletted(dataset) and band_count != 1
        choose = choose_colors if paletted else choose_bands
        chosen = choose(dataset, str(path), bands, band_count)
        stored = (1,) * len(chosen) if paletted else chosen
        placement, alpha = _placement(dataset), alpha_band(dataset)
        grid = _placed_grid(dataset, placement) if placement else grid_of(dataset)
        return Scene(
            path=str(path),
            grid=grid,
            bands=chosen,
            dtype=common_dtype(dataset, str(path), stored),
            nodata=_nodata(dataset, stored, paletted, nodata),
            validity=validity_of(dataset, stored, nodata is not None),
            nodata_given=nodata is not None,
            block_shape=_block_shape(dataset),
            acquired=acquired_of(dataset, str(path)),
            file_shape=dataset.shape,
            scaling=tuple((dataset.scales[band - 1] or 1.0, dataset.offsets[band - 1]) for band in stored),
            alpha=None if alpha in chosen else alpha,
            alpha_is_data=alpha in chosen,
            paletted=paletted,
            placement=placement,
            files=files_of(dataset, str(path)),
            shown=shown_bands(dataset, chosen, paletted),
            unplaced_crs=name_of(dataset.crs) if dataset.crs is not None and grid.crs is None else None,
        )


def read_picture(path: str | Path) -> Scene:
    """Open an image for display: red, green and blue, else the first three bands, else the first one."""
    with open_raster(path) as dataset:
        plain = [meaning for meaning in dataset.colorinterp if meaning != ColorInterp.alpha]
        count = 3 if len(plain) >= 3 or is_paletted(dataset) else 1
    return read_scene(path, None, count)


def _nodata(
    dataset: Any, stored: tuple[int, ...], paletted: bool, given: float | None
) -> tuple[float | None, ...]:
    if paletted:
        return (None,) * len(stored)
    return tuple(dataset.nodatavals[band - 1] if given is None else given for band in stored)


def _placement(dataset: Any) -> Placement:
    """Return the georeferencing of a file without a transform; GCPs take precedence over RPCs."""
    if not dataset.transform.is_identity:
        return Placement()
    gcps, crs = dataset.gcps
    if gcps and crs is not None:
        return Placement(gcps=tuple((p.row, p.col, p.x, p.y, p.z or 0.0) for p in gcps))
    if dataset.rpcs is not None:
        return Placement(rpcs=tuple(sorted(dataset.tags(ns="RPC").items())))
    return Placement()


def _placed_grid(dataset: Any, placement: Placement) -> Grid:
    """Return the grid to which GDAL would warp a file with GCPs or RPCs, in their CRS."""
    gcps, gcps_crs = dataset.gcps
    crs = gcps_crs if placement.gcps else CRS.from_user_input(RPC_CRS)
    known = {"gcps": gcps} if placement.gcps else {"rpcs": dataset.rpcs}
    transform, width, height = calculate_default_transform(crs, crs, dataset.width, dataset.height, **known)
    return Grid(crs, transform, int(width), int(height))


def _block_shape(dataset: Any) -> tuple[int, int]:
    rows, cols = dataset.block_shapes[0]
    return (rows if rows <= TALLEST_BLOCK_ROW else 1), cols
