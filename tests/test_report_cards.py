"""Cards of a report page, and where on earth its pixels lie."""

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings, strategies as st
from pyproj import Transformer
from scipy import ndimage

from lsafnet_cli import PageOptions, PolygonOptions, vectorize_changes, write_report_page
from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.runs import find_runs
from lsafnet_cli.report_page.best_changes import BestChanges, BestPieces, find_best_pieces
from lsafnet_cli.report_page.cards import pixel_within
from lsafnet_cli.report_page.place import place_table

from .change_maps import WATER_TO_BUILDING, WATER_TO_GROUND, blobs, write_map, write_probability
from .conftest import PLACE, UTM, write_raster
from .report_pages import data_of

maps = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 3), st.integers(0, 2**32 - 1))
COUNT = 5


def pieces_by_labelling(codes, percent):
    """Return (pixels, summed percent, code, box) of each piece, by a plain labelling."""
    found = []
    for code in range(1, int(codes.max(initial=0)) + 1):
        labels, _ = ndimage.label(codes == code)
        for label, (rows, cols) in enumerate(ndimage.find_objects(labels), 1):
            here = labels == label
            box = rows.start, cols.start, rows.stop, cols.stop
            found.append((int(here.sum()), int(percent[here].sum()), code, box))
    return found


def as_tuples(pieces):
    boxes = zip(pieces.top, pieces.left, pieces.bottom, pieces.right, strict=True)
    return list(zip(pieces.pixels, pieces.percent, pieces.code, boxes, strict=True))


@given(maps, st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_the_best_pieces_equal_those_of_a_plain_labelling_for_any_row_band(shape, band_rows):
    rng = np.random.default_rng(shape[3])
    codes = rng.integers(0, shape[2] + 1, shape[:2]).astype(np.uint8)
    percent = rng.integers(0, 101, codes.shape)
    best = BestPieces(COUNT)
    for top in range(0, len(codes), band_rows):
        band = codes[top : top + band_rows]
        runs = find_runs(band, top)
        sums = runs.sums(percent[top : top + band_rows])
        ends = runs.row, runs.col, runs.row + 1, runs.col + runs.length, runs.row * runs.width + runs.col
        best.add(
            runs,
            runs.code != 0,
            BestChanges(runs.code.astype(int), runs.length, 2.0 * runs.length, sums, *ends),
        )
    best.finish()
    expected = pieces_by_labelling(codes, percent)
    by_size = sorted(expected, key=lambda one: (-one[0], one[3][:2]))
    assert as_tuples(best.largest) == by_size[:COUNT]
    no_specks = [one for one in expected if one[0] >= 25]  # which are 50 m2 here
    unsure = sorted(no_specks, key=lambda one: (round(one[1] / one[0] / 100, 6), one[3][:2]))
    assert as_tuples(best.least_certain) == unsure[:COUNT]
    first_of_each = {one[2]: one for one in reversed(by_size)}
    assert as_tuples(best.largest_of_each) == [one for one in by_size if one in first_of_each.values()]


def test_a_piece_that_closes_a_ring_far_below_is_one_piece(tmp_path):
    codes = np.zeros((4000, 400), np.uint8)
    codes[10:3990, 20] = codes[10:3990, 380] = codes[3989, 20:381] = WATER_TO_GROUND
    codes[5:8, 5:8] = WATER_TO_BUILDING
    path = str(write_map(tmp_path / "m.tif", codes))
    best = find_best_pieces(path, None, np.arange(1, 10), 3)
    assert best.largest.code.tolist() == [WATER_TO_GROUND, WATER_TO_BUILDING]
    assert best.largest.pixels.tolist() == [2 * 3980 + 359, 9]
    assert (best.largest.top[0], best.largest.left[0]) == (10, 20)
    assert (best.largest.bottom[0], best.largest.right[0]) == (3990, 381)
    assert len(best.least_certain.code) == 0


@pytest.fixture
def certain_map(tmp_path):
    """Return a map of two changes of 20 x 20 and 16 x 16 pixels, the smaller the surer, and of an unsure speck."""
    codes = np.zeros((60, 80), np.uint8)
    codes[5:25, 5:25], codes[30:46, 40:56] = WATER_TO_GROUND, WATER_TO_BUILDING
    codes[2:4, 60:70] = WATER_TO_GROUND
    path = write_map(tmp_path / "changes.tif", codes)
    percent = np.where(codes == WATER_TO_GROUND, 60, 90)
    percent[2:4] = 55
    write_probability(path, percent)
    return path


def test_cards_say_area_and_confidence_and_where_the_change_is(tmp_path, certain_map):
    write_report_page(certain_map, tmp_path / "r.html", options=PageOptions(cards=1))
    cards = data_of(tmp_path / "r.html")["cards"]
    ground = {"code": WATER_TO_GROUND, "amount": "100 m²", "confidence": 0.6, "box": [5, 5, 25, 25]}
    building = {"code": WATER_TO_BUILDING, "amount": "64 m²", "confidence": 0.9, "box": [30, 40, 46, 56]}
    ground["id"], building["id"] = 5 * 80 + 5, 30 * 80 + 40
    assert cards == {"largest": [ground], "of_each": [building], "least_certain": [ground], "missing": ""}


def test_specks_are_never_called_the_least_certain_and_the_page_says_so(tmp_path):
    codes = np.zeros((60, 80), np.uint8)
    codes[5:15, 5:15] = WATER_TO_GROUND  # 100 pixels, but 25 m2
    path = write_map(tmp_path / "changes.tif", codes)
    write_probability(path, np.full_like(codes, 55))
    write_report_page(path, tmp_path / "r.html")
    cards = data_of(tmp_path / "r.html")["cards"]
    assert (len(cards["largest"]), cards["of_each"], cards["least_certain"]) == (1, [], [])
    assert cards["missing"] == "no change has 25 pixels and 50 m² or more"


def test_without_a_probability_no_change_is_called_uncertain_and_the_page_says_why(tmp_path):
    write_report_page(write_map(tmp_path / "m.tif", blobs(60, 80)), tmp_path / "r.html")
    cards = data_of(tmp_path / "r.html")["cards"]
    assert cards["least_certain"] == []
    assert cards["missing"] == "no probability of change is available"
    assert cards["largest"][0]["confidence"] is None


@pytest.mark.parametrize("ending", [".gpkg", ".geojson"])
def test_cards_of_a_polygon_file_are_those_of_the_map(tmp_path, certain_map, ending):
    polygons = tmp_path / f"p{ending}"
    vectorize_changes(certain_map, [polygons], PolygonOptions())
    write_report_page(certain_map, tmp_path / "r.html")
    (tmp_path / "changes.probability.tif").unlink()
    write_report_page(certain_map, tmp_path / "p.html", options=PageOptions(polygons=polygons))
    of_map, of_polygons = (data_of(tmp_path / name)["cards"] for name in ("r.html", "p.html"))
    for kind in ("largest", "of_each", "least_certain"):
        for one, other in zip(of_map[kind], of_polygons[kind], strict=True):
            top, left, bottom, right = one["box"]
            row, col = divmod(other.pop("id"), 80)
            assert top <= row < bottom
            assert left <= col < right
            np.testing.assert_allclose(other.pop("box"), one.pop("box"), atol=0.5)
            del one["id"]
            assert other == one


def test_a_polygon_is_known_by_a_pixel_of_its_largest_part_that_the_map_has(tmp_path):
    codes = np.zeros((60, 80), np.uint8)
    codes[10:12, 5:8] = codes[20:40, 20:60] = WATER_TO_GROUND
    codes[30, 20:60] = WATER_TO_BUILDING
    path = write_map(tmp_path / "m.tif", codes)
    with rasterio.open(path) as dataset:
        found = pixel_within(dataset, shapely.box(-5, -5, 70, 36), WATER_TO_GROUND)
        assert divmod(found, 80) == (20, 40)
        assert pixel_within(dataset, shapely.box(0, 0, 9, 15), WATER_TO_GROUND) == 10 * 80 + 6
        assert pixel_within(dataset, shapely.box(0, 0, 9, 15), WATER_TO_BUILDING) is None
        assert pixel_within(dataset, shapely.box(100, 0, 109, 15), WATER_TO_GROUND) is None
        assert pixel_within(dataset, shapely.Polygon(), WATER_TO_GROUND) is None


def test_files_that_hold_no_polygons_and_no_probability_of_this_map_are_refused(tmp_path, certain_map):
    foreign = tmp_path / "f.geojson"
    foreign.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"a": 1}, "geometry": '
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}}]}'
    )
    for path, words in ((foreign, "transition"), (tmp_path / "none.gpkg", "cannot be read")):
        with pytest.raises(InputError, match=words):
            write_report_page(certain_map, tmp_path / "r.html", options=PageOptions(polygons=path))
    image = write_raster(tmp_path / "image.tif", np.zeros((3, 60, 80), np.uint8))
    with pytest.raises(InputError, match="is no probability layer"):
        write_report_page(certain_map, tmp_path / "r.html", options=PageOptions(probability=image))
    with pytest.raises(OptionError, match="`cards`"):
        PageOptions(cards=-1)


def interpolated(table, row, col, shape):
    down, across = row / shape[0] * (table["rows"] - 1), col / shape[1] * (table["cols"] - 1)
    top, left = (
        np.minimum(at.astype(int), n - 2) for at, n in ((down, table["rows"]), (across, table["cols"]))
    )
    y, x = down - top, across - left
    found = []
    for name in ("lon", "lat"):
        nodes = np.array(table[name]).reshape(table["rows"], table["cols"])
        upper = nodes[top, left] * (1 - x) + nodes[top, left + 1] * x
        found.append(upper * (1 - y) + (nodes[top + 1, left] * (1 - x) + nodes[top + 1, left + 1] * x) * y)
    return found


@pytest.mark.parametrize(
    ("crs", "transform", "side"),
    [
        (UTM, PLACE, 10_000),
        ("EPSG:32632", Affine(10, 0, 300000, 0, -10, 7400000), 10_980),
        ("EPSG:3857", Affine(1, 0, 20037000, 0, -1, 8e6), 5_000),
        ("EPSG:4326", Affine(1e-5, 0, 8, 0, -1e-5, 50), 3_000),
    ],
)
def test_longitude_and_latitude_are_right_to_a_tenth_of_a_pixel(crs, transform, side):
    grid = Grid(rasterio.crs.CRS.from_string(crs), transform, side, side)
    table = place_table(grid)
    row, col = np.random.default_rng(0).uniform(0, side, (2, 2000))
    back = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    lon, lat = interpolated(table, row, col, grid.shape)
    x, y = back.transform(lon, lat)
    expected_x, expected_y = grid.to_ground(col, row)
    if crs == "EPSG:3857":  # this one crosses the antimeridian
        x = expected_x + (x - expected_x + 20037508.342789244) % (2 * 20037508.342789244) - 20037508.342789244
    assert np.hypot(x - expected_x, y - expected_y).max() < 0.1 * transform.a
    assert place_table(Grid(None, transform, 5, 5)) is None
