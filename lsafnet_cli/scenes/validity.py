"""Validity: which pixels of a file have data, according to GDAL's masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

from lsafnet_cli.geometry.arrays import BoolArray as BoolArray

NumberArray = NDArray[Any]


def validity_of(dataset: Any, bands: tuple[int, ...], nodata_given: bool = False) -> str:
    """Return the source of invalid pixels of `bands`: "all" (none), "nodata" or "mask".

    `nodata_given`: the user gave the no-data value.
    """
    flags = {flag for band in bands for flag in dataset.mask_flag_enums[band - 1]}
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        return "mask"
    return "nodata" if nodata_given or MaskFlags.nodata in flags else "all"


def alpha_band(dataset: Any) -> int | None:
    """Return the number of an open raster's alpha band, or None."""
    meanings = list(dataset.colorinterp)
    return meanings.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in meanings else None


def valid_pixels(numbers: NumberArray, nodata: tuple[float | None, ...]) -> BoolArray:
    """Return (rows, cols), True where (bands, rows, cols) numbers were measured.

    As in GDAL's masks, a pixel has no data if every band holds its no-data value; moreover, a pixel with a value
    that is not finite in any band is never valid.
    """
    known = [
        (band, missing)
        for band, missing in zip(numbers, nodata, strict=True)
        if missing is not None and _fits(missing, numbers.dtype)
    ]
    valid = np.ones(numbers.shape[1:], bool)
    if len(known) == len(nodata):
        valid = np.logical_or.reduce([~holds_number(band, missing) for band, missing in known])
    return valid & all_finite(numbers)


def holds_number(numbers: NumberArray, number: float) -> BoolArray:
    """Return where values equal a number, floats to within rounding as in GDAL (ARE_REAL_EQUAL).

    A sum of two that overflows counts as equal too: the many ways to write the lowest float32 are one number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        one = numbers.dtype.type(number)
        if numbers.dtype.kind != "f":
            return np.asarray(numbers == one)
        rounding = np.finfo(numbers.dtype).eps * np.abs(numbers + one) * 2
        return np.asarray((numbers == one) | (np.abs(numbers - one) < rounding))


def all_finite(numbers: NumberArray) -> BoolArray:
    """Return (rows, cols), True where the values of all bands are finite."""
    if numbers.dtype.kind == "f":
        return np.asarray(np.isfinite(numbers).all(axis=0))
    return np.broadcast_to(True, numbers.shape[1:])


def _fits(missing: float, dtype: np.dtype[Any]) -> bool:
    if np.isnan(missing):
        return False
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= missing <= limits.max and missing == int(missing))
