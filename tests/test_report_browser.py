"""The report page in Chromium: what moves, what is drawn, and that nothing is fetched."""

import os
import shutil

import numpy as np
import pytest

from lsafnet_cli import summarize_map, write_report_page

from .change_maps import blobs, write_map
from .conftest import write_raster

NEEDED = os.environ.get("LSAFNET_NEEDS_CHROMIUM") == "1"
CHROMIUM = shutil.which("chromium")
if not NEEDED:
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def change_map(tmp_path):
    return write_map(tmp_path / "changes.tif", blobs(60, 80))


@pytest.fixture
def page(browser, tmp_path, change_map):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 60, 80), np.uint8)
    images = [str(write_raster(tmp_path / f"{name}.tif", pixels)) for name in ("before", "after")]
    write_report_page(change_map, tmp_path / "r.html", *images)
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    asked, said = [], []
    context.on("request", lambda request: asked.append(request.url))
    opened = context.new_page()
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto((tmp_path / "r.html").as_uri())
    opened.wait_for_selector("body[data-ready]")
    yield opened
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []
    context.close()


def overlay(page):
    return page.eval_on_selector(".leaflet-change-pane img", "img => img.src")


def test_the_swipe_handle_moves_the_clip_by_keyboard(page):
    clip = "getComputedStyle(document.querySelector('.leaflet-after-pane')).clipPath"
    first = page.evaluate(clip)
    page.focus("#swipe")
    page.keyboard.press("ArrowRight")
    assert first.startswith("polygon")
    assert page.evaluate(clip) != first


def test_legend_entries_switch_pixels_by_keyboard(page):
    page.wait_for_function("document.querySelector('.leaflet-change-pane img')?.src.length > 100")
    first = overlay(page)
    page.focus("#transitions input >> nth=0")
    page.keyboard.press("Space")
    assert overlay(page) != first
    page.keyboard.press("Space")
    assert overlay(page) == first


def test_the_table_says_what_summarize_says(page, change_map):
    areas = page.eval_on_selector_all("#transitions td.area", "all => all.map(one => +one.dataset.ha)")
    assert areas == [row.area_ha for row in summarize_map(change_map).whole.table.transitions]


def test_a_phone_needs_no_sideways_scroll_and_dark_is_dark(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
