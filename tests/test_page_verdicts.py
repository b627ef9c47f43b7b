"""Verdicts that a report page saved: found again in their map, refused for any other, one line for nonsense."""

import json

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings, strategies as st
from rasterio.windows import Window
from scipy import ndimage

from lsafnet_cli import write_report_page
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import grid_of
from lsafnet_cli.maps.identity import map_sha256
from lsafnet_cli.review import component_places
from lsafnet_cli.review.component_places import find_components
from lsafnet_cli.review.correct import review_map
from lsafnet_cli.review.labels import write_labels

from .change_maps import LAND, NODATA, WATER_TO_BUILDING, WATER_TO_GROUND, random_codes, write_map
from .conftest import noise, write_raster
from .report_pages import data_of
from .test_recipes import run


@pytest.fixture
def made(tmp_path):
    """Return a map with three changes, and what a page would save of it."""
    codes = np.zeros((60, 80), np.uint8)
    codes[5:25, 5:25] = codes[40:50, 5:15] = WATER_TO_GROUND
    codes[30:46, 40:56] = WATER_TO_BUILDING
    codes[:3] = NODATA
    path = write_map(tmp_path / "changes.tif", codes)
    write_report_page(path, tmp_path / "r.html")
    data = data_of(tmp_path / "r.html")
    names = {one["code"]: one["name"].split(" to ") for one in data["transitions"]}
    entries = [
        {
            "id": card["id"],
            "status": "open",
            "corrected_to": None,
            **dict(zip(("from", "to"), names[card["code"]], strict=True)),
        }
        for card in data["cards"]["largest"]
    ]
    return path, codes, {"format": "lsafnet verdicts 1", "map": data["map"], "verdicts": entries}


def saved(folder, content):
    path = folder / "verdicts.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_what_was_judged_on_the_page_is_found_again_in_the_map(made, tmp_path, capsys):
    path, codes, page = made
    first, second, third = page["verdicts"]
    first["status"] = "accepted"
    second |= {"status": "corrected", "corrected_to": {"from": "ground", "to": "water"}}
    third["status"] = "rejected"
    images = [str(write_raster(tmp_path / f"{n}.tif", noise(n, 60, 80))) for n in (1, 2)]
    report = review_map(path, saved(tmp_path, page), tmp_path / "map2.tif")
    expected = codes.copy()
    expected[30:46, 40:56] = 4
    expected[40:50, 5:15] = 0
    with rasterio.open(tmp_path / "map2.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), expected)
    assert (report.reviewed, report.still_open, report.changed_pixels) == (3, 0, 356)
    assert (report.accepted_share, report.reviewed_pixels) == (0.333333, 756)
    assert report.accepted_pixel_share == round(400 / 756, 6)
    rows = {
        row.name: (row.accepted_share, row.pixels, row.accepted_pixel_share) for row in report.transitions
    }
    assert rows == {"water to ground": (0.5, 500, 0.8), "water to building": (0.0, 256, 0.0)}
    write_labels(report, tmp_path / "labels", (images[0], images[1]))
    with rasterio.open(next((tmp_path / "labels" / "train" / "label").iterdir())) as dataset:
        np.testing.assert_array_equal(dataset.read(1), np.where((codes > 0) & (codes < 255), expected, 255))
    words = f"review {path} {tmp_path / 'verdicts.json'} -o {tmp_path / 'map3.tif'}"
    capsys.readouterr()
    assert run(f"lsafnet {words}") == 0
    assert "accepted: 33.3% of the polygons, 52.9% of their pixels" in capsys.readouterr().out


def test_a_copy_of_the_map_is_that_map_and_any_other_pixel_is_another_one(made, tmp_path):
    path, codes, page = made
    page["verdicts"][0]["status"] = "rejected"
    verdicts = saved(tmp_path, page)
    copy = write_map(
        tmp_path / "copy.tif", codes, compress="deflate", tiled=True, blockxsize=16, blockysize=16
    )
    assert map_sha256(str(copy), LAND) == map_sha256(str(path), LAND)
    assert review_map(copy, verdicts, tmp_path / "map2.tif").changed_pixels == 400
    codes[59, 79] = WATER_TO_GROUND
    for name, other in (
        ("other.tif", write_map(tmp_path / "other.tif", codes)),
        ("moved.tif", write_map(tmp_path / "moved.tif", np.roll(codes, 1), crs="EPSG:32633")),
    ):
        with pytest.raises(InputError, match=f"holds verdicts on another map.*{name} has other pixels"):
            review_map(other, verdicts, tmp_path / "map3.tif")
    assert not (tmp_path / "map3.tif").exists()


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "lsafnet verdicts 2"}, "its format is"),
        ({"format": ["lsafnet verdicts 1"]}, "its format is a list"),
        ({"map": None}, "another map, whose name is null"),
        ({"map": {"name": "\ud800\n", "sha256": 5}}, r"another map, whose name is \"\\ud800\\n\""),
        ({"verdicts": {"1": 2}}, "verdicts is an object"),
        ({"verdicts": []}, "no polygon is accepted"),
        ({"verdicts": [7]}, "verdict 1 is 7"),
        ({"id": True}, "id is true"),
        ({"id": 4800}, "id is 4800"),
        ({"id": -1}, "id is -1"),
        ({"id": 10**400}, r"id is 1000.*\.\.\."),
        ({"id": 59 * 80}, "the map has no 'water to ground' at the pixel 4720"),
        ({"id": 0}, "the map has no 'water to ground' at the pixel 0"),
        ({"status": "fine"}, 'status is "fine"; write one of open'),
        ({"status": ["open"]}, "status is a list"),
        ({"from": "lava"}, 'from and to are "lava" and "ground"; they must be two of water'),
        ({"from": ["water"]}, "from and to are a list and"),
        ({"status": "corrected"}, "corrected_to: from and to are null"),
        (
            {"status": "corrected", "corrected_to": {"from": "water"}},
            'corrected_to: from and to are "water" and null',
        ),
        ({"to": "x" * 10_000}, r"x\.\.\."),
    ],
)
def test_odd_verdicts_are_one_line(made, tmp_path, capsys, changes, words):
    path, _, page = made
    page["verdicts"] = [{**page["verdicts"][0], "status": "accepted"}]
    outer = {key: value for key, value in changes.items() if key in page}
    page["verdicts"][0] |= {key: value for key, value in changes.items() if key not in page}
    verdicts = saved(tmp_path, page | outer)
    with pytest.raises(InputError, match=words):
        review_map(path, verdicts, tmp_path / "map2.tif")
    assert run(f"lsafnet review {path} {verdicts} -o {tmp_path / 'map2.tif'}") == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert len(told) < 700
    assert not (tmp_path / "map2.tif").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "NaN",
        DEEP,
        f'{{"verdicts": {DEEP}',
        '{"verdicts": 1' + "0" * 5000 + "}",
        "\x00",
        "{}",
    ],
    ids=lambda text: text[:12],
)
def test_a_file_that_is_no_verdicts_is_one_line(made, tmp_path, capsys, text):
    path, _, _ = made
    assert run(f"lsafnet review {path} {saved(tmp_path, text)} -o {tmp_path / 'map2.tif'}") == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert len(told) < 700


def test_one_change_has_one_verdict(made, tmp_path):
    path, _, page = made
    page["verdicts"] = [page["verdicts"][0], page["verdicts"][0]]
    with pytest.raises(InputError, match="id 405 is there twice"):
        review_map(path, saved(tmp_path, page), tmp_path / "map2.tif")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 60))
def test_components_are_those_of_a_plain_labelling_for_any_row_band(
    tmp_path_factory, seed, band_rows, window_rows
):
    codes = random_codes(40, 30, 3, seed=seed)
    folder = tmp_path_factory.mktemp("components")
    path = write_map(folder / "m.tif", codes)
    pixels = np.random.default_rng(seed).permutation(np.flatnonzero((codes > 0) & (codes < 255)))[:5]
    labels = sum(
        np.where(found > 0, found + 1000 * code, 0)
        for code in (1, 2, 3)
        for found in [ndimage.label(codes == code)[0]]
    )
    _, first = np.unique(labels.flat[pixels], return_index=True)  # one pixel of each component
    pixels = pixels[np.sort(first)]

    def bands(grid):
        return (Window(0, top, 30, min(band_rows, 40 - top)) for top in range(0, 40, band_rows))

    with pytest.MonkeyPatch.context() as patch, rasterio.open(path) as dataset:
        patch.setattr(component_places, "row_windows", bands)
        places = find_components(str(path), grid_of(dataset), pixels, codes.flat[pixels].astype(int))
    expected = np.full(codes.shape, -1)
    for number, pixel in enumerate(pixels):
        expected[labels == labels.flat[pixel]] = number
    for top in range(0, 40, window_rows):
        rows = min(window_rows, 40 - top)
        np.testing.assert_array_equal(
            places.numbers_under(Window(0, top, 30, rows)), expected[top : top + rows]
        )
