"""Prediction for arrays, through temporary files, with the same results as for files."""

import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.outputs import layer_path
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import LAYERS, OutputOptions, PredictOptions
from lsafnet_cli.prediction.pipeline import predict_change

Array = NDArray[Any]


def predict_arrays(
    before: Array,
    after: Array,
    checkpoint: str | Path | None = None,
    options: PredictOptions | None = None,
    *,
    valid: NDArray[np.bool_] | None = None,
    layers: tuple[str, ...] = (),
    observer: Observer | None = None,
) -> dict[str, Array]:
    """Return the change map of two arrays (bands, rows, cols) of the same place and size.

    The result holds "codes" (rows, cols), transition codes as `predict_change` writes them, and the requested
    `layers` by name: "from", "to", "before", "after", "probability" (percent, 255 without data). `valid`
    (rows, cols) is False where there is no data. `checkpoint` overrides that of the options; the outputs in
    the options are ignored. Raises InputError for arrays that do not fit, and all errors of `predict_change`.
    """
    _check_arrays(before, after, valid)
    options = options or PredictOptions()
    if checkpoint is not None:
        options = replace(options, checkpoint=checkpoint)
    with TemporaryDirectory(prefix="lsafnet-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        first, second = Path(folder) / "before.tif", Path(folder) / "after.tif"
        _write(first, before, valid)
        _write(second, after, valid)
        change_map = Path(folder) / "changes.tif"
        predict_change(
            first, second, change_map, replace(options, output=OutputOptions(also=layers)), observer
        )
        files = {
            CODES: change_map,
            **{name: layer_path(change_map, name) for name in layers if name in LAYERS},
        }
        return {name: _read(path) for name, path in files.items()}


def _check_arrays(before: Array, after: Array, valid: Array | None) -> None:
    for name, pixels in (("before", before), ("after", after)):
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise InputError(
                f"{name}: an array (bands, rows, cols) is needed, not one of shape {pixels.shape}"
            )
    if before.shape[1:] != after.shape[1:]:
        raise InputError(
            f"before has {before.shape[1:]} rows and cols, after {after.shape[1:]}; they must be equal"
        )
    if valid is not None and (valid.dtype != bool or valid.shape != before.shape[1:]):
        raise InputError(f"valid: a bool array of shape {before.shape[1:]} is needed")


def _write(path: Path, pixels: Array, valid: Array | None) -> None:
    bands, rows, cols = pixels.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", count=bands, height=rows, width=cols, dtype=pixels.dtype
        ) as target,
    ):
        target.write(pixels)
        if valid is not None:
            target.write_mask(valid)


def _read(path: Path) -> Array:
    with rasterio.open(path) as dataset:
        pixels: Array = dataset.read(1)
    return pixels
