"""`lsafnet check` tells whether a pair fits, and what predict would make of it."""

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import rasterio
from affine import Affine

from lsafnet_cli.app import main
from lsafnet_cli.options import GridOptions
from lsafnet_cli.prediction.check import check_pair

from .conftest import PLACE, SHARED_DATA, noise, write_raster
from .test_registration import moved, scenery


@dataclass
class Done:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_command(capsys):
    def run(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return Done(left.value.code, printed.out, printed.err)

    return run


def levels(found):
    return {finding.level for finding in found.findings}


def texts(found):
    return " | ".join(finding.text for finding in found.findings)


def test_a_pair_on_one_grid_fits(tiny_checkpoint, tmp_path):
    picture = scenery(side=300)
    paths = [write_raster(tmp_path / f"{name}.tif", picture) for name in "ab"]
    found = check_pair(*paths, tiny_checkpoint)
    assert found.verdict == "fits"
    assert found.fits
    assert (found.common.width, found.common.height) == (300, 300)
    assert found.common.offset_px == (0, 0)
    assert found.common.warped == ()
    assert found.common.area_ha == pytest.approx(300 * 300 * 0.25 / 1e4, rel=2e-3)
    assert found.before.bands == ("1 red", "2 green", "3 blue")
    assert found.registration.distance_px == 0


def test_offsets_shares_and_nodata_are_those_of_the_files(tiny_checkpoint, tmp_path):
    pixels = scenery(side=300)
    pixels[:, :100] = 0
    before = write_raster(tmp_path / "a.tif", pixels, nodata=0)
    after = write_raster(
        tmp_path / "b.tif", scenery(side=300), transform=PLACE @ Affine.translation(-60.25, 30)
    )
    found = check_pair(before, after, tiny_checkpoint)
    assert found.common.offset_px == pytest.approx((0, 60.25), abs=0.3)
    assert found.common.warped == ("after",)
    assert found.common.share_of_before == pytest.approx(240 * 270 / 90000, abs=0.01)
    assert found.before.nodata_share == pytest.approx(1 / 3, abs=1e-6)
    assert found.after.nodata_share == 0
    assert found.common.nodata_share == pytest.approx(70 / 270, abs=0.02)
    assert found.before.nodata == "number 0"
    assert "is on another grid" in texts(found)


def test_the_stretch_is_the_one_that_predict_would_use(tiny_checkpoint, tmp_path):
    before = write_raster(tmp_path / "a.tif", noise(1, 100, 100).astype("uint16") * 40)
    after = write_raster(tmp_path / "b.tif", noise(1, 100, 100))
    found = check_pair(before, after, tiny_checkpoint)
    assert found.after.stretch is None
    low, high = np.percentile(noise(1, 100, 100)[0] * 40.0, (2, 98))
    assert found.before.stretch[0] == pytest.approx((low, high))


def test_a_shift_is_a_warning(tiny_checkpoint, tmp_path):
    picture = scenery()
    before = write_raster(tmp_path / "a.tif", picture)
    after = write_raster(tmp_path / "b.tif", moved(picture, 5, 2))
    found = check_pair(before, after, tiny_checkpoint)
    assert found.verdict == "fits, with warnings"
    assert (found.registration.rows_px, found.registration.cols_px) == pytest.approx((5, 2), abs=0.1)
    assert "`coregister`" in texts(found)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"transform": PLACE @ Affine.translation(500, 0)}, "do not overlap"),
        ({"crs": None}, "has no CRS"),
        ({"crs": None, "transform": Affine.identity()}, "is not georeferenced"),
    ],
)
def test_a_pair_that_does_not_fit_is_a_problem(run_command, tiny_checkpoint, tmp_path, profile, words):
    before = write_raster(tmp_path / "a.tif", noise(1, 90, 90))
    after = write_raster(tmp_path / "b.tif", noise(2, 90, 90), **profile)
    found = check_pair(before, after, tiny_checkpoint)
    assert found.verdict == "does not fit"
    assert not found.fits
    assert (found.common, found.registration) == (None, None)
    assert words in texts(found)
    done = run_command("check", before, after, "--checkpoint", tiny_checkpoint, "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["verdict"] == "does not fit"


def test_no_pixel_with_data_in_both_is_a_problem(tiny_checkpoint, tmp_path):
    halves = noise(1, 90, 90), noise(2, 90, 90)
    halves[0][:, :45], halves[1][:, 45:] = 0, 0
    paths = [write_raster(tmp_path / f"{n}.tif", half, nodata=0) for n, half in enumerate(halves)]
    found = check_pair(*paths, tiny_checkpoint)
    assert "no pixel has data in both images" in texts(found)
    assert not found.fits


def test_swapped_dates_blank_images_and_small_overlaps_are_warnings(tiny_checkpoint, tmp_path):
    dates = [{"ACQUISITIONDATETIME": f"{year}:05:01 00:00:00"} for year in (2021, 2019)]
    before = write_raster(tmp_path / "a.tif", np.full((3, 90, 90), 9, "uint8"), tags=dates[0])
    after = write_raster(
        tmp_path / "b.tif", noise(2, 90, 90), transform=PLACE @ Affine.translation(60, 0), tags=dates[1]
    )
    found = check_pair(before, after, tiny_checkpoint)
    assert found.before.acquired == "2021-05-01"
    assert "swap them?" in texts(found)
    assert "all pixels have one value" in texts(found)
    assert "share only 33.3%" in texts(found)
    assert levels(found) == {"warning", "note"}


def test_pixels_of_another_size_than_the_checkpoint_was_trained_on_are_a_warning(tiny_checkpoint, tmp_path):
    paths = [
        write_raster(tmp_path / f"{n}.tif", noise(n, 90, 90), transform=PLACE @ Affine.scale(10))
        for n in (1, 2)
    ]
    assert "pixels of 5 m (trained on 0.5 m)" in texts(check_pair(*paths, tiny_checkpoint))
    finer = check_pair(*paths, tiny_checkpoint, grid=GridOptions(resolution_m=1.0))
    assert (finer.common.width, finer.common.pixel_size_m) == (450, pytest.approx(1.0))
    assert "warped to pixels of 1 m" in texts(finer)


def test_the_command_prints_a_table_or_json_and_never_writes(run_command, tiny_checkpoint, pair, tmp_path):
    files = sorted(tmp_path.rglob("*"))
    done = run_command("check", *pair, "--checkpoint", tiny_checkpoint)
    assert done.returncode == 0
    for words in (
        "before.tif",
        "EPSG:32632",
        "203 x 150",
        "0.5 m",
        "1 red, 2 green, 3 blue",
        "the pair fits",
    ):
        assert words in done.stdout
    assert done.stderr == ""
    found = json.loads(run_command("check", *pair, "--checkpoint", tiny_checkpoint, "--json").stdout)
    assert found["common"]["width"] == 203
    assert sorted(tmp_path.rglob("*")) == files


def test_an_unreadable_image_is_an_error_as_in_predict(run_command, tiny_checkpoint, pair, tmp_path):
    done = run_command("check", pair[0], tmp_path / "none.tif", "--checkpoint", tiny_checkpoint)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "none.tif: no such file" in done.stderr


def test_check_does_not_wait_for_torch(tiny_checkpoint, pair):
    code = (
        "import sys; from lsafnet_cli.app import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as left: assert not left.code\n"
        "assert 'torch' not in sys.modules"
    )
    words = ["check", *map(str, pair), "--checkpoint", str(tiny_checkpoint)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no real images beside this checkout")
@pytest.mark.parametrize(
    ("before", "after", "fits", "words"),
    [
        (
            "naip/m_4709963_se_14_1_20090818.tif",
            "naip/m_4709963_se_14_1_20100629.tif",
            True,
            "is on another grid",
        ),
        (
            "puerto_rico_maria/pre_tile_0_107.tif",
            "puerto_rico_maria/post_tile_0_107.tif",
            True,
            "is shifted by about",
        ),
        ("odd/RGB.byte.tif", "odd/RGBA.byte.tif", True, ""),
        (
            "odd/201404_13SED190110_201404_0x1500m_CL_1_alpha.tif",
            "odd/201404_13SED190110_201404_0x1500m_CL_1_nodata.tif",
            True,
            "",
        ),
        ("odd/RGB.byte.tif", "naip/m_4709963_se_14_1_20100629.tif", False, "do not overlap"),
    ],
)
def test_real_pairs_are_judged(tiny_checkpoint, before, after, fits, words):
    found = check_pair(SHARED_DATA / before, SHARED_DATA / after, tiny_checkpoint)
    assert found.fits == fits
    assert words in texts(found)


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no real images beside this checkout")
def test_real_nodata_shares_are_those_of_gdal(tiny_checkpoint):
    path = SHARED_DATA / "odd" / "RGB.byte.tif"
    found = check_pair(path, SHARED_DATA / "odd" / "RGBA.byte.tif", tiny_checkpoint)
    with rasterio.open(path) as dataset:
        expected = (dataset.dataset_mask() == 0).mean()
    assert found.before.nodata_share == pytest.approx(expected, abs=1e-6)
