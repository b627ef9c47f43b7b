"""Suspicious validity of images: undeclared fill values, alpha bands that hold measurements.

Only a few whole rows are sampled: they are fast to read from a local file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import open_raster, reading_pixels
from lsafnet_cli.scenes.read import Scene
from lsafnet_cli.scenes.scene_files import SceneSource
from lsafnet_cli.scenes.validity import BoolArray, NumberArray

ROWS = 12  # sampled, including the first and the last one
LEAST_FILL_SHARE = 0.03  # of all sampled pixels: minimum share of fill along the edges
LEAST_ROWS_SHARE = 0.5  # of all sampled rows: minimum share of those that start or end with the fill
LEAST_RUN_PX = 3
GRADED_SHARE = 0.1  # minimum share of intermediate values in an alpha band for them to be measurements


@dataclass(frozen=True, slots=True)
class Fill:
    """A value in all bands that fills a share of an image along its edges."""

    number: float
    share: float


def doubt_notices(scene: Scene) -> Iterator[str]:
    """Yield warnings about the validity of an image, and what to do. Raises InputError."""
    if scene.paletted:
        return
    try:
        fill = fill_along_edges(*_rows_of(scene))
        graded = scene.alpha is not None and alpha_is_graded(scene)
    except InputError:
        return  # reading reports it if it matters
    if fill is not None:
        yield (
            f"{scene.path}: the value {fill.number:g} fills about {fill.share:.0%} of the image along its edges "
            f"and is treated as data; if it is a fill value, declare it with `nodata` {fill.number:g}"
        )
    if graded:
        yield (
            f"{scene.path}: band {scene.alpha} is declared as alpha, but holds many different values, like near "
            "infrared: where it is 0, pixels are treated as no data; name it in `bands` to read it as data"
        )


def _spread_rows(scene: Scene) -> list[int]:
    return sorted({int(row) for row in np.linspace(0, scene.file_shape[0] - 1, ROWS)})


def _rows_of(scene: Scene) -> tuple[NumberArray, BoolArray]:
    """Return (bands, rows, cols) values and their (rows, cols) validity of rows spread over a file."""
    with reading_pixels(scene.path), SceneSource(scene) as source:
        found = [source.read(Window(0, row, scene.file_shape[1], 1)) for row in _spread_rows(scene)]
    return np.concatenate([n for n, _ in found], axis=1), np.concatenate([valid for _, valid in found])


def fill_along_edges(numbers: NumberArray, valid: BoolArray) -> Fill | None:
    """Return the fill value in (bands, rows, cols) rows spread over an image, None if there is none."""
    plain = valid & (numbers == numbers[:1]).all(axis=0)
    corners = np.concatenate([numbers[0, :, 0][plain[:, 0]], numbers[0, :, -1][plain[:, -1]]])
    if corners.size == 0:
        return None
    values, counts = np.unique(corners, return_counts=True)
    number = values[counts.argmax()]
    same = plain & (numbers[0] == number)
    lead, trail = _leading(same), _leading(same[:, ::-1])
    length = np.where(lead == same.shape[1], lead, lead + trail)
    share = float(length.sum() / same.size)
    having = float(((lead >= LEAST_RUN_PX) | (trail >= LEAST_RUN_PX)).mean())
    if share < LEAST_FILL_SHARE or having < LEAST_ROWS_SHARE or share == 1:
        return None
    return Fill(float(number), share)


def _leading(same: BoolArray) -> NDArray[np.int64]:
    """Return the number of True pixels at the start of each row."""
    return np.asarray(np.where(same.all(axis=1), same.shape[1], (~same).argmax(axis=1)), np.int64)


def alpha_is_graded(scene: Scene) -> bool:
    """Return whether many pixels of a scene's alpha band are neither transparent nor opaque."""
    with open_raster(scene.path) as dataset:
        rows = [
            dataset.read(scene.alpha, window=Window(0, row, dataset.width, 1)) for row in _spread_rows(scene)
        ]
    alpha = np.concatenate(rows)
    return bool(((alpha > 0) & (alpha < alpha.max())).mean() > GRADED_SHARE)
