"""Read: two paths become a `ScenePair`; bands, dtype, nodata and CRS are checked here, once."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from lsafnet_cli.errors import InputError, OptionError, PairError
from lsafnet_cli.stages.sources import files_of, open_source, refuse_the_implausible, unreadable
from lsafnet_cli.types import Grid, ReadOptions, Stretch, StretchRule

NumberArray = NDArray[Any]
BoolArray = NDArray[np.bool_]

# `ScenePair` speaks of a missing georeference itself. For good, since catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

RASTER_ERRORS = (RasterioError, CPLE_BaseError, OSError)  # rasterio lets some of GDAL's own errors through
READABLE_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
SAMPLE_PX = 1024  # longest side of the decimated read behind a stretch
TALLEST_BLOCK_ROW = 2048  # taller blocks (a file of one strip) are left to GDAL's cache


@dataclass(frozen=True, slots=True)
class Scene:
    """One date's image as its file holds it.

    `validity` says where invalid pixels are known from: "all" (nowhere), "nodata" (a number in the bands)
    or "mask" (alpha, a mask band, a .msk file). `block_shape` is (rows, cols) of the unit it is stored in.
    `files` are all that GDAL reads for a local one, side files and the sources of a mosaic too.
    """

    path: str
    grid: Grid
    bands: tuple[int, ...]
    dtype: str
    nodata: tuple[float | None, ...]
    validity: str
    block_shape: tuple[int, int]
    acquired: date | None
    files: tuple[str, ...] = ()

    @property
    def all_valid(self) -> bool:
        """Whether no pixel can be without data."""
        return self.validity == "all" and not self.dtype.startswith("float")

    @property
    def georeferenced(self) -> bool:
        """Whether its pixels have a place on the ground."""
        return self.grid.crs is not None or self.grid.transform != Affine.identity()


@dataclass(frozen=True, slots=True)
class ScenePair:
    """The images of two dates; they have the same number of bands and both or neither have a georeference."""

    before: Scene
    after: Scene

    def __post_init__(self) -> None:
        if self.before.georeferenced != self.after.georeferenced:
            bare, placed = sorted((self.before, self.after), key=lambda scene: scene.georeferenced)
            raise PairError(
                f"{bare.path} has no georeference but {placed.path} has one; georeference both or neither"
            )
        if not self.georeferenced and self.before.grid.shape != self.after.grid.shape:
            raise PairError(
                f"{self.before.path} is {_size(self.before)} and {self.after.path} is {_size(self.after)} pixels; "
                "without a georeference both must have one size"
            )

    @property
    def georeferenced(self) -> bool:
        """Whether the pair's pixels have a place on the ground."""
        return self.before.georeferenced


def _size(scene: Scene) -> str:
    return f"{scene.grid.width}x{scene.grid.height}"


def read_pair(
    before: str | Path, after: str | Path, options: ReadOptions, band_count: int | None = None
) -> ScenePair:
    """Open both images and check them. `band_count` is how many bands the checkpoint wants.

    Raises InputError where a file cannot be read, PairError where two files are no pair.
    """
    return ScenePair(
        read_scene(before, options.bands, band_count), read_scene(after, options.bands, band_count)
    )


def read_scene(path: str | Path, bands: tuple[int, ...] | None, band_count: int | None) -> Scene:
    """Open one image and check it, without reading a pixel."""
    with open_raster(path) as dataset:
        refuse_the_implausible(dataset, str(path))
        chosen = _choose_bands(dataset, str(path), bands, band_count)
        dtype = _common_dtype(dataset, str(path), chosen)
        return Scene(
            path=str(path),
            grid=grid_of(dataset),
            bands=chosen,
            dtype=dtype,
            nodata=tuple(dataset.nodatavals[band - 1] for band in chosen),
            validity=_validity(dataset, chosen),
            block_shape=_block_shape(dataset),
            acquired=_acquired(dataset),
            files=files_of(dataset, str(path)),
        )


@contextmanager
def open_raster(path: str | Path) -> Iterator[Any]:
    """Open a raster for reading; what goes wrong while it is open becomes an InputError naming the file."""
    try:
        with rasterio_open(path) as dataset:
            yield dataset
    except RASTER_ERRORS as error:
        raise InputError(unreadable(str(path), error)) from error


def rasterio_open(path: str | Path) -> Any:
    """Open a raster for reading; the caller turns errors into words and closes it."""
    return open_source(str(path))


def grid_of(dataset: Any) -> Grid:
    """Return the grid of an open raster."""
    return Grid(dataset.crs, dataset.transform, dataset.width, dataset.height)


def _choose_bands(
    dataset: Any, path: str, bands: tuple[int, ...] | None, band_count: int | None
) -> tuple[int, ...]:
    colors = [
        index
        for index, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True)
        if meaning != ColorInterp.alpha
    ]
    wanted = band_count or len(colors)
    if bands is None:
        if len(colors) < wanted:
            raise InputError(f"{path}: has {len(colors)} bands, but the checkpoint reads {wanted}")
        return tuple(colors[:wanted])
    if len(bands) != wanted:
        raise OptionError(
            f"--bands {','.join(map(str, bands))}: names {len(bands)} bands, but the checkpoint reads {wanted}"
        )
    if max(bands) > dataset.count:
        raise InputError(f"{path}: has {dataset.count} bands; --bands asks for band {max(bands)}")
    return bands


def _common_dtype(dataset: Any, path: str, bands: tuple[int, ...]) -> str:
    dtypes = {dataset.dtypes[band - 1] for band in bands}
    if unreadable := dtypes - set(READABLE_DTYPES):
        raise InputError(f"{path}: holds {', '.join(sorted(unreadable))} numbers; convert it to real ones")
    return str(np.result_type(*dtypes))


def _validity(dataset: Any, bands: tuple[int, ...]) -> str:
    flags = {flag for band in bands for flag in dataset.mask_flag_enums[band - 1]}
    if MaskFlags.per_dataset in flags or MaskFlags.alpha in flags:
        return "mask"
    return "nodata" if MaskFlags.nodata in flags else "all"


def _block_shape(dataset: Any) -> tuple[int, int]:
    rows, cols = dataset.block_shapes[0]
    return (rows if rows <= TALLEST_BLOCK_ROW else 1), cols


def _acquired(dataset: Any) -> date | None:
    text = dataset.tags().get("TIFFTAG_DATETIME", "")
    match = re.match(r"(\d{4})[:-](\d{2})[:-](\d{2})", text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def valid_pixels(numbers: NumberArray, nodata: tuple[float | None, ...]) -> BoolArray:
    """Return (rows, cols), True where (bands, rows, cols) numbers were measured.

    As GDAL's own masks have it, a pixel is without data where every band holds its nodata number; besides,
    a pixel with a number that is not finite in any band is never valid.
    """
    known = [
        (band, numbers.dtype.type(missing))
        for band, missing in zip(numbers, nodata, strict=True)
        if _fits(missing, numbers.dtype)
    ]
    valid = np.ones(numbers.shape[1:], bool)
    if len(known) == len(nodata):
        valid = np.logical_or.reduce([band != missing for band, missing in known])
    if numbers.dtype.kind == "f":
        valid &= np.isfinite(numbers).all(axis=0)
    return valid


def _fits(missing: float | None, dtype: np.dtype[Any]) -> bool:
    if missing is None or np.isnan(missing):
        return False
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= missing <= limits.max and missing == int(missing))


def scene_stretch(scene: Scene, rule: StretchRule, value_range: tuple[float, float]) -> Stretch | None:
    """Return the stretch of a scene, from one decimated read of it; None where its numbers serve as they are."""
    if rule.kind == "none" or (rule.kind == "auto" and _has_range(scene.dtype, value_range)):
        return None
    if rule.kind == "range":
        return Stretch((rule.low,) * len(scene.bands), (rule.high,) * len(scene.bands))
    bounds = [_percentiles(band, rule) for band in _sample(scene)]
    return Stretch(tuple(low for low, _ in bounds), tuple(high for _, high in bounds))


def _has_range(dtype: str, value_range: tuple[float, float]) -> bool:
    high = value_range[1]
    if high <= 1:
        return dtype.startswith("float")
    return dtype == "uint8" if high <= 255 else dtype in ("uint16", "int16")


def _sample(scene: Scene) -> list[NumberArray]:
    """Return the valid numbers of each band, from a read of at most SAMPLE_PX pixels a side."""
    scale = max(1.0, max(scene.grid.shape) / SAMPLE_PX)
    shape = tuple(max(1, round(side / scale)) for side in scene.grid.shape)
    with open_raster(scene.path) as dataset:
        numbers = dataset.read(scene.bands, out_shape=(len(scene.bands), *shape))
        valid = valid_pixels(numbers, scene.nodata)
        if scene.validity == "mask":
            valid &= dataset.read_masks(scene.bands[0], out_shape=shape) > 0
    return [band[valid] for band in numbers]


def _percentiles(numbers: NumberArray, rule: StretchRule) -> tuple[float, float]:
    if numbers.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(numbers, (rule.low, rule.high)))
    return low, high if high > low else low + 1.0
