"""A random sample within each stratum of a map, drawn in one pass whose memory does not grow with the map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from lsafnet_cli.accuracy.strata import Stratum, stratum_of_codes
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.geometry.ground import PixelAreas, pixel_areas
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.observer import Observer, watched

SPARE = 6.0  # standard deviations that a limit leaves; where it was too low after all, the map is read again

PIXELS_AT_ONCE = 1 << 20
PROBES, SLACK = 65, 1.05


@dataclass(frozen=True, slots=True)
class Draw:
    """Pixels that were drawn: (n,) row, col and number of the stratum, in an order that tells nothing."""

    row: IntArray
    col: IntArray
    stratum: IntArray


def draw_points(
    path: str, legend: Legend, strata: Sequence[Stratum], wanted: IntArray, seed: int, observer: Observer
) -> Draw:
    """Draw `wanted` pixels of each stratum, without replacement, each with a chance in proportion to its ground.

    Every pixel has the key E / ground, E exponential, and the smallest keys of a stratum win (Efraimidis and
    Spirakis 2006). Row r's keys come from the seed and r alone, so that the draw depends on nothing else.
    """
    limits = np.array([_limit(one, int(n)) for one, n in zip(strata, wanted, strict=True)])
    while True:
        found = _below(path, legend, strata, limits, seed, observer)
        keys, pixels = _best(*found, wanted)
        short = np.bincount(pixels.stratum, minlength=len(strata)) < wanted
        if not short.any():
            break
        limits[short] = np.inf  # reads all of these strata
    order = np.random.default_rng([seed, 1]).permutation(len(keys))
    return Draw(pixels.row[order], pixels.col[order], pixels.stratum[order])


def _limit(stratum: Stratum, wanted: int) -> float:
    """Return a key below which more than `wanted` pixels of a stratum lie, almost surely, yet not many more."""
    hoped = wanted + SPARE * np.sqrt(wanted) + 20
    if 4 * hoped > stratum.pixels:
        return np.inf
    return float(-np.log1p(-hoped / stratum.pixels) * stratum.pixels / stratum.weight)


def _below(
    path: str, legend: Legend, strata: Sequence[Stratum], limits: FloatArray, seed: int, observer: Observer
) -> tuple[FloatArray, Draw]:
    """Return keys and places of all pixels whose keys lie below the limits of their strata."""
    of_code = stratum_of_codes(strata, legend)
    limit_of_code = np.append(limits, -1.0)[of_code]
    parts: list[tuple[FloatArray, Draw]] = []
    with open_raster(path) as dataset:
        grid = grid_of(dataset)
        areas = pixel_areas(grid)
        with watched(observer, "draw", grid.pixel_count):
            for window in row_windows(grid, PIXELS_AT_ONCE):
                codes = dataset.read(1, window=window)
                drawn = _exponentials(window, seed)
                rows, cols = np.nonzero(drawn < limit_of_code[codes] * _most_ground(window, areas))
                keys = drawn[rows, cols] / _ground(window, areas, rows, cols)
                stratum = of_code[codes[rows, cols]]
                kept = keys < limits[stratum]
                place = Draw(rows + int(window.row_off), cols, stratum)
                parts.append((keys[kept], Draw(*(getattr(place, name)[kept] for name in Draw.__slots__))))
                observer.advance(codes.size)
    return np.concatenate([keys for keys, _ in parts]), _joined([draw for _, draw in parts])


def _exponentials(window: Window, seed: int) -> FloatArray:
    """Return (rows, cols) random numbers of a row band, each row's from the seed and its number alone."""
    first, count, cols = int(window.row_off), int(window.height), int(window.width)
    rows = range(first, first + count)
    return np.stack([np.random.default_rng([seed, 0, row]).standard_exponential(cols) for row in rows])


def _ground(window: Window, areas: PixelAreas | None, rows: IntArray, cols: IntArray) -> FloatArray:
    """Return (n,) ground of pixels of a row band, m2; 1 for each without a CRS. `rows` count from the band's top."""
    if areas is None or len(rows) == 0:
        return np.ones(len(rows))
    first = int(window.row_off)
    return areas.of_runs(rows + first, cols, np.ones_like(cols))


def _most_ground(window: Window, areas: PixelAreas | None) -> float:
    """Return a number that no pixel's ground in a row band exceeds, not much above the largest one's."""
    if areas is None:
        return 1.0
    rows = np.linspace(0, window.height - 1, PROBES, dtype=np.int64)
    cols = np.linspace(0, window.width - 1, PROBES, dtype=np.int64)
    every = np.meshgrid(rows, cols)
    return SLACK * float(_ground(window, areas, every[0].ravel(), every[1].ravel()).max())


def _joined(parts: Sequence[Draw]) -> Draw:
    return Draw(*(np.concatenate([getattr(part, name) for part in parts]) for name in Draw.__slots__))


def _best(keys: FloatArray, found: Draw, wanted: IntArray) -> tuple[FloatArray, Draw]:
    """Return the smallest keys of each stratum, as many as are wanted, with their places."""
    order = np.lexsort((keys, found.stratum))
    stratum = found.stratum[order]
    rank = np.arange(len(order)) - np.searchsorted(stratum, stratum)
    kept = order[rank < wanted[stratum]]
    return keys[kept], Draw(found.row[kept], found.col[kept], found.stratum[kept])
