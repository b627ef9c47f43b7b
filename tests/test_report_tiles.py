"""The tiles of a report page: each pixel once, one stretch for a whole date, coarse levels before fine ones."""

import numpy as np
import pytest

from lsafnet_cli import PageOptions, write_report_page
from lsafnet_cli.report_page import painted_rows
from lsafnet_cli.report_page.painted_rows import PaintedRows
from lsafnet_cli.report_page.pyramid import PageTile, Shelf, build_pyramid
from lsafnet_cli.report_page.tile_rows import most_frequent

from .change_maps import NODATA, blobs, random_codes, write_map, write_probability
from .conftest import PLACE, write_raster
from .report_pages import layer_of, tiles_of


def pyramid_of(codes, limit=10**9, band_rows=300):
    made = (PaintedRows(codes[top : top + band_rows]) for top in range(0, len(codes), band_rows))
    return build_pyramid(made, codes.shape, NODATA, limit)


@pytest.mark.parametrize("shape", [(1, 1), (256, 256), (257, 300), (1, 700), (520, 40)])
def test_every_pixel_of_any_map_is_in_the_finest_level_and_the_coarsest_is_one_tile(tmp_path, shape):
    codes = random_codes(*shape, 4, seed=3, coarse=3)
    write_report_page(write_map(tmp_path / "m.tif", codes), tmp_path / "r.html")
    np.testing.assert_array_equal(layer_of(tmp_path / "r.html"), codes)
    coarsest = max(level for level, _, _ in tiles_of(tmp_path / "r.html"))
    assert layer_of(tmp_path / "r.html", coarsest).min() >= 0
    assert max(layer_of(tmp_path / "r.html", coarsest).shape) <= 256


def test_tiles_do_not_depend_on_the_height_of_row_bands():
    codes = random_codes(700, 600, 4, seed=5, coarse=2)
    assert pyramid_of(codes, band_rows=256) == pyramid_of(codes, band_rows=700) == pyramid_of(codes)


def test_of_four_codes_the_most_frequent_stays_and_a_change_wins_over_none():
    four = np.array([[0, 0, 0, 3], [0, 3, 3, 0], [2, 2, 1, 0], [0, 1, 2, 3], [255, 255, 255, 0]], np.uint8).T
    assert most_frequent(*four).tolist() == [0, 3, 2, 2, 255]


def test_coarse_levels_come_first_then_tiles_where_most_has_changed():
    codes = np.zeros((1024, 1024), np.uint8)
    rng = np.random.default_rng(0)
    codes[300:400, 300:400] = rng.integers(1, 9, (100, 100))
    codes[900:920, 900:920] = rng.integers(1, 9, (20, 20))
    whole = pyramid_of(codes)
    assert whole.levels == (True, True, True)
    largest = max((tile for tile in whole.tiles if tile.level == 0), key=lambda tile: tile.changed)
    above = sum(len(tile.text) for tile in whole.tiles if tile.level)
    some = pyramid_of(codes, above + len(largest.text))
    assert some.levels == (False, True, True)
    assert [tile for tile in some.tiles if tile.level == 0] == [largest]
    assert sum(len(tile.text) for tile in some.tiles) <= above + len(largest.text)


def test_a_level_never_holds_more_bytes_than_the_page_may_have():
    shelf = Shelf(100)
    for number, changed in enumerate(np.random.default_rng(0).permutation(50).tolist()):
        if shelf.wants(changed):
            shelf.add(PageTile(changed, 0, 0, number, "x" * (7 + changed % 5)))
        assert shelf.size == sum(len(tile.text) for tile in shelf.by_change()) <= 100
    kept = [tile.changed for tile in shelf.by_change()]
    assert kept == list(range(49, 49 - len(kept), -1))
    assert len(kept) >= 9
    assert not shelf.whole


def test_one_stretch_serves_a_whole_date(tmp_path):
    ramp = np.linspace(0, 4000, 600).astype(np.uint16)
    image = np.broadcast_to(ramp, (3, 300, 600))
    images = [str(write_raster(tmp_path / f"{name}.tif", image)) for name in "ab"]
    write_report_page(write_map(tmp_path / "m.tif", np.zeros((300, 600))), tmp_path / "r.html", *images)
    shown = layer_of(tmp_path / "r.html", 0, 1)[150, :, 0]
    assert shown[0] <= 3
    assert shown[-1] >= 252
    assert np.abs(shown - np.linspace(0, 255, 600)).max() < 8
    coarse = layer_of(tmp_path / "r.html", 2, 1)[30, :, 0]
    assert np.abs(coarse - np.linspace(0, 255, 150)).max() < 8


def test_a_date_without_data_is_grey_and_floats_and_single_bands_are_shown(tmp_path):
    image = np.full((1, 300, 300), 0.5, np.float32)
    image[:, :, 150:] = np.nan
    image[:, :100] = 0.1
    images = [str(write_raster(tmp_path / f"{name}.tif", image, nodata=np.nan)) for name in "ab"]
    write_report_page(write_map(tmp_path / "m.tif", np.zeros((300, 300))), tmp_path / "r.html", *images)
    shown = layer_of(tmp_path / "r.html", 0, 2)
    assert np.abs(shown[200, 200] - 200).max() < 6
    assert shown[50, 50].max() < 6
    assert shown[200, 50].min() > 249


def test_images_on_another_grid_are_warped_onto_the_map(tmp_path):
    image = np.zeros((3, 100, 100), np.uint8)
    image[:, :, 50:] = 200  # east of column 50 of 1 m, column 100 of the map's 0.5 m
    coarse = PLACE @ PLACE.scale(2)
    images = [str(write_raster(tmp_path / f"{name}.tif", image, transform=coarse)) for name in "ab"]
    write_report_page(write_map(tmp_path / "m.tif", np.zeros((200, 200))), tmp_path / "r.html", *images)
    shown = layer_of(tmp_path / "r.html", 0, 1)[..., 0]
    assert shown[:, 20:90].max() < 20
    assert shown[:, 110:180].min() > 235


def test_the_probability_lies_in_half_percents_and_is_found_beside_the_map_or_named(tmp_path):
    path = write_map(tmp_path / "m.tif", blobs(300, 300))
    write_report_page(path, tmp_path / "without.html")
    assert next(iter(tiles_of(tmp_path / "without.html").values()))[3] is None
    percent = np.broadcast_to(np.linspace(0, 100, 300).astype(np.uint8), (300, 300))
    beside = write_probability(path, percent)
    named = beside.rename(tmp_path / "other.tif")
    write_report_page(path, tmp_path / "named.html", options=PageOptions(probability=named))
    named.rename(beside)
    write_report_page(path, tmp_path / "beside.html")
    assert tiles_of(tmp_path / "named.html") == tiles_of(tmp_path / "beside.html")
    shown = layer_of(tmp_path / "beside.html", 0, 3) / 2
    assert np.abs(shown - percent).max() < 3


def test_each_file_is_read_once_and_in_bands(tmp_path, monkeypatch):
    monkeypatch.setattr(painted_rows, "PIXELS_AT_ONCE", 1)
    path = write_map(tmp_path / "m.tif", blobs(600, 300))
    seen = [band.shape for band in painted_rows.read_bands(str(path), None, None)]
    assert seen == [(256, 300), (256, 300), (88, 300)]
