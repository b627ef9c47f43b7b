"""Sliding windows along one axis of a scene: where tiles start, what they keep, how they are weighted.

Everything here is pure: integers and small arrays, no files. A scene's two axes are independent of each
other, so the weight of a pixel in a tile is the product of its row weight and its column weight.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]


def tile_starts(length: int, size: int, overlap: int) -> tuple[int, ...]:
    """Return the first pixel of each tile of `size` along an axis of `length` pixels.

    Neighbours share at least `overlap` pixels. The last tile ends at the axis' end, so it may share more;
    an axis shorter than a tile has one tile, at 0, that extends beyond it.
    """
    if length < 1 or size < 1 or not 0 <= overlap < size:
        raise ValueError(f"length {length}, size {size} and overlap {overlap} do not fit together")
    if length <= size:
        return (0,)
    stride = size - overlap
    count = -(-(length - size) // stride) + 1
    return tuple(min(index * stride, length - size) for index in range(count))


def owned_spans(starts: tuple[int, ...], length: int) -> list[tuple[int, int]]:
    """Return (first, end) of the pixels for which each tile is the last one; the spans are contiguous."""
    return list(pairwise((*starts, length)))


def kept_spans(starts: tuple[int, ...], size: int, length: int) -> list[tuple[int, int]]:
    """Return (first, end) of each tile's interior: cuts lie in the middle of overlaps."""
    cuts = [(left + size + right) // 2 for left, right in pairwise(starts)]
    return list(pairwise((0, *cuts, length)))


def taper(size: int, ramp: int) -> Float32Array:
    """Return (size,) weights that rise as sin^2 over `ramp` pixels at both ends; all are > 0."""
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    if ramp == 0:
        return np.ones(size, np.float32)
    return (np.sin(np.pi / 2 * np.minimum(distance / ramp, 1.0)) ** 2).astype(np.float32)


def taper_weights(starts: tuple[int, ...], size: int, overlap: int, length: int) -> Float32Array:
    """Return (tiles, size) tapered weights that sum to 1 at each pixel of the axis."""
    return _normalised(np.tile(taper(size, overlap), (len(starts), 1)), starts, length)


def crop_weights(starts: tuple[int, ...], size: int, length: int) -> Float32Array:
    """Return (tiles, size) weights that are 1 inside a tile's interior and 0 elsewhere."""
    weights = np.zeros((len(starts), size), np.float32)
    for row, start, (first, end) in zip(weights, starts, kept_spans(starts, size, length), strict=True):
        row[first - start : end - start] = 1.0
    return weights


def _normalised(weights: Float32Array, starts: tuple[int, ...], length: int) -> Float32Array:
    size = weights.shape[1]
    total = np.zeros(max(length, size), np.float64)
    for row, start in zip(weights, starts, strict=True):
        total[start : start + size] += row
    return np.stack([row / total[s : s + size] for row, s in zip(weights, starts, strict=True)]).astype(
        np.float32
    )


def mirrored(count: int, size: int) -> NDArray[np.intp]:
    """Return (size,) indices into an axis of `count` pixels, continued past its end by reflection.

    The edge pixel is repeated once ("symmetric" padding), so that an axis of a single pixel works too.
    """
    phase = np.arange(size) % (2 * count)
    return np.where(phase < count, phase, 2 * count - 1 - phase)


def aligned_spans(first: int, end: int, step: int) -> list[tuple[int, int]]:
    """Cut [first, end) at multiples of `step` into contiguous spans."""
    if first >= end:
        return []
    inner = range((first // step + 1) * step, end, step)
    return list(pairwise((first, *inner, end)))


def merged_spans(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge spans [first, end), sorted by their first, that overlap or are contiguous."""
    merged: list[tuple[int, int]] = []
    for first, end in spans:
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((first, end))
    return merged
