"""Dates in names of images, and what pairs by them."""

from datetime import date

import pytest

from lsafnet_cli.batch.pairing import pair_folders, read_pairs
from lsafnet_cli.batch.sites import pair_one_folder
from lsafnet_cli.errors import InputError, OptionError, PairError
from lsafnet_cli.options import ReadOptions, parse_date
from lsafnet_cli.scenes.name_dates import date_in_name
from lsafnet_cli.scenes.read import read_pair

from .conftest import noise, write_raster


@pytest.mark.parametrize(
    ("name", "day", "exact", "site"),
    [
        ("site1_20200831.tif", "2020-08-31", True, "site1"),
        ("20200831_site1.tif", "2020-08-31", True, "site1"),
        ("site1_2020-08-31_rgb.tif", "2020-08-31", True, "site1_rgb"),
        ("2020.08.31.tif", "2020-08-31", True, ""),
        ("20190615T100031_visual.tif", "2019-06-15", True, "visual"),
        ("site1_2015.tif", "2015-01-01", False, "site1"),
        ("site1-2015-07.tif", "2015-07-01", False, "site1"),
        ("S2A_MSIL2A_20190615T100031_N0212_R122_T32TPT_20190615T120000.tif", "2019-06-15", True, "T32TPT"),
        ("S2B_MSIL1C_20230902T100559_N0509_R022_T32TPT_20230902T121845.SAFE/x.jp2", "2023-09-02", True, "T32TPT/x"),
        ("T32TPT_20190615T100031_B04_10m.jp2", "2019-06-15", True, "T32TPT"),
        ("LC08_L2SP_192027_20200831_20200906_02_T1_SR_B4.TIF", "2020-08-31", True, "192027"),
        ("m_4709963_se_14_1_20090818.tif", "2009-08-18", True, "m_4709963_se"),
        ("m_4709963_se_14_060_20200715_20201210.tif", "2020-07-15", True, "m_4709963_se"),
        ("2015/site1.tif", "2015-01-01", False, "site1"),
        ("north/2020-08-31/a.tif", "2020-08-31", True, "north/a"),
    ],
)  # fmt: skip
def test_a_name_tells_its_date_and_site(name, day, exact, site):
    found = date_in_name(name)
    assert (found.first_day.isoformat(), found.exact, found.site) == (day, exact, site)
    assert found.day == (date.fromisoformat(day) if exact else None)


@pytest.mark.parametrize(
    "name", ["before.tif", "site1.tif", "tile_12345678.tif", "a_20201399.tif", "x_1234.tif"]
)
def test_other_numbers_are_no_dates(name):
    assert date_in_name(name) is None


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def pairs_of(found):
    return [(one.name, one.before.rsplit("/", 1)[1], one.after.rsplit("/", 1)[1]) for one in found.scenes]


SITES = (
    "a_2015.tif",
    "a_2020.tif",
    "a_2018.tif",
    "b_20200831.tif",
    "b_20100701.tif",
    "c_2015.tif",
    "notes.tif",
)


def test_one_folder_pairs_each_sites_earliest_image_with_its_latest(tmp_path):
    found = pair_one_folder(fill(tmp_path, *SITES))
    assert pairs_of(found) == [("a", "a_2015.tif", "a_2020.tif"), ("b", "b_20100701.tif", "b_20200831.tif")]
    assert [path.rsplit("/", 1)[1] for path in found.unpaired] == ["c_2015.tif", "notes.tif"]
    assert (found.scenes[0].before_date, found.scenes[1].after_date) == (None, date(2020, 8, 31))


def test_a_series_pairs_each_image_with_the_next(tmp_path):
    found = pair_one_folder(fill(tmp_path, *SITES), series=True)
    assert pairs_of(found)[:2] == [
        ("a_2015_2018", "a_2015.tif", "a_2018.tif"), ("a_2018_2020", "a_2018.tif", "a_2020.tif"),
    ]  # fmt: skip


def test_a_pattern_says_which_part_of_a_name_is_the_site(tmp_path):
    folder = fill(tmp_path, "20150101_x1_17.tif", "20200101_y2_17.tif", "20200101_z_18.tif")
    found = pair_one_folder(folder, r"_(?P<key>\d+)\.")
    assert pairs_of(found) == [("17", "20150101_x1_17.tif", "20200101_y2_17.tif")]


def test_two_images_of_one_site_and_day_are_named_and_left_out(tmp_path):
    found = pair_one_folder(fill(tmp_path, "a_2015.tif", "a_2015.png", "a_2020.tif"))
    assert found.scenes == ()
    assert "a 2015: " in found.doubled[0]


def test_a_folder_whose_names_hold_no_dates_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no two images of one site with dates"):
        pair_one_folder(fill(tmp_path, "a.tif", "b.tif"))
    with pytest.raises(InputError, match="no such folder"):
        pair_one_folder(tmp_path / "none")


def test_names_that_differ_in_case_pair_with_a_note(tmp_path):
    before, after = fill(tmp_path / "b", "East.TIF", "west.tif"), fill(tmp_path / "a", "east.tif", "west.tif")
    found = pair_folders(before, after)
    assert pairs_of(found) == [("East", "East.TIF", "east.tif"), ("west", "west.tif", "west.tif")]
    assert len(found.notes) == 1
    assert "upper and lower case" in found.notes[0]
    assert found.unpaired == ()


def test_two_folders_whose_names_carry_dates_pair_by_what_is_left(tmp_path):
    before, after = (
        fill(tmp_path / "b", "s1_2015.tif", "s2_2015.tif"),
        fill(tmp_path / "a", "s1_20200831.tif"),
    )
    found = pair_folders(before, after)
    assert pairs_of(found) == [("s1", "s1_2015.tif", "s1_20200831.tif")]
    assert "without dates" in found.notes[0]


def test_an_image_is_never_paired_with_itself(tmp_path):
    folder = fill(tmp_path / "both", "a.tif")
    (tmp_path / "link").symlink_to(folder)
    for other in (folder, tmp_path / "link"):
        with pytest.raises(OptionError, match="give it once"):
            pair_folders(folder, other)
    image = write_raster(tmp_path / "x.tif", noise(1, 20, 20))
    (tmp_path / "y.tif").symlink_to(image)
    for other in (image, tmp_path / "y.tif"):
        with pytest.raises(PairError, match="is given for both dates"):
            read_pair(image, other, ReadOptions()).refuse_one_image()
    (tmp_path / "pairs.csv").write_text("before,after\nx.tif,y.tif\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"line 2: x\.tif is given for both dates"):
        read_pairs(tmp_path / "pairs.csv")


def test_a_year_or_month_stands_for_its_first_day():
    assert parse_date("before_date", "2015") == date(2015, 1, 1)
    assert parse_date("before_date", "2015-07") == date(2015, 7, 1)
    for text in ("15", "2015-13", "2015-1", "20150"):
        with pytest.raises(OptionError, match="write a date as 2024-05-31, or a year"):
            parse_date("before_date", text)
