"""What files say of their pixels, and what they do not: nodata, alpha, order of bands, range, dates."""

from datetime import date

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import OptionError
from lsafnet_cli.options import ReadOptions, StretchRule, parse_nodata
from lsafnet_cli.prediction.check import check_pair
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.dates import acquired_of, parse_day
from lsafnet_cli.scenes.doubts import doubt_notices
from lsafnet_cli.scenes.notices import date_notices, range_notices
from lsafnet_cli.scenes.read import read_pair, read_picture, read_scene
from lsafnet_cli.scenes.stretch import sample_scene, scene_stretch
from lsafnet_cli.scenes.validity import holds_number

from .conftest import PLACE, noise, write_raster
from .test_placed import read_whole

AUTO, NONE = StretchRule(), StretchRule("none")
OFF_BY_HALF = PLACE @ Affine.translation(0.5, 0.5)
FILLED = np.s_[:, :, :40]


@pytest.mark.parametrize(
    ("dtype", "declared", "stored"),
    [
        ("float32", -3.4e38, -3.4028235e38),  # as ESRI writes it, rounded in the tag
        ("float32", -3.40282e38, -3.4028235e38),
        ("float32", -9999.9, np.float32(-9999.9)),
        ("float32", 0.1, np.float32(0.1)),
        ("float64", -1.797693134862315e308, -1.7976931348623157e308),
        ("float32", -9999, -9999.5),  # another number
        ("int16", -9999, -9999),
        ("uint16", 65535, 65535),
    ],
)
def test_a_nodata_number_counts_where_gdal_masks_it_also_when_it_is_warped(tmp_path, dtype, declared, stored):
    pixels = noise(1, 60, 90).astype(dtype)
    pixels[FILLED] = np.asarray(stored).astype(dtype)
    path = write_raster(tmp_path / "a.tif", pixels, nodata=declared)
    other = write_raster(tmp_path / "b.tif", noise(2, 60, 90), transform=OFF_BY_HALF)
    with rasterio.open(path) as dataset:
        masked = dataset.dataset_mask() == 0
    pair = align_pair(read_pair(path, path, ReadOptions()))
    np.testing.assert_array_equal(read_whole(pair.before)[1], ~masked)
    warped = align_pair(read_pair(other, path, ReadOptions())).after
    assert warped.offset is None
    valid = read_whole(warped)[1]
    assert valid[2:-2, 42:-2].all()
    assert not valid[:, :38].any() if masked.any() else valid[2:-2, 2:-2].all()


def test_real_numbers_are_compared_to_within_rounding():
    numbers = np.array([0.1, 0.1 + 1e-8, 0.1 + 1e-6, -0.1], "float32")
    assert holds_number(numbers, 0.1).tolist() == [True, True, False, False]
    assert holds_number(np.array([7, 8], "uint8"), 7).tolist() == [True, False]


@pytest.mark.parametrize("warped", [False, True])
@pytest.mark.parametrize("own", [None, 3, "mask"])
def test_a_given_nodata_number_stands_in_place_of_the_files_own(tmp_path, warped, own):
    pixels = noise(1, 60, 90)
    pixels[:, :, :20], pixels[:, :, 20:40] = 0, 3
    more = {"mask": np.full((60, 90), 255, "uint8")} if own == "mask" else {"nodata": own}
    path = write_raster(tmp_path / "a.tif", pixels, **more)
    grid = write_raster(tmp_path / "b.tif", noise(2, 60, 90), transform=OFF_BY_HALF if warped else PLACE)
    pair = align_pair(read_pair(grid, path, ReadOptions(nodata=(255, 0))))
    assert (pair.after.offset is None) == warped
    valid = read_whole(pair.after)[1]
    assert not valid[:, :18].any()
    assert valid[2:-2, 22:-2].all()
    assert read_scene(path, None, 3, 0.0).nodata == (0.0,) * 3


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("0", (0, 0)), ("0,255", (0, 255)), ("-9999.5,nan", (-9999.5, None))]
)
def test_nodata_is_one_number_or_one_for_each_date(text, expected):
    found = parse_nodata(text)
    assert found == expected or (found is not None and found[0] == expected[0] and np.isnan(found[1]))


@pytest.mark.parametrize("text", ["", "black", "0,1,2", "0;1"])
def test_what_is_no_nodata_number_is_refused(text):
    with pytest.raises(OptionError, match="`nodata`"):
        parse_nodata(text)


def diamond(rows, cols):
    row, col = np.ogrid[:rows, :cols]
    return np.abs(row - rows / 2) / rows + np.abs(col - cols / 2) / cols > 0.47


def collars():
    """Yield pixels whose fill is to be noticed, and such as hold none."""
    rows, cols = 120, 160
    row, col = np.ogrid[:rows, :cols]
    plain, yes = noise(1, rows, cols), {}
    for name, where in {
        "a diamond": diamond(rows, cols),
        "one side": np.broadcast_to(col < 30, (rows, cols)),
        "a slanted edge": np.broadcast_to(col + row / 4 > 140, (rows, cols)),
        "a frame": np.broadcast_to((row < 8) | (row >= 112) | (col < 10) | (col >= 150), (rows, cols)),
    }.items():
        yes[name] = np.where(where, 0, plain)
    bright = {"white": np.where(diamond(rows, cols), 255, plain)}
    lake = np.where((row - 60) ** 2 + (col - 80) ** 2 < 40**2, 0, plain)
    return [
        (yes | bright, True),
        ({"nothing": plain, "a lake": lake, "one number": np.zeros_like(plain)}, False),
    ]


@pytest.mark.parametrize(
    ("pixels", "noticed"), [(p, n) for many, n in collars() for p in many.values()],
    ids=[name for many, _ in collars() for name in many],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_fill_along_the_edges_that_no_tag_declares_is_said(tmp_path, pixels, noticed, dtype):
    path = write_raster(tmp_path / "a.tif", pixels.astype(dtype))
    found = list(doubt_notices(read_scene(path, None, 3)))
    assert len(found) == noticed
    if noticed:
        number = int(pixels[0, 0, 0] if pixels[0, 0, 0] in (0, 255) else 0)
        assert f"the value {number} fills about" in found[0]
        assert f"`nodata` {number}" in found[0]
        declared = write_raster(tmp_path / "b.tif", pixels.astype(dtype), nodata=number)
        assert list(doubt_notices(read_scene(declared, None, 3))) == []
        assert list(doubt_notices(read_scene(path, None, 3, number))) == []


def with_alpha(path, alpha):
    pixels = np.concatenate([noise(1, 80, 90), alpha[None].astype("uint8")])
    write_raster(path, pixels, photometric="RGB", alpha="YES")
    return path


@pytest.mark.parametrize("warped", [False, True])
def test_a_band_that_is_asked_for_is_data_whatever_its_colour(tmp_path, warped):
    nir = noise(3, 80, 90)[0]
    nir[30:50, 30:60] = 0
    path = with_alpha(tmp_path / "a.tif", nir)
    grid = write_raster(tmp_path / "b.tif", noise(2, 80, 90, 4), transform=OFF_BY_HALF if warped else PLACE)
    valid = read_whole(align_pair(read_pair(grid, path, ReadOptions(bands=(4, 1, 2)))).after)[1]
    assert valid[2:-2, 2:-2].all()
    holed = read_whole(align_pair(read_pair(path, path, ReadOptions(bands=(1, 2, 3)))).after)[1]
    np.testing.assert_array_equal(holed, nir > 0)
    (notice,) = doubt_notices(read_scene(path, None, 3))
    assert "band 4 is declared as alpha, but holds many different values" in notice


@pytest.mark.parametrize("soft", [0, 3])
def test_an_alpha_band_that_is_one_raises_no_doubt(tmp_path, soft):
    alpha = np.full((80, 90), 255)
    alpha[:, :30] = 0
    alpha[:, 30 : 30 + soft] = 100
    assert list(doubt_notices(read_scene(with_alpha(tmp_path / "a.tif", alpha), None, 3))) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("blue", "green", "red", "nir"), (3, 2, 1)),
        (("Blue", "Green", "Red", "NIR"), (3, 2, 1)),
        (("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"), (6, 4, 2)),
        (("B2 (blue)", "B3 (green)", "B4 (red)", "B8 (nir)"), (3, 2, 1)),
        (("red", "red edge", "green", "blue"), (1, 3, 4)),
        ((None, None, None, None), (1, 2, 3)),
        (("a", "b", "c"), (1, 2, 3)),
    ],
)
def test_red_green_and_blue_are_found_by_the_descriptions_of_bands(tmp_path, names, expected):
    pixels = noise(1, 20, 30, len(names))
    path = write_raster(tmp_path / "a.tif", pixels, photometric="RGB" if len(names) < 5 else "MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        for number, name in enumerate(names, 1):
            if name is not None:
                dataset.set_band_description(number, name)
    assert read_scene(path, None, 3).bands == expected
    assert read_picture(path).bands == expected
    found = check_pair(path, path)
    said = [
        finding.text for finding in found.findings if "bands" in finding.text and "are read" in finding.text
    ]
    assert bool(said) == (expected != (1, 2, 3))


def test_colours_count_where_no_description_tells(tmp_path):
    path = write_raster(tmp_path / "a.tif", noise(1, 20, 30, 4), photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
    assert read_scene(path, None, 3).bands == (3, 2, 1)


def test_a_picture_of_one_band_shows_that_band(tmp_path):
    assert read_picture(write_raster(tmp_path / "a.tif", noise(1, 20, 30, 1))).bands == (1,)
    assert read_picture(write_raster(tmp_path / "b.tif", noise(1, 20, 30, 2))).bands == (1,)


@pytest.mark.parametrize(
    ("dtype", "factor", "value_range", "stretched"),
    [
        ("float32", 1 / 255, (0, 1), False),
        ("float32", 40.0, (0, 1), True),  # reflectance x 10,000
        ("float32", 1.0, (0, 1), True),  # bytes stored as real numbers
        ("uint16", 40, (0, 10_000), False),
        ("uint16", 250, (0, 10_000), True),
        ("int16", 40, (0, 10_000), False),
        ("uint8", 1, (0, 255), False),
    ],
)
def test_numbers_of_another_range_are_stretched_or_at_least_said(
    tmp_path, dtype, factor, value_range, stretched
):
    pixels = (noise(1, 60, 90).astype("float64") * factor).astype(dtype)
    scene = read_scene(write_raster(tmp_path / "a.tif", pixels), None, 3)
    assert (scene_stretch(scene, AUTO, value_range) is not None) == stretched
    assert scene_stretch(scene, NONE, value_range) is None
    said = list(range_notices(scene, None, value_range, lambda: sample_scene(scene)))
    assert len(said) == stretched
    assert all("the checkpoint was trained on" in text for text in said)


def test_the_time_of_a_files_making_is_no_date(tmp_path):
    path = write_raster(tmp_path / "a.tif", noise(1, 8, 8), tags={"TIFFTAG_DATETIME": "2024:01:02 03:04:05"})
    assert read_scene(path, None, 3).acquired is None


@pytest.mark.parametrize(
    ("domain", "tag", "text"),
    [
        ("IMAGERY", "ACQUISITIONDATETIME", "2019-06-15T10:30:00Z"),
        (None, "DATE_ACQUIRED", "2019-06-15"),
        (None, "EXIF_DateTimeOriginal", "2019:06:15 10:30:00"),
        (None, "NITF_IDATIM", "20190615103000"),
        (None, "PRODUCT_START_TIME", "2019-06-15T10:30:31.024Z"),
    ],
)
def test_the_day_of_acquisition_is_read_with_its_source(tmp_path, domain, tag, text):
    path = write_raster(tmp_path / "a.tif", noise(1, 8, 8), tags={"TIFFTAG_DATETIME": "2024:01:02 03:04:05"})
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**({"ns": domain} if domain else {}), **{tag: text})
    found = read_scene(path, None, 3).acquired
    assert (found.day, found.source) == (date(2019, 6, 15), f"tag {tag}")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("S2A_MSIL2A_20190615T101031_N0212_R022_T32TPS_20190615T121031.tif", date(2019, 6, 15)),
        ("T32TPS_20190615T101031_TCI_10m.jp2", date(2019, 6, 15)),
        ("S1A_IW_GRDH_1SDV_20190615T052400_20190615T052425_027692_032021_ABCD.tif", date(2019, 6, 15)),
        ("LC08_L1TP_193026_20190615_20190620_01_T1_B4.TIF", date(2019, 6, 15)),
        ("20190615_101010_1003_3B_AnalyticMS.tif", date(2019, 6, 15)),
        ("20190615_101010_55_1003_3B_AnalyticMS_SR.tif", date(2019, 6, 15)),
        ("m_3807708_nw_18_1_20190615.tif", date(2019, 6, 15)),
        ("ortho_20190615.tif", date(2019, 6, 15)),
        ("2019-06-15_site1.tif", date(2019, 6, 15)),
        ("LC08_L1TP_193026_20191315_20190620_01_T1_B4.TIF", None),  # of two numbers one is no day
        ("a_20150601_20190615.tif", None),
        ("a_20190615_2019-06-15.tif", date(2019, 6, 15)),
        ("tile_19690720.tif", None),
        ("tile_20991231.tif", None),
        ("a_20190230.tif", None),
        ("20190615/a.tif", None),  # the folder's name is not the file's
        ("a.tif?Expires=20190615", None),
    ],
)
def test_names_tell_the_day(tmp_path, name, day):
    path = write_raster(tmp_path / "a.tif", noise(1, 8, 8))
    with rasterio.open(path) as dataset:
        found = acquired_of(dataset, f"/vsizip/x.zip/{name}")
    assert (found and found.day) == day


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("site1_2015.tif", "2015"),
        ("2015_site1.tif", "2015"),
        ("site1-2015-07.tif", "2015"),
        ("a_2015_2020.tif", None),
        ("tile_2000x2000.tif", None),
        ("tile_1024.tif", None),
        ("a_2099.tif", None),
    ],
)
def test_a_bare_year_is_a_year_and_no_day(tmp_path, name, year):
    path = write_raster(tmp_path / name, noise(1, 8, 8))
    scene = read_scene(path, None, 3)
    assert scene.day is None
    assert (scene.acquired and (scene.acquired.text, scene.acquired.source)) == (year and (year, "file name"))


def test_what_a_file_says_of_itself_counts_before_its_name(tmp_path):
    path = write_raster(tmp_path / "a_20190615.tif", noise(1, 8, 8), tags={"DATE_ACQUIRED": "2018-05-01"})
    assert read_scene(path, None, 3).day == date(2018, 5, 1)


def test_years_in_the_wrong_order_are_said_and_one_year_is_not(tmp_path):
    one, other, day = (
        write_raster(tmp_path / f"a_{text}.tif", noise(1, 8, 8)) for text in ("2021", "2019", "20210501")
    )
    (text,) = date_notices(read_pair(one, other, ReadOptions()))
    assert f"{other} was acquired in 2019 (file name), before {one} (2021, file name)" in text
    assert list(date_notices(read_pair(day, one, ReadOptions()))) == []
    assert list(date_notices(read_pair(one, day, ReadOptions()))) == []
    found = check_pair(one, day)
    assert (found.before.acquired, found.before.acquired_by) == ("2021", "file name")
    assert (found.after.acquired, found.after.acquired_by) == ("2021-05-01", "file name")


def test_a_map_says_its_dates_and_where_they_are_known_from(tmp_path, tiny_checkpoint):
    paths = [
        write_raster(tmp_path / f"a_{text}.tif", noise(seed, 40, 40))
        for seed, text in enumerate(("2015", "2020-08-31"))
    ]
    options = PredictOptions(checkpoint=tiny_checkpoint)
    report = predict_change(*paths, tmp_path / "map.tif", options)
    assert report.options["dated_by"] == {"before": "file name: 2015", "after": "file name: 2020-08-31"}
    assert "dates taken from the file name: after 2020-08-31; `after_date` overrides this" in report.notices
    with rasterio.open(tmp_path / "map.tif") as dataset:
        tags = dataset.tags()
    assert "LSAFNET_BEFORE_DATE" not in tags
    assert tags["LSAFNET_AFTER_DATE"] == "2020-08-31"


@pytest.mark.parametrize("text", ["", "yesterday", "2019-13-01", "20190230", "15.06.2019", "201906"])
def test_what_is_no_day_is_none(text):
    assert parse_day(text) is None


def test_dates_in_the_wrong_order_are_said_with_their_sources(tmp_path):
    days = ("2021-05-01", "2019-05-01")
    paths = [
        write_raster(tmp_path / f"{day}.tif", noise(1, 8, 8), tags={"DATE_ACQUIRED": day}) for day in days
    ]
    (text,) = date_notices(read_pair(*paths, ReadOptions()))
    assert text.count("tag DATE_ACQUIRED") == 2
    assert check_pair(*paths).before.acquired_by == "tag DATE_ACQUIRED"
