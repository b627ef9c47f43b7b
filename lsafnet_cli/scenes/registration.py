"""Registration: the shift of the after image against the before image, measured in their pixels.

Each window is measured by phase correlation (Kuglin and Hines 1975), refined to a fraction of a pixel by a
matrix Fourier transform around the peak (Guizar-Sicairos, Thurman and Fienup, Optics Letters 33, 2008).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy import fft
from numpy.typing import NDArray
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from lsafnet_cli.geometry.arrays import FloatArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.read import ScenePair
from lsafnet_cli.scenes.validity import BoolArray, NumberArray
from lsafnet_cli.system.background import run_in_lanes
from lsafnet_cli.system.cores import usable_cores

WINDOW_PX = 256
SMALLEST_PX = 64
WINDOWS_ALONG_SIDE = 5
LEAST_VALID_SHARE = 0.75
THREADS = 2  # that measure what this thread reads
LEAST_PEAK = 10.0  # standard deviations of the correlation above its mean; unrelated images stay below
LEAST_WINDOWS = 2
LEAST_SHIFT_PX = 0.1
FINENESS = 50  # steps per pixel of the refined search
STRIDE = 5  # which first tries every fifth, then those around the best
CUTOFF = 0.35  # cycles per pixel; higher frequencies are noise and artefacts of resampling and compression
SPREAD_FACTOR = 1.4826  # median absolute deviation to standard deviation of a normal distribution
LARGEST_NUMBER = 1e100  # fill values may be larger, and their squares overflow
Picture = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shift:
    """(row, col) of a feature in the after image minus that in the before image, in pixels.

    `peak` is the significance of the correlation peak of the window, in standard deviations.
    """

    rows: float
    cols: float
    peak: float


@dataclass(frozen=True, slots=True)
class Registration:
    """The median shift of the windows that could be measured, and its spread (a robust standard deviation).

    `windows` of `tried` windows could be measured; with fewer than LEAST_WINDOWS the rest is None.
    """

    tried: int
    windows: int
    rows_px: float | None = None
    cols_px: float | None = None
    spread_px: float | None = None

    @property
    def clear(self) -> bool:
        """Whether the shift is significant: larger than LEAST_SHIFT_PX and than the spread of the windows."""
        distance, spread = self.distance_px, self.spread_px
        return distance is not None and spread is not None and distance > max(LEAST_SHIFT_PX, spread)

    @property
    def distance_px(self) -> float | None:
        """The length of the shift, or None if it is unknown."""
        if self.rows_px is None or self.cols_px is None:
            return None
        return float(np.hypot(self.rows_px, self.cols_px))


def register_pair(pair: AlignedPair, area: AreaOfInterest | None = None) -> Registration:
    """Measure the shift between both dates on windows spread over their overlap, or over an area of interest."""
    lanes = min(THREADS, usable_cores())
    return summarize_shifts(
        list(run_in_lanes(lambda window: measure_shift(*window), read_windows(pair, area), lanes))
    )


def summarize_shifts(found: Sequence[Shift | None]) -> Registration:
    """Return the median of the measured shifts, and their spread."""
    shifts = np.array([(shift.rows, shift.cols) for shift in found if shift is not None]).reshape(-1, 2)
    if len(shifts) < min(LEAST_WINDOWS, max(len(found), 1)):
        return Registration(len(found), len(shifts))
    rows, cols = np.median(shifts, axis=0)
    off = np.hypot(*(shifts - (rows, cols)).T)
    spread = SPREAD_FACTOR * float(np.median(off))
    return Registration(len(found), len(shifts), *(round(float(v), 3) for v in (rows, cols, spread)))


def read_windows(
    pair: AlignedPair, area: AreaOfInterest | None = None
) -> Iterator[tuple[NumberArray, NumberArray, BoolArray]]:
    """Yield values (bands, rows, cols) of both dates and valid (rows, cols) of windows spread over a pair."""
    with ImageReader(pair.before) as before, ImageReader(pair.after) as after:
        for window in spread_windows(pair.grid, area):
            shape = int(window.height), int(window.width)
            read = [
                (np.empty((len(r.image.scene.bands), *shape), r.image.scene.dtype), np.ones(shape, bool))
                for r in (before, after)
            ]
            for reader, arrays in zip((before, after), read, strict=True):
                reader.read(window, *arrays)
            (numbers_before, valid_before), (numbers_after, valid_after) = read
            yield numbers_before, numbers_after, valid_before & valid_after


def spread_windows(grid: Grid, area: AreaOfInterest | None = None) -> Iterator[Window]:
    """Yield at most WINDOWS_ALONG_SIDE squared windows of WINDOW_PX, evenly spread over a grid.

    With an area of interest they are spread over its bounding box, each reduced to the area within it; those that are
    then too small are dropped.
    """
    whole = Window(0, 0, grid.width, grid.height) if area is None else area.window
    rows, cols = (_starts(int(side)) for side in (whole.height, whole.width))
    for top in rows:
        for left in cols:
            place = whole.col_off + left, whole.row_off + top
            window = Window(*place, min(WINDOW_PX, whole.width), min(WINDOW_PX, whole.height))
            within = window if area is None else area.within(window)
            if area is None or min(within.width, within.height) >= SMALLEST_PX:
                yield within


def _starts(length: int) -> list[int]:
    count = min(WINDOWS_ALONG_SIDE, -(-length // WINDOW_PX))
    return sorted({int(start) for start in np.linspace(0, max(length - WINDOW_PX, 0), count)})


def measure_shift(before: NumberArray, after: NumberArray, valid: BoolArray) -> Shift | None:
    """Return the shift between two images (bands, rows, cols) of one place; None if it cannot be measured.

    The images must be mostly valid, have at least SMALLEST_PX a side, and correlate.
    """
    if min(valid.shape) < SMALLEST_PX or valid.mean() < LEAST_VALID_SHARE:
        return None
    pictures = [_prepare(numbers, valid) for numbers in (before, after)]
    if not all(picture.any() for picture in pictures):
        return None
    spectra = [fft.rfft2(picture) for picture in pictures]
    cross = spectra[1] * spectra[0].conj()
    cross *= _low_pass(valid.shape) / np.maximum(np.abs(cross), 1e-12)
    correlation = fft.irfft2(cross, valid.shape)
    top = np.unravel_index(int(correlation.argmax()), correlation.shape)
    peak = float((correlation[top] - correlation.mean()) / max(correlation.std(), 1e-12))
    if peak < LEAST_PEAK:
        return None
    coarse = [
        place - side if place > side // 2 else place for place, side in zip(top, valid.shape, strict=True)
    ]
    return Shift(*_refine(cross, valid.shape, int(coarse[0]), int(coarse[1])), peak)


def looks_alike(pair: AlignedPair, rows: int, cols: int, area: AreaOfInterest | None = None) -> float:
    """Return the mean correlation, -1..1, of the dates' brightness after correcting a shift."""
    found = []
    for before, after, valid in read_windows(pair, area):
        height, width = valid.shape[0] - abs(rows), valid.shape[1] - abs(cols)
        if min(height, width) < SMALLEST_PX // 2:
            continue
        top, left = max(-rows, 0), max(-cols, 0)
        here = np.s_[top : top + height, left : left + width]
        there = np.s_[top + rows : top + rows + height, left + cols : left + cols + width]
        known = valid[here] & valid[there]
        one, other = (
            numbers[:, *place].astype(np.float64).mean(axis=0)[known]
            for numbers, place in ((before, here), (after, there))
        )
        if one.size and one.std() > 0 and other.std() > 0:
            found.append(float(np.corrcoef(one, other)[0, 1]))
    return float(np.mean(found)) if found else 0.0


def _prepare(numbers: NumberArray, valid: BoolArray) -> Picture:
    """Return the mean of the bands with mean 0 and tapered edges, 0 where invalid."""
    if numbers.dtype.kind == "f":
        numbers = numbers.astype(np.float64).clip(-LARGEST_NUMBER, LARGEST_NUMBER)
    grey = numbers.mean(axis=0, dtype=np.float64)
    known = grey[valid]
    low, high = np.percentile(known, (1, 99))
    known.clip(2 * low - high, 2 * high - low, out=known)  # a spike would dominate the correlation
    picture = np.zeros(valid.shape)
    picture[valid] = known - known.mean()
    picture *= _fade(valid.shape)
    return picture


@lru_cache(maxsize=4)
def _fade(shape: tuple[int, ...]) -> FloatArray:
    return np.asarray(np.outer(*(np.hanning(side) for side in shape)))


@lru_cache(maxsize=4)
def _low_pass(shape: tuple[int, ...]) -> FloatArray:
    """Return the weights of the frequencies of `rfft2`, (rows, cols // 2 + 1)."""
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None])
    return np.asarray(np.exp(-0.5 * (frequency / (CUTOFF / 2)) ** 2))


def _refine(cross: NDArray[np.complex128], shape: tuple[int, ...], row: int, col: int) -> tuple[float, float]:
    """Return the peak of a cross spectrum's correlation within a pixel of (row, col), to 1 / FINENESS.

    `cross` is as of `rfft2` for pictures of `shape`: the frequencies that it leaves out count by those it has.
    """
    by_row, by_col = _waves(shape)
    rows = by_row * np.exp(2j * np.pi * row * fft.fftfreq(shape[0]))
    if shape[0] % 2 == 0:  # the highest frequency is its own opposite
        middle = shape[0] // 2
        rows[:, middle] = rows[:, middle].real
    cols = by_col * np.exp(2j * np.pi * col * fft.rfftfreq(shape[1]))[:, None]
    coarse = _largest(rows[::STRIDE], cross, cols[:, ::STRIDE])
    first = [max(0, STRIDE * (place - 1)) for place in coarse]
    near_rows, near_cols = (slice(start, start + 2 * STRIDE + 1) for start in first)
    fine = _largest(rows[near_rows], cross, cols[:, near_cols])
    best = [start + place - FINENESS for start, place in zip(first, fine, strict=True)]
    return row + best[0] / FINENESS, col + best[1] / FINENESS


def _largest(
    rows: NDArray[np.complex128], cross: NDArray[np.complex128], cols: NDArray[np.complex128]
) -> tuple[int, int]:
    """Return where the correlation, rows @ cross @ cols, is largest.

    By einsum, which calls no BLAS: after each product OpenBLAS's threads spin on cores that a network needs.
    """
    product = np.einsum("ij,jk->ik", np.einsum("ij,jk->ik", rows, cross), cols)
    row, col = divmod(int(product.real.argmax()), product.shape[1])
    return row, col


@lru_cache(maxsize=4)
def _waves(shape: tuple[int, ...]) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the waves of `rfft2` within a pixel, (steps, rows) and (cols // 2 + 1, steps), the latter weighted."""
    steps = np.arange(-FINENESS, FINENESS + 1) / FINENESS
    frequency = fft.rfftfreq(shape[1])
    counted = np.where((frequency > 0) & (frequency < 0.5), 2, 1)[:, None]
    rows = np.exp(2j * np.pi * np.outer(steps, fft.fftfreq(shape[0])))
    return rows, counted * np.exp(2j * np.pi * np.outer(frequency, steps))


def coregistered(pair: ScenePair, aligned: AlignedPair, found: Registration, owner: str) -> ScenePair:
    """Return the pair with a measured shift corrected by moving the image that does not own the grid."""
    if found.rows_px is None or found.cols_px is None:
        return pair
    grid, sign = aligned.grid, -1 if owner == "before" else 1
    cols, rows = np.array([0, sign * found.cols_px]), np.array([0, sign * found.rows_px])
    x, y = grid.to_ground(grid.width / 2 + cols, grid.height / 2 + rows)
    scene = pair.after if owner == "before" else pair.before
    if grid.crs is not None and scene.grid.crs is not None and scene.grid.crs != grid.crs:
        x, y = (np.asarray(axis) for axis in transform_points(grid.crs, scene.grid.crs, x, y))
    moved = scene.moved(float(x[1] - x[0]), float(y[1] - y[0]))
    return replace(pair, after=moved) if owner == "before" else replace(pair, before=moved)
