import time
from collections import Counter

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings, strategies as st
from rasterio.windows import Window

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.options import ReadOptions, TileOptions
from lsafnet_cli.prediction.tile import cut_swaths, plan_tiles
from lsafnet_cli.prediction.tile_rows import cut_tiles, read_tile_rows
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, noise, write_raster


def read_tiles(pair, plan, threads, first_row=0):
    return cut_tiles(read_tile_rows(pair, plan, threads, first_row), plan)


def open_pair(tmp_path, rows, cols, **profile):
    images = [
        write_raster(tmp_path / f"{name}.tif", noise(seed, rows, cols), **profile)
        for seed, name in enumerate(("before", "after"), 1)
    ]
    return align_pair(read_pair(*images, ReadOptions())), [rasterio.open(image).read() for image in images]


@given(
    rows=st.integers(1, 200),
    cols=st.integers(1, 200),
    overlap=st.integers(0, 63),
    threads=st.integers(1, 4),
    tiled=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_tile_holds_the_pixels_under_it(tmp_path_factory, rows, cols, overlap, threads, tiled):
    layout = {"tiled": True, "blockxsize": 32, "blockysize": 48} if tiled else {"blockysize": 5}
    pair, images = open_pair(tmp_path_factory.mktemp("pair"), rows, cols, **layout)
    plan = plan_tiles(pair.grid, 64, TileOptions(overlap_px=overlap))
    padding = ((0, 0), (0, max(64 - rows, 0)), (0, max(64 - cols, 0)))
    before, after = (np.pad(image, padding, mode="symmetric") for image in images)
    count = 0
    for pixels in read_tiles(pair, plan, threads):
        rows_, cols_ = (slice(start, start + 64) for start in (pixels.tile.top, pixels.tile.left))
        np.testing.assert_array_equal(pixels.before, before[:, rows_, cols_])
        np.testing.assert_array_equal(pixels.after, after[:, rows_, cols_])
        assert pixels.valid.all()
        count += 1
    assert count == len(plan)


@pytest.mark.parametrize(
    "layout",
    [
        {"tiled": True, "blockxsize": 64, "blockysize": 64},
        {"tiled": True, "blockxsize": 16, "blockysize": 128},
        {"blockysize": 1},
        {"blockysize": 37},
    ],
    ids=str,
)
def test_every_block_is_decoded_once(tmp_path, monkeypatch, layout):
    pair, _ = open_pair(tmp_path, 300, 220, **layout)
    decoded: Counter[tuple[str, int, int]] = Counter()
    original = ImageReader.read

    def counting(self, window: Window, *arrays):
        block_rows, block_cols = self.image.scene.block_shape
        for row in range(window.row_off // block_rows, -(-(window.row_off + window.height) // block_rows)):
            for col in range(window.col_off // block_cols, -(-(window.col_off + window.width) // block_cols)):
                decoded[self.image.scene.path, row, col] += 1
        original(self, window, *arrays)

    monkeypatch.setattr(ImageReader, "read", counting)
    plan = plan_tiles(pair.grid, 96, TileOptions(overlap_px=24))
    assert sum(1 for _ in read_tiles(pair, plan, threads=3)) == len(plan)
    assert set(decoded.values()) == {1}
    block_rows, block_cols = pair.before.block_shape
    assert len(decoded) == 2 * -(-300 // block_rows) * -(-220 // block_cols)


def test_tiles_without_a_valid_pixel_are_not_made(tmp_path):
    mask = np.zeros((200, 200), "uint8")
    mask[:40, :40] = 255
    before = write_raster(tmp_path / "before.tif", noise(1, 200, 200))
    after = write_raster(tmp_path / "after.tif", noise(2, 200, 200), mask=mask)
    pair = align_pair(read_pair(before, after, ReadOptions()))
    plan = plan_tiles(pair.grid, 64, TileOptions(overlap_px=16))
    assert [(p.tile.row, p.tile.col) for p in read_tiles(pair, plan, 1)] == [(0, 0)]


def test_reading_can_begin_at_any_tile_row(tmp_path):
    pair, _ = open_pair(tmp_path, 200, 100)
    plan = plan_tiles(pair.grid, 64, TileOptions(overlap_px=16))
    whole = {p.tile: p.before for p in read_tiles(pair, plan, 2)}
    for pixels in read_tiles(pair, plan, 2, first_row=2):
        np.testing.assert_array_equal(pixels.before, whole[pixels.tile])


def test_a_shifted_after_image_is_read_at_its_offset(tmp_path):
    whole = noise(3, 120, 140)
    before = write_raster(tmp_path / "before.tif", whole)
    moved = PLACE @ PLACE.translation(20, 30)
    after = write_raster(tmp_path / "after.tif", whole[:, 30:, 20:], transform=moved, tiled=True,
                         blockxsize=32, blockysize=32)  # fmt: skip
    pair = align_pair(read_pair(before, after, ReadOptions()))
    assert pair.grid.shape == (90, 120)
    for pixels in read_tiles(pair, plan_tiles(pair.grid, 64, TileOptions()), 2):
        np.testing.assert_array_equal(pixels.before, pixels.after)


@given(
    cols=st.integers(1, 900),
    size=st.sampled_from([32, 64]),
    overlap=st.integers(0, 31),
    widest=st.integers(1, 500),
)
@settings(deadline=None)
def test_swaths_own_every_column_once_and_hold_every_tile_that_touches_theirs(cols, size, overlap, widest):
    plan = plan_tiles(Grid(None, Affine.identity(), cols, 10), size, TileOptions(overlap_px=overlap))
    swaths = cut_swaths(plan, widest)
    edges = [edge for swath in swaths for edge in swath.owned]
    assert edges[0] == 0
    assert edges[-1] == cols
    assert edges[1:-1:2] == edges[2::2]
    for swath in swaths:
        touching = [s for s in plan.col_starts if s < swath.owned[1] and s + size > swath.owned[0]]
        assert [s + swath.window.col_off for s in swath.plan.col_starts] == touching
        assert swath.plan.width == swath.window.width


def test_seams_cost_little_in_wide_scenes():
    plan = plan_tiles(Grid(None, Affine.identity(), 100_000, 512), 512, TileOptions())
    swaths = cut_swaths(plan, 20_000)
    computed = sum(len(swath.plan.col_starts) for swath in swaths)
    assert len(swaths) >= 5
    assert computed <= 1.03 * len(plan.col_starts)


def test_no_thread_reads_on_when_the_files_are_closed(tmp_path, monkeypatch):
    pair, _ = open_pair(tmp_path, 200, 220, tiled=True, blockxsize=16, blockysize=16)
    reading, closed = [], []
    original_read, original_exit = ImageReader.read, ImageReader.__exit__

    def failing_or_slow(self, window: Window, *arrays):
        reading.append(window)
        if window.col_off == 0:
            raise OSError("one thread fails at once")
        time.sleep(0.2)
        assert not closed
        original_read(self, window, *arrays)
        reading.remove(window)

    def noting(self, *failure):
        closed.append([window for window in reading if window.col_off != 0])
        original_exit(self, *failure)

    monkeypatch.setattr(ImageReader, "read", failing_or_slow)
    monkeypatch.setattr(ImageReader, "__exit__", noting)
    with pytest.raises(OSError, match="one thread fails"):
        list(read_tiles(pair, plan_tiles(pair.grid, 96, TileOptions()), threads=4))
    assert closed == [[], []]
