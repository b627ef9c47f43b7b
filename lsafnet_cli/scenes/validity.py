"""Validity: which pixels of a file were measured, as GDAL's masks tell it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

from lsafnet_cli.geometry.arrays import BoolArray as BoolArray

NumberArray = NDArray[Any]


def validity_of(dataset: Any, bands: tuple[int, ...]) -> str:
    """Return where an open raster knows invalid pixels of `bands` from: "all" (nowhere), "nodata" or "mask"."""
    flags = {flag for band in bands for flag in dataset.mask_flag_enums[band - 1]}
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        return "mask"
    return "nodata" if MaskFlags.nodata in flags else "all"


def alpha_band(dataset: Any) -> int | None:
    """Return the number of an open raster's alpha band, or None."""
    meanings = list(dataset.colorinterp)
    return meanings.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in meanings else None


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
    return valid & all_finite(numbers)


def all_finite(numbers: NumberArray) -> BoolArray:
    """Return (rows, cols), True where the number of every band is finite."""
    if numbers.dtype.kind == "f":
        return np.asarray(np.isfinite(numbers).all(axis=0))
    return np.broadcast_to(True, numbers.shape[1:])


def _fits(missing: float | None, dtype: np.dtype[Any]) -> bool:
    if missing is None or np.isnan(missing):
        return False
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= missing <= limits.max and missing == int(missing))
