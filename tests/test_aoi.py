"""--aoi: the map is that of the whole scene within the polygons, and "no data" to the pixel outside them."""

import json

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings, strategies as st
from rasterio.warp import transform_geom
from rasterio.windows import Window
from shapely.geometry import mapping, shape

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import InputError, NoOverlapError, PairError
from lsafnet_cli.geometry.crs import horizontal
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions, ReadOptions, TileOptions
from lsafnet_cli.prediction import tile_rows
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.outline import Outline, place_outlines, read_outline

from .conftest import PLACE, UTM, noise, write_raster

ROWS, COLS = 300, 330
HOLED = shapely.box(40.25, 30.4, 200.75, 120.25) - shapely.box(90.1, 60.2, 140.6, 90.7)
CIRCLE = shapely.Point(260.3, 240.8).buffer(35)
SLANTED = shapely.Polygon([(12.3, 280.1), (90.7, 180.2), (120.4, 290.9)])
SEVERAL = shapely.union_all([HOLED, CIRCLE, SLANTED])


def on_ground(polygon, crs=UTM):
    """Return a polygon in pixels as one on the ground, in any CRS."""
    placed = shapely.transform(polygon, lambda xy: np.stack(PLACE @ (xy[:, 0], xy[:, 1]), axis=1))
    return (
        shape(transform_geom(UTM, crs, mapping(shapely.segmentize(placed, 1.0)), precision=-1))
        if crs != UTM
        else placed
    )


def write_outline(path, polygons, crs=UTM, driver=None):
    drivers = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf"}
    settings_ = {
        "driver": driver or drivers[path.suffix],
        "schema": {"geometry": "Unknown", "properties": {}},
    }
    if path.suffix == ".shp":
        settings_["schema"] = {"geometry": "Polygon", "properties": {}}
    with fiona.open(path, "w", crs=crs, **settings_) as collection:
        collection.writerecords([{"geometry": mapping(polygon), "properties": {}} for polygon in polygons])
    return path


def centres_within(polygon, rows=ROWS, cols=COLS):
    """Return (rows, cols), True where a pixel's centre lies in a polygon."""
    x, y = np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
    return shapely.contains_xy(polygon, x, y)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    layout = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}
    return [write_raster(folder / f"{n}.tif", noise(n, ROWS, COLS), **layout) for n in (1, 2)]


@pytest.fixture(scope="module")
def whole(images, tiny_checkpoint, tmp_path_factory):
    """Return the codes of the whole scene."""
    output = tmp_path_factory.mktemp("whole") / "changes.tif"
    return run(images, output, tiny_checkpoint, None)[0]


def run(images, path, checkpoint, aoi, **options):
    """Map a pair; return the codes and the window they cover of the before image."""
    read = ReadOptions(aoi=str(aoi) if aoi else None)
    predict_change(*images, path, PredictOptions(checkpoint=checkpoint, read=read, **options))
    with rasterio.open(path) as codes, rasterio.open(images[0]) as image:
        window = rasterio.windows.from_bounds(*codes.bounds, image.transform).round_offsets().round_lengths()
        return codes.read(1), window


CASES = {
    "a polygon with a hole": ([HOLED], ".gpkg", UTM),
    "several polygons": ([HOLED, CIRCLE, SLANTED], ".gpkg", UTM),
    "a multipolygon": ([SEVERAL], ".geojson", "EPSG:4326"),
    "another UTM zone": ([SEVERAL], ".shp", "EPSG:32633"),
    "web mercator": ([SEVERAL], ".fgb", "EPSG:3857"),
    "an equal-area CRS": ([SEVERAL], ".gpkg", "EPSG:3035"),
    "an area larger than the scene": ([shapely.box(-5e4, -5e4, 5e4, 5e4)], ".gpkg", "EPSG:4326"),
    "an area that reaches beyond the scene": ([shapely.box(200.2, -80, 500, 150.3)], ".gpkg", UTM),
    "one pixel": ([shapely.box(77.2, 88.2, 77.9, 88.9)], ".gpkg", UTM),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_map_is_that_of_the_whole_scene_inside_and_nodata_outside(
    images, whole, tiny_checkpoint, tmp_path, case
):
    polygons, ending, crs = CASES[case]
    outline = write_outline(tmp_path / f"aoi{ending}", [on_ground(p, crs) for p in polygons], crs)
    codes, window = run(images, tmp_path / "changes.tif", tiny_checkpoint, outline)
    inside = centres_within(shapely.union_all(polygons))
    bounds = np.clip(shapely.union_all(polygons).bounds, 0, [COLS, ROWS, COLS, ROWS])
    left, top, right, bottom = np.ceil(bounds - 0.5).astype(int)  # the first centre at or beyond each bound
    width, height = right - left, bottom - top
    assert (window.col_off, window.row_off, window.width, window.height) == (left, top, width, height)
    there = np.s_[top : top + height, left : left + width]
    assert np.array_equal(codes != 255, inside[there])
    assert (codes == whole[there])[inside[there]].mean() >= 0.9999


@pytest.mark.parametrize(
    ("window", "bounded"),
    [
        (Window(0, 0, 30, 30), Window(3, 4, 17, 22)),
        (Window(4, 5, 2, 3), Window(4, 5, 2, 3)),
        (Window(5, 0, 10, 20), Window(5, 4, 5, 8)),
        (Window(0, 15, 30, 9), Window(14, 20, 4, 4)),
        (Window(10, 0, 4, 20), Window(10, 0, 0, 0)),
        (Window(0, 0, 3, 30), Window(0, 0, 0, 0)),
    ],
)
def test_a_window_is_cut_to_what_bounds_the_area_in_it(window, bounded):
    """Several parts, a part around the window, one cut by its edge, one that only touches it, none."""
    triangle = shapely.Polygon([(14, 20.5), (14, 26), (19.5, 26)])
    area = AreaOfInterest.of(shapely.union_all([shapely.box(3.2, 4.5, 10, 12), triangle]))
    assert area.within(window) == bounded


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_every_layer_polygon_and_picture_is_cut_to_the_area(images, tiny_checkpoint, tmp_path, crs):
    outline = write_outline(tmp_path / "aoi.gpkg", [on_ground(SEVERAL, crs)], crs)
    wanted = OutputOptions((tmp_path / "changes.gpkg",), ("from", "before", "probability", "quicklook"))
    codes, _ = run(images, tmp_path / "changes.tif", tiny_checkpoint, outline, output=wanted)
    for layer in ("from", "before", "probability"):
        with rasterio.open(tmp_path / f"changes.{layer}.tif") as dataset:
            assert np.array_equal(dataset.read(1) == 255, codes == 255)
    with fiona.open(tmp_path / "changes.gpkg") as collection:
        pixels = sum(feature["properties"]["pixels"] for feature in collection)
    assert pixels == ((codes > 0) & (codes < 255)).sum()
    assert (tmp_path / "changes.quicklook.png").exists()


@pytest.mark.parametrize("rows", [1, 37])
def test_the_map_does_not_depend_on_the_height_of_a_row_band_or_on_swaths(
    images, tiny_checkpoint, tmp_path, monkeypatch, rows
):
    outline = write_outline(tmp_path / "aoi.gpkg", [on_ground(SEVERAL)])
    plain, window = run(images, tmp_path / "plain.tif", tiny_checkpoint, outline)
    monkeypatch.setattr("lsafnet_cli.prediction.plan.plan_memory", lambda *_: Narrow())
    cut, same = run(
        images, tmp_path / "cut.tif", tiny_checkpoint, outline, tile=TileOptions(row_band_px=rows)
    )
    assert same == window
    assert (cut == plain).mean() >= 0.9999


class Narrow:
    """A memory plan that cuts the scene into the narrowest swaths."""

    rows_ahead, widest_px, cache_bytes = 1, 1, 32 << 20


def test_tiles_outside_the_area_are_neither_read_nor_computed(images, tiny_checkpoint, tmp_path, monkeypatch):
    corners = [shapely.box(2, 2, 20, 20), shapely.box(310, 280, 325, 295)]
    outline = write_outline(tmp_path / "aoi.gpkg", [on_ground(corner) for corner in corners])
    read, computed = [], []
    reader, cutter = tile_rows.ImageReader.read, tile_rows.cut_tiles

    def noting(self, window, *arrays):
        read.append(window)
        reader(self, window, *arrays)

    def counting(*arguments):
        for tile_pixels in cutter(*arguments):
            computed.append(tile_pixels.tile)
            yield tile_pixels

    monkeypatch.setattr(tile_rows.ImageReader, "read", noting)
    monkeypatch.setattr("lsafnet_cli.prediction.compute.cut_tiles", counting)
    run(images, tmp_path / "changes.tif", tiny_checkpoint, outline)
    assert len(computed) <= 5  # of 49; the second corner is shared by up to four
    assert sum(window.width * window.height for window in read) < 0.25 * 2 * ROWS * COLS


def test_an_edit_of_the_area_starts_a_broken_run_afresh(images, tiny_checkpoint, tmp_path, monkeypatch):
    outline = write_outline(tmp_path / "aoi.gpkg", [on_ground(HOLED)])
    options = PredictOptions(
        checkpoint=tiny_checkpoint, read=ReadOptions(aoi=str(outline)), tile=TileOptions(row_band_px=16)
    )
    with monkeypatch.context() as patch, pytest.raises(OSError, match="pulled"):
        patch.setattr("lsafnet_cli.prediction.pipeline.write_outputs", pull_the_plug)
        predict_change(*images, tmp_path / "changes.tif", options)
    outline.unlink()
    write_outline(outline, [on_ground(HOLED - CIRCLE.buffer(150))])
    observer = Observer()
    predict_change(*images, tmp_path / "changes.tif", options, observer)
    assert any("starting afresh: the area of interest changed" in notice for notice in observer.notices)


def pull_the_plug(*_):
    raise OSError("pulled")


def test_a_file_without_a_crs_is_taken_to_be_in_that_of_the_images(images, tiny_checkpoint, tmp_path):
    outline = write_outline(tmp_path / "aoi.shp", [on_ground(HOLED)], crs=None)
    observer = Observer()
    options = PredictOptions(checkpoint=tiny_checkpoint, read=ReadOptions(aoi=str(outline)))
    report = predict_change(*images, tmp_path / "changes.tif", options, observer)
    assert any("aoi.shp has no CRS" in notice for notice in observer.notices)
    assert report.table.valid_pixels == centres_within(HOLED).sum()
    assert report.options["aoi"] == str(outline)


def test_what_is_no_area_on_the_images_is_refused(images, tmp_path):
    with rasterio.open(images[0]) as dataset:
        grid = Grid(dataset.crs, dataset.transform, dataset.width, dataset.height)
    far = Outline("far.gpkg", on_ground(shapely.box(900, 900, 950, 950)), horizontal(grid.crs))
    between = Outline("thin.gpkg", on_ground(shapely.box(10.6, 10.6, 11.4, 11.4)), horizontal(grid.crs))
    for outline in (far, between):
        with pytest.raises(NoOverlapError, match="contains no pixel"):
            place_outlines([outline], grid)
    with pytest.raises(PairError, match="without a CRS"):
        place_outlines([far], Grid(None, PLACE, COLS, ROWS))
    lines = write_outline(tmp_path / "lines.gpkg", [shapely.LineString([(0, 0), (1, 1)])])
    with pytest.raises(InputError, match="contains no polygon"):
        read_outline(str(lines))
    (tmp_path / "absurd.geojson").write_text(shapely.to_geojson(shapely.box(0, 0, 1e300, 1e300)))
    with pytest.raises(InputError, match="invalid in any CRS"):
        read_outline(str(tmp_path / "absurd.geojson"))
    (tmp_path / "text.geojson").write_text("not a vector file")
    for name in ("text.geojson",):
        with pytest.raises(InputError, match="cannot be read as a vector file"):
            read_outline(str(tmp_path / name))


def test_rings_that_cross_and_collections_are_mended(tmp_path):
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    point = {"type": "Point", "coordinates": [5, 5]}
    mixed = {"type": "GeometryCollection", "geometries": [bow, point]}
    features = [{"type": "Feature", "properties": {}, "geometry": g} for g in (mixed, None)]
    path = tmp_path / "bow.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    outline = read_outline(str(path))
    assert outline.geometry.area == pytest.approx(2.0)
    assert outline.crs.to_epsg() == 4326


@pytest.mark.parametrize(
    ("crs", "origin", "rectangles"),
    [
        ("EPSG:32601", (300000, 5000000), [(179.0, 40, 180.0, 50), (-180.0, 40, -179.0, 50)]),
        ("EPSG:32601", (300000, 5000000), [(179.0, 40, 181.0, 50)]),
        ("EPSG:32601", (300000, 5000000), [(-181.0, 40, -179.0, 50)]),
        ("EPSG:32601", (300000, 5000000), [(-180.0, -90, 180.0, 90)]),
        ("EPSG:4326", (179.0, 45.0), [(-180.0, 40, -170.0, 50), (170, 40, 180, 50)]),
    ],
)  # fmt: skip
def test_an_area_across_the_antimeridian_covers_its_scene(crs, origin, rectangles):
    pixel = 0.02 if crs == "EPSG:4326" else 1000.0
    grid = Grid(
        rasterio.CRS.from_string(crs), rasterio.Affine(pixel, 0, origin[0], 0, -pixel, origin[1]), 100, 100
    )
    world = Outline(
        "world.gpkg", shapely.union_all([shapely.box(*r) for r in rectangles]), horizontal("EPSG:4326")
    )
    area = place_outlines([world], grid)
    x, y = grid.to_ground(np.array([0.5, 99.5, 50.5]), np.array([50.5, 50.5, 50.5]))
    longitudes = rasterio.warp.transform(grid.crs, "EPSG:4326", x, y)[0]
    expected = [any(left <= lon + turn <= right for left, _, right, _ in rectangles for turn in (-360, 0, 360))
                for lon in longitudes]  # fmt: skip
    found = area.inside(Window(0, 0, 100, 100))[50, [0, 99, 50]]
    assert found.tolist() == expected
    assert any(expected)


def test_an_area_around_the_pole_covers_it():
    polar = Grid(rasterio.CRS.from_epsg(3413), rasterio.Affine(5000, 0, -500000, 0, -5000, 500000), 200, 200)
    cap = Outline("cap.gpkg", shapely.box(-180, 87, 180, 90), horizontal("EPSG:4326"))
    inside = place_outlines([cap], polar).inside(Window(0, 0, 200, 200))
    assert inside[100, 100]
    assert not inside[0, 0]
    radius = np.hypot(*rasterio.warp.transform(cap.crs, polar.crs, [0], [87]))[0]
    assert inside.sum() * 5000**2 == pytest.approx(np.pi * radius**2, rel=0.002)


coordinates = st.floats(-30, 130).map(lambda value: round(value, 2) + 0.003)
triangles = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3).map(shapely.Polygon)


@settings(max_examples=60, deadline=None)
@given(st.lists(triangles, min_size=1, max_size=4), st.integers(1, 99), st.integers(1, 99))
def test_windows_side_by_side_hold_the_pixels_whose_centres_lie_inside(polygons, row, col):
    union = shapely.union_all(polygons)
    area = AreaOfInterest.of(union)
    if area is None:
        return
    windows = [
        Window(0, 0, col, row), Window(col, 0, 100 - col, row),
        Window(0, row, col, 100 - row), Window(col, row, 100 - col, 100 - row),
    ]  # fmt: skip
    parts = [area.inside(window) for window in windows]
    found = np.block([[parts[0], parts[1]], [parts[2], parts[3]]])
    x, y = np.meshgrid(np.arange(100) + 0.5, np.arange(100) + 0.5)
    on_edge = shapely.dwithin(shapely.boundary(union), shapely.points(x, y), 1e-6)
    assert np.array_equal(found | on_edge, centres_within(union, 100, 100) | on_edge)
    assert np.array_equal(area.cut(windows[3]).inside(Window(0, 0, 100 - col, 100 - row)), parts[3])
