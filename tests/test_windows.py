from itertools import pairwise

import numpy as np
from hypothesis import given, strategies as st

from lsafnet_cli.geometry.row_bands import rows_at_once
from lsafnet_cli.geometry.windows import (
    aligned_spans,
    crop_weights,
    kept_spans,
    mirrored,
    owned_spans,
    taper,
    taper_weights,
    tile_starts,
)

axes = st.tuples(st.integers(1, 700), st.integers(1, 300), st.integers(0, 299)).filter(
    lambda axis: axis[2] < axis[1]
)


def lie_end_to_end(spans: list[tuple[int, int]], length: int) -> bool:
    edges = [edge for span in spans for edge in span]
    return edges[0] == 0 and edges[-1] == length and edges[1:-1:2] == edges[2::2] and edges == sorted(edges)


@given(axes)
def test_every_pixel_lies_in_a_tile_and_no_tile_starts_outside(axis):
    length, size, overlap = axis
    starts = tile_starts(length, size, overlap)
    covered = np.zeros(max(length, size), int)
    for start in starts:
        covered[start : start + size] += 1
    assert covered[:length].min() >= 1
    assert starts[0] == 0
    assert starts[-1] == max(length - size, 0)


@given(axes)
def test_neighbours_share_at_least_the_overlap(axis):
    length, size, overlap = axis
    starts = tile_starts(length, size, overlap)
    assert all(0 < right - left <= size - overlap for left, right in pairwise(starts))


@given(axes)
def test_every_pixel_is_kept_exactly_once(axis):
    length, size, overlap = axis
    starts = tile_starts(length, size, overlap)
    spans = kept_spans(starts, size, length)
    assert lie_end_to_end(spans, length)
    assert all(
        start <= first <= end <= start + size for start, (first, end) in zip(starts, spans, strict=True)
    )


@given(axes)
def test_every_pixel_is_owned_by_the_last_tile_that_touches_it(axis):
    length, size, overlap = axis
    starts = tile_starts(length, size, overlap)
    spans = owned_spans(starts, length)
    assert lie_end_to_end(spans, length)
    for pixel in range(0, length, 7):
        last = max(i for i, start in enumerate(starts) if start <= pixel < start + size)
        assert spans[last][0] <= pixel < spans[last][1]


@given(axes, st.sampled_from(["taper", "crop"]))
def test_weights_sum_to_one_at_every_pixel(axis, blend):
    length, size, overlap = axis
    starts = tile_starts(length, size, overlap)
    if blend == "taper":
        weights = taper_weights(starts, size, overlap, length)
        assert weights.min() > 0
    else:
        weights = crop_weights(starts, size, length)
    total = np.zeros(max(length, size))
    for row, start in zip(weights, starts, strict=True):
        total[start : start + size] += row
    np.testing.assert_allclose(total[:length], 1, atol=1e-5)


def test_a_taper_rises_from_its_edges_and_is_flat_between():
    weights = taper(64, 16)
    assert (np.diff(weights[:16]) > 0).all()
    assert (weights[16:48] == 1).all()
    np.testing.assert_array_equal(weights, weights[::-1])
    assert (taper(8, 0) == 1).all()


@given(st.integers(1, 40), st.integers(1, 200))
def test_mirrored_continues_an_axis_by_reflection(count, size):
    expected = np.pad(np.arange(count), (0, max(size - count, 0)), mode="symmetric")[:size]
    np.testing.assert_array_equal(mirrored(count, size), expected)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 30))
def test_aligned_spans_are_cut_at_multiples_of_the_step(first, length, step):
    spans = aligned_spans(first, first + length, step)
    assert sum(end - start for start, end in spans) == length
    assert all(start // step == (end - 1) // step for start, end in spans)


@given(st.integers(1, 16_777_216), st.sampled_from([1 << 20, 1 << 22]))
def test_row_bands_are_whole_rows_of_blocks_or_whole_shares_of_one(width, pixels):
    rows = rows_at_once(width, pixels)
    assert rows % 512 == 0 or 512 % rows == 0
    assert rows >= 64
    if width <= 4 * pixels // 512:  # 32,768 pixels for maps: no row of blocks is visited twice
        assert rows % 512 == 0
    if rows > 64:
        assert rows * width <= 4 * pixels
