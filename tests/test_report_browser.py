"""The report page in Chromium: what moves, what is drawn, and that nothing is fetched."""

import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from lsafnet_cli import PageOptions, write_report_page
from lsafnet_cli.app import main
from lsafnet_cli.batch.folder import BatchFolder
from lsafnet_cli.batch.index import write_index
from lsafnet_cli.batch.records import SceneRecord
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend

from .change_maps import WATER_TO_BUILDING, WATER_TO_GROUND, write_map, write_probability
from .conftest import write_raster

NEEDED = os.environ.get("LSAFNET_NEEDS_CHROMIUM") == "1"
CHROMIUM = shutil.which("chromium")
if not NEEDED:
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium", allow_module_level=True)

DESKTOP, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def look(browser):
    """Open a page; at the end nothing may have been asked for, said or shown in a dialog."""
    contexts, asked, said = [], [], []

    def open_page(path, viewport=DESKTOP, **settings):
        context = browser.new_context(viewport=viewport, **{"reduced_motion": "reduce"} | settings)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        opened = context.new_page()
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("dialog", lambda dialog: said.append(dialog.message))
        opened.goto(path.as_uri())
        if path.name != "index.html":
            opened.wait_for_selector("body[data-ready]")
        return opened

    yield open_page
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a map in two large halves and a small change, of its page and its dates."""
    folder = tmp_path_factory.mktemp("page")
    codes = np.zeros((300, 400), np.uint8)
    codes[20:120, 20:120], codes[200:220, 350:370] = WATER_TO_GROUND, WATER_TO_BUILDING
    codes[:, 395:] = 255
    path = write_map(folder / "changes.tif", codes)
    write_probability(path, np.where(codes == 255, 255, np.where(codes == WATER_TO_GROUND, 95, 60)))
    images = []
    for name, red in (("before", 0), ("after", 255)):
        image = np.zeros((3, 300, 400), np.uint8)
        image[0] = red
        image[1, np.arange(300) % 32 < 16] = 255  # or there would be nothing to stretch
        images.append(str(write_raster(folder / f"{name}.tif", image)))
    write_report_page(path, folder / "r.html", *images)
    return folder


@pytest.fixture
def page(look, made):
    return look(made / "r.html")


def color_at(page, across, down):
    """Return the colour on the screen at a place of the map, in shares of its width and height."""
    box = page.locator("#map").bounding_box()
    clip = {
        "x": box["x"] + across * box["width"],
        "y": box["y"] + down * box["height"],
        "width": 1,
        "height": 1,
    }
    with Image.open(io.BytesIO(page.screenshot(clip=clip))) as picture:
        return picture.convert("RGB").getpixel((0, 0))


def fly_to(page, card):
    """Click a card with the swipe handle out of the way; the map's centre is then the change's."""
    page.locator("#swipe").press("Home")
    page.click(f"{card} .card")
    page.wait_for_selector("path.outline")


def painted_after(page, action):
    """Wait until the map has been painted again after an action."""
    count = page.evaluate("Number(document.body.dataset.painted || 0)")
    action()
    page.wait_for_function("count => Number(document.body.dataset.painted || 0) > count", arg=count)


def place_under_centre(page):
    """Return what is said of the place under the pointer at the map's centre."""
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 9, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("document.getElementById('place').textContent.includes(' · ')")
    return page.text_content("#place")


def test_the_swipe_handle_uncovers_dates_by_mouse(page):
    assert color_at(page, 0.4, 0.85)[0] < 20
    assert color_at(page, 0.6, 0.85)[0] > 235
    grip = page.locator("#swipe .grip").bounding_box()
    y = grip["y"] + grip["height"] / 2
    page.mouse.move(grip["x"] + grip["width"] / 2, y)
    page.mouse.down()
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], y, steps=4)
    page.mouse.up()
    assert color_at(page, 0.6, 0.85)[0] < 20
    assert page.get_attribute("#swipe", "aria-valuenow") == "70"


def test_the_swipe_handle_uncovers_dates_by_keyboard(page):
    page.focus("#swipe")
    page.keyboard.press("End")
    assert color_at(page, 0.6, 0.85)[0] < 20
    page.keyboard.press("Home")
    assert color_at(page, 0.4, 0.85)[0] > 235
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#swipe", "aria-valuenow") == "22"


def test_the_swipe_handle_follows_a_finger_and_the_map_stays(look, made):
    page = look(made / "r.html", PHONE, has_touch=True, is_mobile=True)
    grip = page.locator("#swipe .grip").bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    position = "document.querySelector('.leaflet-map-pane').style.transform"
    before = page.evaluate(position)
    finger = page.context.new_cdp_session(page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        finger.send(
            "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x - 20 * step, "y": y}]}
        )
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("Number(document.getElementById('swipe').ariaValueNow) < 30")
    assert page.evaluate(position) == before


def test_arrow_keys_pan_the_map_and_say_where_its_centre_is(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "map"
    page.wait_for_function("document.getElementById('place').textContent.includes('EPSG')")
    first = page.text_content("#place")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("text => document.getElementById('place').textContent !== text", arg=first)
    x, y = (float(number) for number in page.text_content("#place").split(" (")[0].split(", "))
    assert x > 600100.5
    assert y == pytest.approx(5334925, abs=1)


def test_legend_entries_switch_pixels_by_keyboard(page):
    fly_to(page, "#largest")
    first = color_at(page, 0.5, 0.5)
    page.focus("#transitions input >> nth=0")
    painted_after(page, lambda: page.keyboard.press("Space"))
    hidden = color_at(page, 0.5, 0.5)
    assert max(abs(one - other) for one, other in zip(first, hidden, strict=True)) > 40
    assert page.locator(".flow.off").count() == 1
    painted_after(page, lambda: page.keyboard.press("Space"))
    assert color_at(page, 0.5, 0.5) == first
    painted_after(page, lambda: page.click("#none"))
    assert color_at(page, 0.5, 0.5) == hidden
    assert page.locator("#transitions input:checked").count() == 0
    painted_after(page, lambda: page.click("#all"))
    assert color_at(page, 0.5, 0.5) == first


def test_no_data_is_painted_and_never_looks_like_no_change(made, page):
    assert page.text_content("#transitions tr:last-child label") == "no data"
    opacity = page.locator("#opacity")
    opacity.fill("100")
    box = page.locator("#map").bounding_box()
    scale = min(box["width"] / 400, box["height"] / 300)
    colors = {color_at(page, 0.5 + shift * scale / box["width"], 0.5) for shift in range(150, 200, 2)}
    assert (200, 200, 200) in colors


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_cards_fly_to_their_change_and_outline_it(look, made, motion):
    page = look(made / "r.html", reduced_motion=motion)
    page.locator("#swipe").press("Home")
    page.locator("#largest .card >> nth=1").press("Enter")
    page.wait_for_selector("path.outline")
    page.wait_for_timeout(1200 if motion == "no-preference" else 0)
    outline, box = (page.locator(name).bounding_box() for name in ("path.outline >> nth=0", "#map"))
    assert outline["width"] > 0.2 * box["height"]
    for start, side in (("x", "width"), ("y", "height")):
        assert box[start] < outline[start]
        assert outline[start] + outline[side] < box[start] + box[side]
    text = place_under_centre(page)
    x, y = (float(number) for number in text.split(" (")[0].split(", "))
    assert (x, y) == (pytest.approx(600180, abs=0.5), pytest.approx(5334895, abs=0.5))
    assert "(EPSG:32632)" in text
    assert "water to building" in text
    degrees = text.split(" · ")[1].replace("longitude ", "").split(", latitude ")
    expected = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(x, y)
    assert [float(one) for one in degrees] == pytest.approx(expected, abs=1e-5)
    assert page.locator(".card[aria-current]").count() == 1


def test_the_probability_is_shown_and_said(page):
    fly_to(page, "#largest")
    first = color_at(page, 0.5, 0.5)
    assert not page.is_visible("#ramp")
    page.fill("#opacity", "100")
    painted_after(page, lambda: page.check("input[value=probability]"))
    shown = color_at(page, 0.5, 0.5)
    assert shown != first
    assert all(abs(one - other) < 12 for one, other in zip(shown, (221, 225, 49), strict=True))
    assert page.is_visible("#ramp")
    assert "probability of change about 9" in place_under_centre(page)


def test_the_numbers_are_those_of_summarize(page, made, capsys):
    with pytest.raises(SystemExit):
        main(["summarize", str(made / "changes.tif"), "--json"])
    table = json.loads(capsys.readouterr().out)["whole"]["table"]
    rows = page.eval_on_selector_all(
        "#transitions td.area", "all => all.map(one => [one.parentNode.dataset.code, one.dataset.ha])"
    )
    found = [(int(code), float(ha)) for code, ha in rows[:-1]]
    assert found == [(row["code"], row["area_ha"]) for row in table["transitions"]]
    assert page.text_content("#totals").startswith(
        f"{table['changed_ha']:,.2f} ha of {table['valid_ha']:,.2f} ha"
    )
    flows = page.text_content("#flow-text")
    assert flows == "; ".join(f"{row['name']}: {row['area_ha']:,.2f} ha" for row in table["transitions"])


def test_tiles_that_are_not_embedded_are_painted_from_coarser_ones(look, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 1024, 1024), np.uint8)
    images = [str(write_raster(tmp_path / f"{name}.tif", noise)) for name in ("before", "after")]
    codes = np.zeros((1024, 1024), np.uint8)
    codes[600:650, 600:650] = WATER_TO_GROUND
    path = write_map(tmp_path / "changes.tif", codes)
    report = write_report_page(path, tmp_path / "r.html", *images, options=PageOptions(max_mb=0.9))
    assert report.picture_shape == (512, 512)
    page = look(tmp_path / "r.html")
    fly_to(page, "#largest")
    page.click(".leaflet-control-zoom-out")
    page.wait_for_timeout(300)
    middles = page.eval_on_selector_all(
        ".leaflet-after-pane canvas",
        "all => all.map(one => one.getContext('2d').getImageData(9, 9, 1, 1).data[3])",
    )
    assert len(middles) > 3
    assert set(middles) == {255}


def test_codes_of_16_bits_have_their_names(look, tmp_path):
    legend = Legend(tuple(f"c{i}" for i in range(18)), tuple((i, i, i) for i in range(18)))
    codes = np.zeros((1, 60, 80), np.uint16)
    codes[0, 10:50, 10:50], codes[0, 0, 0] = 289, 65535
    path = write_raster(tmp_path / "m.tif", codes, nodata=65535, tags={LEGEND: legend.to_json()})
    write_report_page(path, tmp_path / "r.html")
    page = look(tmp_path / "r.html")
    page.click(".card")
    assert "c17 to c17" in place_under_centre(page)
    assert page.locator("#swipe").count() == 0


def test_hostile_names_stay_text(look, tmp_path):
    legend = Legend(("unchanged", HOSTILE, "&lt;b&gt;"), ((255,) * 3, (0, 0, 255), (9, 9, 9)))
    tags = {LEGEND: legend.to_json(), "LSAFNET_BEFORE": HOSTILE, "LSAFNET_CHECKPOINT": HOSTILE}
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    codes = np.array([[[0, 2, 3, 1, 255]]], np.uint8)
    path = write_raster(folder / "'\"><img src=x onerror=alert(1)>.tif", codes, nodata=255, tags=tags)
    images = [str(write_raster(folder / f"{name}.tif", codes.repeat(3, 0))) for name in ("a", "b")]
    write_report_page(path, folder / "r.html", *images)
    page = look(folder / "r.html")
    assert page.title() == f"Change map {path.name}"
    assert page.locator("img").count() == 0
    assert page.text_content("#transitions label >> nth=1") == f"{HOSTILE} to &lt;b&gt;"
    page.click(".card >> nth=0")
    assert HOSTILE in place_under_centre(page)
    assert HOSTILE in page.text_content("#flow-text")


def test_a_map_of_change_alone_has_no_flows_and_one_without_change_no_cards(look, tmp_path):
    legend = Legend(("unchanged", "changed"), ((255,) * 3, (255, 0, 0)), semantic=False)
    codes = np.zeros((1, 60, 80), np.uint8)
    for name in ("none", "some"):
        path = write_raster(tmp_path / f"{name}.tif", codes, nodata=255, tags={LEGEND: legend.to_json()})
        write_report_page(path, tmp_path / f"{name}.html")
        codes[0, 10:50, 10:50] = 1
        page = look(tmp_path / f"{name}.html")
        assert not page.is_visible("#flows")
        assert page.locator(".card").count() == (name == "some")


def test_a_phone_needs_no_sideways_scroll_and_dark_is_dark(look, made, tmp_path):
    page = look(made / "r.html", PHONE, color_scheme="dark", has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    box = page.locator("#map").bounding_box()
    assert box["height"] > 300
    page.touchscreen.tap(box["x"] + 150, box["y"] + 200)
    page.wait_for_function("document.getElementById('place').textContent.includes('longitude')")
    grip = page.locator("#swipe .grip").bounding_box()
    assert min(grip["width"], grip["height"]) >= 44


def test_each_control_can_be_reached_by_the_tab_key(page):
    reached = set()
    page.focus("#map")
    for _ in range(40):
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert {"map", "swipe", "opacity", "card", "all", "none"} <= reached
    assert {f"shown-{WATER_TO_GROUND}", f"shown-{WATER_TO_BUILDING}", "shown-255"} <= reached


def test_the_index_of_a_batch_sorts_by_each_column_and_leads_to_pages(look, made, tmp_path):
    name = "b #1?&'.tif"
    shutil.copy(made / "r.html", tmp_path / "b #1?&'.report.html")
    facts = {"pixels": 100, "valid_pixels": 100, "polygons": 3, "seconds": 1.5}
    records = [
        SceneRecord("s10", "done", "", "", "a.tif", changed_pixels=90, changed_ha=9.0, **facts),
        SceneRecord("s9", "done", "", "", name, changed_pixels=5, changed_ha=12.5, **facts),
        SceneRecord(HOSTILE, "failed", "", "", "c.tif", error=HOSTILE),
    ]
    write_index(BatchFolder(tmp_path), records, print)
    page = look(tmp_path / "index.html", PHONE)

    def names_after(column):
        page.locator("#scenes th button", has_text=column).press("Enter")
        return page.eval_on_selector_all(
            "#scenes tbody tr", "all => all.map(row => row.cells[1].textContent)"
        )

    assert names_after("scene") == [HOSTILE, "s9", "s10"]
    assert names_after("scene") == ["s10", "s9", HOSTILE]
    assert names_after("changed") == [HOSTILE, "s10", "s9"]
    assert names_after("changed") == ["s9", "s10", HOSTILE]
    assert names_after("share") == [HOSTILE, "s9", "s10"]
    assert page.locator("#scenes th[aria-sort]").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("img").count() == 0
    page.click("text=s9")
    page.wait_for_selector("body[data-ready]")
