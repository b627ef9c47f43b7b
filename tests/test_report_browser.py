"""The report page in Chromium: what moves, what is drawn, and that nothing is fetched."""

import io
import json
import os
import re
import shutil

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer

from lsafnet_cli import PageOptions, write_report_page
from lsafnet_cli.app import main
from lsafnet_cli.batch.folder import BatchFolder
from lsafnet_cli.batch.index import write_index
from lsafnet_cli.batch.records import SceneRecord
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.review.correct import review_map

from .change_maps import WATER_TO_BUILDING, WATER_TO_GROUND, write_map, write_probability
from .conftest import write_raster

NEEDED = os.environ.get("LSAFNET_NEEDS_CHROMIUM") == "1"
CHROMIUM = shutil.which("chromium")
if not NEEDED:
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium", allow_module_level=True)

DESKTOP, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}
TRAINED_ON = "aerial images of many towns, " * 20 + "and synthetic scenes"
RELIABILITY = json.dumps(
    [
        {"name": "a.safetensors", "trained_on": TRAINED_ON, "gsd_m": [0.25, 0.5], "threshold": 0.4,
         "temperature": 1.5, "bias": 0.1, "fitted_on": "a town", "ece": 0.042},
    ]
)  # fmt: skip
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


def tip_at(page, across, down):
    """Return what is said beside the pointer at a place of the map, in shares of its width and height."""
    box = page.locator("#map").bounding_box()
    for shift in (3, 0):
        page.mouse.move(box["x"] + across * box["width"] + shift, box["y"] + down * box["height"])
    page.wait_for_selector(".tip:not([hidden])")
    return page.text_content(".tip")


def test_what_lies_under_the_pointer_is_said_beside_it(page):
    assert tip_at(page, 0.2, 0.25) == "water → ground 95 %"
    assert tip_at(page, 0.6, 0.5) == "unchanged 60 %"
    page.mouse.move(2, 2)
    page.wait_for_selector(".tip", state="hidden")


def test_a_key_blinks_between_the_dates_and_another_takes_the_changes_away(page):
    assert color_at(page, 0.4, 0.85)[0] < 20
    page.keyboard.press("b")
    assert color_at(page, 0.6, 0.85)[0] < 20
    page.keyboard.press("b")
    assert color_at(page, 0.4, 0.85)[0] > 235
    page.keyboard.press("b")
    assert color_at(page, 0.6, 0.85)[0] < 20
    painted = color_at(page, 0.2, 0.25)
    page.keyboard.press("h")
    assert color_at(page, 0.2, 0.25) != painted
    assert page.get_attribute("#hide", "aria-pressed") == "true"
    page.click("#hide")
    assert color_at(page, 0.2, 0.25) == painted


def test_an_outlined_change_lets_the_image_be_seen_inside_a_bright_border(page):
    box = page.locator("#map").bounding_box()
    inside = color_at(page, 0.2, 0.25)
    painted_after(page, lambda: page.check("input[value=outline]"))
    image = color_at(page, 0.2, 0.25)
    assert image != inside
    assert image[2] < 40  # the image has no blue; the change's colour has
    page.keyboard.press("h")
    assert color_at(page, 0.2, 0.25) == image
    page.keyboard.press("h")
    side = box["width"] / 400
    border = {sum(color_at(page, (20 + px) * side / box["width"], 0.25)) for px in (0.5, 1.0, 1.5)}
    assert max(border) > sum(image) + 100


def test_the_head_says_what_was_found_between_which_dates_and_how_far_to_trust_it(look, made, tmp_path):
    path = write_map(tmp_path / "changes.tif", np.full((60, 80), WATER_TO_GROUND, np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(
            LSAFNET_BEFORE_DATE="2019-06-15",
            LSAFNET_AFTER_DATE="2023-09-02",
            LSAFNET_DOMAIN="outside: 30 m pixels",
            LSAFNET_OPTIONS='{"threshold": 0.4}',
            LSAFNET_RELIABILITY=RELIABILITY,
        )
    images = [str(made / f"{name}.tif") for name in ("before", "after")]
    write_report_page(path, tmp_path / "r.html", *images)
    page = look(tmp_path / "r.html")
    days = "15 June 2019 and 2 September 2023"
    assert page.text_content("#totals") == f"0.12 ha of 0.12 ha changed (100.0%) between {days}."
    assert page.text_content("#balance") == "Net: ground +0.12 ha, water -0.12 ha."
    trust = page.text_content("#trust.outside")
    assert "30 m pixels. Check the map" in trust
    assert trust.endswith(
        "were calibrated on labelled pairs. Pixels count as changed above a probability of 40 %."
    )
    told = page.eval_on_selector_all("#reliability dd", "all => all.map(one => one.textContent)")
    assert told[:2] == [TRAINED_ON, "0.25 to 0.5 m"]
    assert "expected calibration error 0.042" in told[2]
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1
    assert page.text_content(".swipe .left") == "before · 15 June 2019"
    assert page.text_content(".swipe .right") == "after · 2 September 2023"
    assert "15 June 2019" in page.title()
    rows = page.eval_on_selector_all(
        "#balances tbody tr", "all => all.map(one => one.innerText.split('\\t'))"
    )
    assert rows == [["ground", "0.12", "0.00", "+0.12"], ["water", "0.00", "0.12", "-0.12"]]


def test_the_scale_bar_is_as_long_as_it_says_and_the_link_leads_to_the_place(page):
    box, bar = page.locator("#map").bounding_box(), page.locator("#scale .length").bounding_box()
    metres_per_px = 400 * 0.5 / box["width"]
    assert bar["width"] * metres_per_px == pytest.approx(
        float(page.get_attribute("#scale", "data-metres")), rel=0.05
    )
    lon, lat = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(600100, 5334925)
    address = page.get_attribute("#osm", "href")
    found = dict(part.split("=") for part in address.split("?")[1].split("#")[0].split("&"))
    assert (float(found["mlat"]), float(found["mlon"])) == (
        pytest.approx(lat, abs=1e-4),
        pytest.approx(lon, abs=1e-4),
    )
    ring = page.locator("#locator .ring")
    assert float(ring.get_attribute("cx")) == pytest.approx(lon, abs=0.01)
    assert float(ring.get_attribute("cy")) == pytest.approx(-lat, abs=0.01)


def test_the_table_and_the_changes_of_the_cards_can_be_saved(page, made):
    with page.expect_download() as saved:
        page.click("#save-table")
    lines = saved.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0] == "transition,from,to,pixels,ha,percent"
    assert lines[1].startswith("water to ground,water,ground,10000,0.25")
    with page.expect_download() as saved:
        page.click("#save-cards")
    features = json.loads(saved.value.path().read_text(encoding="utf-8"))["features"]
    assert [one["properties"]["transition"] for one in features] == ["water to ground", "water to building"]
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True)
    corners = [to_map.transform(*point) for point in features[0]["geometry"]["coordinates"][0]]
    expected = [(600010, 5334940), (600060, 5334940), (600060, 5334990), (600010, 5334990), (600010, 5334940)]
    np.testing.assert_allclose(corners, expected, atol=0.05)


def test_a_card_draws_the_border_of_its_change_over_both_dates(page):
    for number in range(3):
        whites = page.eval_on_selector(
            f"#largest .card >> nth=0 >> canvas >> nth={number}",
            """canvas => { const p = canvas.getContext('2d').getImageData(0, 0, 96, 96).data; let n = 0;
            for (let i = 0; i < p.length; i += 4) n += p[i] > 250 && p[i + 1] > 250 && p[i + 2] > 250; return n; }""",
        )
        assert 4 * 55 < whites < 4 * 75  # a square of 2/3 of the canvas' side


def test_printed_it_is_one_page_with_the_legend_and_without_switches(page):
    pages = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pages)) == 1
    page.emulate_media(media="print")
    assert page.is_visible("#transitions")
    assert page.is_visible("#balances")
    assert not page.is_visible(".controls")
    assert not page.is_visible("#cards")


def test_a_map_of_every_transition_between_four_classes_is_printed_on_one_page(look, tmp_path):
    names, grey = ("unchanged", "water", "ground", "vegetation", "building"), (128, 128, 128)
    codes = np.repeat(np.array([code for code in range(17) if code not in (1, 6, 11, 16)], np.uint8), 24)
    tags = {
        LEGEND: Legend(names, (grey,) * 5).to_json(),
        "LSAFNET_BEFORE": "m_4709963_se_14_1_20090818.tif",
        "LSAFNET_AFTER": "m_4709963_se_14_1_20100629.tif",
        "LSAFNET_BEFORE_DATE": "2009-08-18",
        "LSAFNET_AFTER_DATE": "2010-06-29",
        "LSAFNET_CHECKPOINT": "lsafnet-lite.safetensors",
        "LSAFNET_CHECKPOINT_SHA256": "89a0504fea2848d1" * 4,
        "LSAFNET_VERSION": "0.1.0",
        "LSAFNET_DOMAIN": "outside: pixels of 5 m (trained on 0.1 to 2 m); feature distance 1.8",
        "LSAFNET_OPTIONS": '{"threshold": 0.4}',
        "LSAFNET_RELIABILITY": RELIABILITY,
    }
    path = write_map(tmp_path / "changes.tif", np.tile(codes, (len(codes), 1)), tags=tags)
    write_report_page(path, tmp_path / "r.html")
    page = look(tmp_path / "r.html")
    assert page.locator("#transitions tbody tr").count() == 12
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1


@pytest.mark.parametrize("shape", [(300, 400), (300, 300), (200, 480)])
def test_the_map_fills_its_box(look, tmp_path, shape):
    codes = np.full(shape, WATER_TO_GROUND, np.uint8)
    write_report_page(write_map(tmp_path / "changes.tif", codes), tmp_path / "r.html")
    page = look(tmp_path / "r.html", {"width": 1440, "height": 900})
    page.fill("#opacity", "100")
    for across, down in ((0.02, 0.5), (0.98, 0.5), (0.5, 0.02), (0.5, 0.98)):
        assert color_at(page, across, down) == color_at(page, 0.5, 0.5)


def test_probability_leaves_no_halo_of_transitions_that_are_switched_off(page):
    page.fill("#opacity", "100")
    painted_after(page, lambda: page.check("input[value=probability]"))
    shown = color_at(page, 0.6, 0.5)
    painted_after(page, lambda: page.click("#none"))
    assert color_at(page, 0.6, 0.5) != shown


def test_tiles_that_are_not_embedded_are_painted_from_coarser_ones(look, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 1024, 1024), np.uint8)
    images = [str(write_raster(tmp_path / f"{name}.tif", noise)) for name in ("before", "after")]
    codes = np.zeros((1024, 1024), np.uint8)
    codes[600:650, 600:650] = WATER_TO_GROUND
    path = write_map(tmp_path / "changes.tif", codes)
    report = write_report_page(path, tmp_path / "r.html", *images, options=PageOptions(max_mb=0.9))
    assert report.picture_shape == (512, 512)
    page = look(tmp_path / "r.html", {"width": 1600, "height": 1200})
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
    assert page.title().startswith("Change at 48.")
    assert path.name in page.text_content("#facts")
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
    for _ in range(45):
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert {
        "map",
        "swipe",
        "opacity",
        "blink",
        "hide",
        "osm",
        "card",
        "all",
        "none",
        "save-table",
        "save-cards",
        "print",
        "save-verdicts",
    } <= reached
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


def saved_verdicts(page, target):
    """Save what has been judged to a file; return what it holds."""
    with page.expect_download() as saved:
        page.click("#save-verdicts")
    assert saved.value.suggested_filename == "verdicts.json"
    saved.value.save_as(target)
    return json.loads(target.read_text(encoding="utf-8"))


def test_cards_are_judged_by_keys_and_the_map_is_corrected_by_what_is_saved(page, made, tmp_path):
    assert page.is_disabled("#accept")
    page.keyboard.press("j")
    page.keyboard.press("a")
    assert page.text_content("#judged") == "water to ground: accepted (1 of 2 done)"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.id") == "right-from"
    assert page.input_value("#right-to") == "building"
    page.select_option("#right-from", "ground")
    assert page.text_content(".card[aria-current] .status") == "corrected: ground to building"
    found = saved_verdicts(page, tmp_path / "verdicts.json")
    assert found["map"]["name"] == "changes.tif"
    assert [(one["status"], one["corrected_to"]) for one in found["verdicts"]] == [
        ("accepted", None), ("corrected", {"from": "ground", "to": "building"}),
    ]  # fmt: skip
    assert [(one["from"], one["to"]) for one in found["verdicts"]] == [
        ("water", "ground"),
        ("water", "building"),
    ]
    assert found["verdicts"][0]["bbox"] == [600010, 5334940, 600060, 5334990]
    report = review_map(made / "changes.tif", tmp_path / "verdicts.json", tmp_path / "map2.tif")
    assert (report.reviewed, report.changed_pixels, report.accepted_pixel_share) == (2, 400, 0.961538)
    with rasterio.open(tmp_path / "map2.tif") as dataset:
        codes = dataset.read(1)
    assert set(np.unique(codes[200:220, 350:370])) == {6}
    assert set(np.unique(codes[20:120, 20:120])) == {WATER_TO_GROUND}


def test_cards_are_judged_by_buttons_and_verdicts_outlast_the_page(page, tmp_path):
    page.click("#largest .card >> nth=1")
    page.click("#reject")
    page.keyboard.press("k")
    page.click("#accept")
    page.keyboard.press("o")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.text_content("#judged") == "choose a card (1 of 2 done)"
    found = saved_verdicts(page, tmp_path / "verdicts.json")
    assert [one["status"] for one in found["verdicts"]] == ["open", "rejected"]


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })",
        'Storage.prototype.getItem = () => \'[[8020, "fine"], [8020, "corrected", "lava", "ice"], 5]\'',
        "Storage.prototype.getItem = () => '{\"a\": [}'",
        "Storage.prototype.setItem = () => { throw new Error('full'); }",
    ],
)
def test_verdicts_work_where_the_browser_keeps_nothing_or_nonsense(page, tmp_path, script):
    page.add_init_script(script)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.text_content("#judged") == "choose a card (0 of 2 done)"
    page.keyboard.press("j")
    page.keyboard.press("r")
    found = saved_verdicts(page, tmp_path / "verdicts.json")
    assert [one["status"] for one in found["verdicts"]] == ["rejected", "open"]


def test_verdicts_on_hostile_classes_stay_text(look, tmp_path):
    legend = Legend(("unchanged", HOSTILE, "&lt;b&gt;"), ((255,) * 3, (0, 0, 255), (9, 9, 9)))
    codes = np.zeros((1, 60, 80), np.uint8)
    codes[0, 10:50, 10:50] = 2
    path = write_raster(tmp_path / "m.tif", codes, nodata=255, tags={LEGEND: legend.to_json()})
    write_report_page(path, tmp_path / "r.html")
    page = look(tmp_path / "r.html")
    page.click(".card")
    page.keyboard.press("c")
    page.select_option("#right-from", "&lt;b&gt;")
    page.select_option("#right-to", HOSTILE)
    assert page.text_content(".card .status") == f"corrected: &lt;b&gt; to {HOSTILE}"
    assert page.locator("img").count() == 0
    saved_verdicts(page, tmp_path / "verdicts.json")
    review_map(path, tmp_path / "verdicts.json", tmp_path / "map2.tif")
    with rasterio.open(tmp_path / "map2.tif") as dataset:
        assert set(np.unique(dataset.read(1)[10:50, 10:50])) == {3}


def test_cards_of_a_map_of_change_alone_are_accepted_or_rejected(look, tmp_path):
    legend = Legend(("unchanged", "changed"), ((255,) * 3, (255, 0, 0)), semantic=False)
    codes = np.zeros((1, 60, 80), np.uint8)
    codes[0, 10:50, 10:50] = 1
    path = write_raster(tmp_path / "m.tif", codes, nodata=255, tags={LEGEND: legend.to_json()})
    write_report_page(path, tmp_path / "r.html")
    page = look(tmp_path / "r.html")
    page.click(".card")
    assert not page.is_visible("#correct")
    page.keyboard.press("c")
    assert not page.is_visible("#correction")
    page.keyboard.press("r")
    assert saved_verdicts(page, tmp_path / "verdicts.json")["verdicts"][0]["from"] is None
    assert review_map(path, tmp_path / "verdicts.json", tmp_path / "map2.tif").changed_pixels == 1600
