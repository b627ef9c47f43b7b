"""The page of a series in Chromium: its slider, what is painted at each date, and that nothing is fetched."""

from types import SimpleNamespace

import numpy as np
import pytest

from lsafnet_cli import SeriesOptions
from lsafnet_cli.observer import Observer
from lsafnet_cli.series.dates import date_images
from lsafnet_cli.series.intervals import Interval
from lsafnet_cli.series.layers import colors_of_time
from lsafnet_cli.series.run import SeriesPaths, write_series

from . import test_report_browser as pages
from .change_maps import LAND, WATER_TO_BUILDING, WATER_TO_GROUND, write_map
from .conftest import write_raster

browser, look = pages.browser, pages.look  # fixtures

EARLY, LATE, BARE = (
    (0.175, 0.235),
    (0.7875, 0.718),
    (0.5, 0.86),
)  # shares of width and height: of blocks and of none
SHOWN = {"2012": (0, 0), "2015": (255, 0), "2018": (0, 255)}  # red and blue of each date's image


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a series whose two intervals change a block each, and its page."""
    folder = tmp_path_factory.mktemp("series")
    images = []
    for year, (red, blue) in SHOWN.items():
        image = np.zeros((3, 300, 400), np.uint8)
        image[0], image[2] = red, blue
        image[1, np.arange(300) % 32 < 16] = 255  # or there would be nothing to stretch
        images.append(str(write_raster(folder / f"site_{year}.tif", image)))
    dated = date_images(images)
    early, late = np.zeros((300, 400), np.uint8), np.zeros((300, 400), np.uint8)
    early[20:120, 20:120], late[150:280, 250:380] = WATER_TO_GROUND, WATER_TO_BUILDING
    late[:, 396:] = 255
    maps = [write_map(folder / name, codes) for name, codes in (("1.tif", early), ("2.tif", late))]
    intervals = tuple(map(Interval, dated, dated[1:], maps))
    options = SeriesOptions()
    write_series(
        SimpleNamespace(intervals=intervals), dated, SeriesPaths.of(folder, options), {}, options, Observer()
    )
    return folder


@pytest.fixture
def page(look, made):
    return look(made / "series.html")


def color_at(page, place):
    return pages.color_at(page, *place)


def full(page):
    """Show changes without transparency."""
    page.locator("#opacity").fill("100")


def go(page, *keys):
    """Press keys on the slider, one after the other, and wait until the map is painted."""
    page.focus("#date")
    for key in keys:
        pages.painted_after(page, lambda key=key: page.keyboard.press(key))


def near(color, expected):
    return all(abs(one - other) <= 12 for one, other in zip(color, expected, strict=True))


def test_the_page_opens_at_the_latest_date(page):
    assert page.text_content("#shown-date") == "2018"
    assert page.input_value("#date") == "2"
    red, _, blue = color_at(page, BARE)
    assert (red < 20, blue > 235) == (True, True)


def test_the_slider_moves_through_the_dates_by_keyboard(page):
    for key, year in (("ArrowLeft", "2015"), ("ArrowLeft", "2012"), ("End", "2018"), ("Home", "2012")):
        go(page, key)
        assert page.text_content("#shown-date") == year
        assert page.get_attribute("#date", "aria-valuetext") == year
        red, _, blue = color_at(page, BARE)
        assert [abs(red - SHOWN[year][0]) < 20, abs(blue - SHOWN[year][1]) < 20] == [True, True]


def test_at_each_date_the_changes_since_the_one_before_are_shown(page):
    full(page)
    colors = {one.code: one.color for one in LAND.transitions}
    assert near(color_at(page, LATE), colors[WATER_TO_BUILDING])
    assert not near(color_at(page, EARLY), colors[WATER_TO_GROUND])
    go(page, "ArrowLeft")
    assert near(color_at(page, EARLY), colors[WATER_TO_GROUND])
    assert not near(color_at(page, LATE), colors[WATER_TO_BUILDING])
    assert page.text_content("#legend-title") == "Changes from 2012 to 2015"
    assert "water to ground" in page.text_content("#legend")
    go(page, "ArrowLeft")
    assert not near(color_at(page, EARLY), colors[WATER_TO_GROUND])
    assert page.is_visible("#legend-none")


def test_all_changes_until_a_date_have_the_colour_of_their_interval(page):
    full(page)
    first, second = colors_of_time(2)
    pages.painted_after(page, lambda: page.check("input[value=when]"))
    assert near(color_at(page, EARLY), first)
    assert near(color_at(page, LATE), second)
    go(page, "ArrowLeft")
    assert near(color_at(page, EARLY), first)
    assert not near(color_at(page, LATE), second)
    assert "2015 to 2018" not in page.text_content("#legend")


def test_buttons_and_the_table_of_intervals_choose_dates_too(page):
    pages.painted_after(page, lambda: page.click("#earlier"))
    assert page.text_content("#shown-date") == "2015"
    assert page.text_content("#intervals tr[aria-current] button") == "2012 to 2015"
    pages.painted_after(page, lambda: page.click("text=2015 to 2018 >> nth=0"))
    assert page.text_content("#shown-date") == "2018"
    assert page.is_disabled("#later")


def test_a_key_hides_the_changes(page):
    full(page)
    shown = color_at(page, LATE)
    page.keyboard.press("h")
    assert page.get_attribute("#hide", "aria-pressed") == "true"
    assert not near(color_at(page, LATE), shown)


def test_the_pointer_is_told_what_changed_there(page):
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + LATE[0] * box["width"], box["y"] + LATE[1] * box["height"])
    page.wait_for_function("document.getElementById('place').textContent.includes('water to building')")


def test_the_finding_and_the_numbers_are_those_of_the_report(page):
    assert "changed at least once" in page.text_content("#totals")
    assert "0.42 ha" in page.text_content("#intervals")  # 130 x 130 pixels of 0.25 m2
    assert page.text_content("#consistency").startswith("Consistency: ")


def test_the_page_fits_a_phone(look, made):
    page = look(made / "series.html", pages.PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= pages.PHONE["width"]
    for name in ("#earlier", "#later"):
        box = page.locator(name).bounding_box()
        assert min(box["width"], box["height"]) >= 44


def test_the_page_is_dark_where_that_is_wished(look, made):
    page = look(made / "series.html", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
