"""How far the dates lie off each other is measured, said, and taken back when asked for."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from scipy import ndimage

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.options import GridOptions, ReadOptions
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair
from lsafnet_cli.scenes.registration import (
    Registration,
    Shift,
    coregistered,
    looks_alike,
    measure_shift,
    register_pair,
    summarize_shifts,
)

from .conftest import PLACE, noise, write_raster

SAMPLE = Path(__file__).parents[1] / "sample_data"
ALL = np.ones((256, 256), bool)


def scenery(seed: int = 0, side: int = 700) -> np.ndarray:
    """Return (3, side, side) uint8 with structure of many sizes."""
    rng = np.random.default_rng(seed)
    layers = [ndimage.gaussian_filter(rng.normal(size=(3, side, side)), (0, s, s)) * s for s in (1, 3, 9, 27)]
    picture = sum(layers)
    return ((picture - picture.min()) / np.ptp(picture) * 254 + 1).astype(np.uint8)


def moved(picture: np.ndarray, rows: float, cols: float) -> np.ndarray:
    """Return the picture with its features `rows` further down and `cols` further right."""
    shifted = ndimage.shift(picture.astype(float), (0, rows, cols), order=3, mode="nearest")
    return shifted.clip(1, 255).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("rows", "cols"), [(0, 0), (1, 0), (0.5, 0.25), (7.25, -3.5), (-20.4, 11.3), (60, -30)]
)
def test_a_known_shift_is_measured_to_a_tenth_of_a_pixel(rows, cols):
    picture = scenery()
    window = np.s_[:, 200:456, 200:456]
    found = measure_shift(picture[window], moved(picture, rows, cols)[window], ALL)
    assert (found.rows, found.cols) == pytest.approx((rows, cols), abs=0.1)


def test_light_season_and_noise_do_not_hide_a_shift():
    picture = scenery()
    rng = np.random.default_rng(1)
    later = 255 - 0.5 * moved(picture, 2.5, -4) + rng.normal(0, 8, picture.shape)
    window = np.s_[:, 200:456, 200:456]
    assert measure_shift(picture[window], later[window], ALL) is None  # inverted: nothing that looks alike
    later = 60 + 0.5 * moved(picture, 2.5, -4) + rng.normal(0, 8, picture.shape)
    found = measure_shift(picture[window], later[window], ALL)
    assert (found.rows, found.cols) == pytest.approx((2.5, -4), abs=0.15)


@pytest.mark.parametrize("smooth", [0, 1, 3])
def test_unrelated_images_have_no_shift(smooth):
    rng = np.random.default_rng(2)
    for _ in range(20):
        images = ndimage.gaussian_filter(rng.normal(size=(2, 1, 256, 256)), (0, 0, smooth, smooth))
        assert measure_shift(images[0], images[1], ALL) is None


def test_blank_small_or_mostly_invalid_windows_have_no_shift():
    picture = scenery()[:, :256, :256]
    assert measure_shift(np.full_like(picture, 7), picture, ALL) is None
    assert measure_shift(picture[:, :40], picture[:, :40], ALL[:40]) is None
    few = ALL.copy()
    few[:200] = False
    assert measure_shift(picture, picture, few) is None


def test_the_median_shrugs_off_windows_that_are_wrong():
    shifts = [Shift(1.0, 2.0, 30), Shift(1.1, 2.1, 30), Shift(0.9, 1.9, 30), Shift(80.0, -50.0, 11), None]
    found = summarize_shifts(shifts)
    assert (found.tried, found.windows) == (5, 4)
    assert (found.rows_px, found.cols_px) == pytest.approx((1.05, 1.95), abs=0.06)
    assert found.spread_px < 0.3
    assert found.clear


def test_one_window_of_many_tells_nothing():
    found = summarize_shifts([Shift(1, 2, 30), None, None])
    assert found == Registration(3, 1)
    assert not found.clear
    assert summarize_shifts([]).distance_px is None


def test_a_shift_within_the_spread_is_not_clear():
    assert not Registration(9, 9, 0.5, 0.5, 2.0).clear
    assert not Registration(9, 9, 0.03, 0.03, 0.01).clear


@pytest.fixture
def shifted_pair(tmp_path):
    """Return two images on one grid whose contents lie 3 rows and -2.5 columns off each other."""
    picture = scenery()
    before = write_raster(tmp_path / "before.tif", picture)
    return before, write_raster(tmp_path / "after.tif", moved(picture, 3, -2.5))


@pytest.mark.parametrize("owner", ["before", "after"])
@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:3035"])
def test_coregistering_takes_the_shift_back(tmp_path, owner, crs):
    from rasterio.warp import transform

    picture = scenery()
    before = write_raster(tmp_path / "before.tif", picture)
    later = moved(picture, 3, -2.5)
    place = PLACE
    if crs != "EPSG:32632":  # the same pixels seen in another CRS: by way of a warp onto it
        x, y = transform("EPSG:32632", crs, [PLACE.c], [PLACE.f])
        place = Affine(0.5, 0, x[0] - 20, 0, -0.5, y[0] + 40)
        from rasterio.warp import reproject

        seen = np.zeros((3, 800, 800), "uint8")
        reproject(
            later,
            seen,
            src_transform=PLACE,
            src_crs="EPSG:32632",
            dst_transform=place,
            dst_crs=crs,
            resampling=1,
        )
        later = seen
    after = write_raster(tmp_path / "after.tif", later, crs=crs, transform=place, nodata=0)
    options = GridOptions(owner)
    pair = read_pair(before, after, ReadOptions())
    aligned = align_pair(pair, options)
    found = register_pair(aligned)
    assert found.distance_px == pytest.approx(np.hypot(3, 2.5), abs=0.2)
    again = register_pair(align_pair(coregistered(pair, aligned, found, owner), options))
    assert again.distance_px < 0.2


def test_predict_says_that_the_dates_lie_off_each_other_and_mends_it(shifted_pair, tiny_checkpoint, tmp_path):
    options = PredictOptions(checkpoint=tiny_checkpoint, grid=GridOptions(coregister="off"))
    plain = predict_change(*shifted_pair, tmp_path / "a.tif", options)
    assert any("by about 3.9 pixels" in text and "`coregister`" in text for text in plain.notices)
    options = PredictOptions(checkpoint=tiny_checkpoint)
    mended = predict_change(*shifted_pair, tmp_path / "b.tif", options)
    assert not any("is shifted by" in text for text in mended.notices)
    assert any(
        text.startswith("`coregister`: the shift between the dates is corrected by +3.0")
        for text in mended.notices
    )
    assert mended.options["shift_px"] == pytest.approx([3, -2.5], abs=0.1)
    assert plain.options["shift_px"] is None
    with rasterio.open(tmp_path / "b.tif") as dataset:
        assert dataset.transform.a == 0.5
        assert dataset.shape[0] in (696, 697, 698)  # what the moved image no longer covers is not shared


def test_a_shift_below_a_pixel_is_corrected_on_request_alone(tiny_checkpoint, tmp_path):
    picture = scenery()
    before = write_raster(tmp_path / "a.tif", picture)
    after = write_raster(tmp_path / "b.tif", picture, transform=PLACE @ Affine.translation(0.6, 0))
    shifts = {}
    for wish in ("auto", "on"):
        options = PredictOptions(checkpoint=tiny_checkpoint, grid=GridOptions(coregister=wish))
        shifts[wish] = predict_change(before, after, tmp_path / f"{wish}.tif", options).options["shift_px"]
    assert shifts["auto"] is None
    assert shifts["on"] == pytest.approx([0, 0.6], abs=0.15)


def test_a_pattern_that_repeats_moves_nothing_unasked(tiny_checkpoint, tmp_path):
    paths = [write_raster(tmp_path / f"{n}.tif", noise(n, 96, 96)) for n in (1, 2)]  # blocks of 16 pixels
    assert register_pair(align_pair(read_pair(*paths, ReadOptions()))).distance_px > 1
    report = predict_change(*paths, tmp_path / "map.tif", PredictOptions(checkpoint=tiny_checkpoint))
    assert report.options["shift_px"] is None


def test_the_correlation_is_highest_where_the_shift_is_taken_back(shifted_pair):
    pair = align_pair(read_pair(*shifted_pair, ReadOptions()))
    found = {shift: looks_alike(pair, *shift) for shift in ((0, 0), (3, -2), (-3, 2))}
    assert max(found, key=found.get) == (3, -2)


def test_images_without_a_place_on_the_ground_are_never_moved(tiny_checkpoint, tmp_path):
    picture = scenery()
    paths = []
    for name, pixels in (("a", picture), ("b", moved(picture, 5, 2))):
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(pixels.transpose(1, 2, 0)).save(paths[-1])
    report = predict_change(*paths, tmp_path / "map.tif", PredictOptions(checkpoint=tiny_checkpoint))
    assert report.options["shift_px"] is None
    assert (report.width, report.height) == picture.shape[:0:-1]


def test_images_without_a_clear_shift_stay_where_they_are(tiny_checkpoint, tmp_path):
    paths = [write_raster(tmp_path / f"{n}.tif", scenery(n, 300)) for n in (1, 2)]
    options = PredictOptions(checkpoint=tiny_checkpoint, grid=GridOptions(coregister="on"))
    report = predict_change(*paths, tmp_path / "map.tif", options)
    assert any("no shift between the dates can be measured" in text for text in report.notices)
    assert report.options["shift_px"] is None


def test_the_sample_pair_lies_well_on_itself():
    pair = align_pair(read_pair(SAMPLE / "before.tif", SAMPLE / "after.tif", ReadOptions()))
    assert register_pair(pair).distance_px < 1
