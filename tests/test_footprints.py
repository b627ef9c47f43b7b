"""Where grids lie on the globe: outlines that GeoJSON can hold, cut at the antimeridian, or none."""

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from shapely.geometry import box, shape

from lsafnet_cli.batch.merge import _placed
from lsafnet_cli.geometry.antimeridian import cut_at_antimeridian
from lsafnet_cli.geometry.crs import horizontal
from lsafnet_cli.geometry.footprints import Extent, footprint_of, to_pixels
from lsafnet_cli.geometry.grid import Grid


def about(side, count, west=None, north=None):
    """Return the transform of a square grid about the origin."""
    half = side * count / 2
    return Affine(side, 0, -half if west is None else west, 0, -side, half if north is None else north)


def grid_of(crs, transform, width, height=None):
    return Grid(CRS.from_user_input(crs), transform, width, height or width)


WHOLE = {
    "degrees": ("EPSG:4326", Affine(1, 0, -180, 0, -1, 90), 360, 180, 90),
    "degrees from 0": ("EPSG:4326", Affine(1, 0, 0, 0, -1, 90), 360, 180, 90),
    "mercator": ("EPSG:3857", about(20037508.342789244 / 512, 1024), 1024, 1024, 85.0511288),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_grid_of_the_whole_world_covers_it(name):
    crs, transform, width, height, north = WHOLE[name]
    found = footprint_of(grid_of(crs, transform, width, height))
    assert found.bbox == pytest.approx([-180, -north, 180, north])
    assert shape(found.geometry).area == pytest.approx(720 * north)


@pytest.mark.parametrize(("epsg", "pole"), [(3413, 90), (6931, 90), (3031, -90), (6932, -90)])
@pytest.mark.parametrize("count", [300, 301])
def test_a_grid_about_a_pole_reaches_it_and_goes_all_around(epsg, pole, count):
    found = footprint_of(grid_of(f"EPSG:{epsg}", about(10_000, count), count))
    west, south, east, north = found.bbox
    assert (west, east) == (-180, 180)
    assert pole in (south, north)
    outline, to_map = shape(found.geometry), Transformer.from_crs(4326, epsg, always_xy=True)
    assert outline.is_valid
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(-180, 180, 300), np.sign(pole) * rng.uniform(70, 90, 300)
    x, y = to_map.transform(lon, lat)
    inside = (np.abs(x) < 5000 * count) & (np.abs(y) < 5000 * count)
    near = np.abs(np.maximum(np.abs(x), np.abs(y)) - 5000 * count) < 20_000
    np.testing.assert_array_equal(shapely.contains_xy(outline, lon, lat)[~near], inside[~near])


@pytest.mark.parametrize("lon_0", [0, 140.7, 170, -135])
def test_what_a_geostationary_satellite_sees_has_an_outline(lon_0):
    crs = f"+proj=geos +h=35785831 +lon_0={lon_0} +datum=WGS84"
    found = footprint_of(grid_of(crs, about(3000, 3712), 3712))
    outline = shape(found.geometry)
    assert outline.is_valid
    centre = shapely.Point(lon_0, 0)
    assert outline.contains(centre) or outline.boundary.distance(centre) < 1e-9
    assert not outline.contains(shapely.Point((lon_0 + 360) % 360 - 180, 0))
    assert 60 < outline.bounds[3] < 82


def test_a_map_projection_with_gaps_or_another_body_has_no_outline():
    assert (
        footprint_of(grid_of("+proj=igh +datum=WGS84", about(20_000, 2000, north=8_600_000), 2000, 860))
        is None
    )
    assert footprint_of(grid_of("IAU_2015:30100", about(1e-5, 10), 10)) is None
    assert footprint_of(Grid(None, Affine.identity(), 10, 10)) is None


def test_longitudes_beyond_180_are_those_of_the_other_side():
    found = footprint_of(grid_of("EPSG:4326", Affine(1e-3, 0, 190, 0, -1e-3, 50), 60))
    assert found.bbox == pytest.approx([-170, 49.94, -169.94, 50])


def test_polygons_that_jump_over_the_antimeridian_are_cut_there():
    ring = box(179.9, 10, 180.1, 10.2) - box(179.97, 10.05, 180.05, 10.1)
    jumping = shapely.transform(ring, lambda xy: np.stack([(xy[:, 0] + 180) % 360 - 180, xy[:, 1]], axis=1))
    parts = cut_at_antimeridian(jumping)
    assert sum(part.area for part in parts) == pytest.approx(ring.area)
    assert all(part.is_valid and part.bounds[2] - part.bounds[0] < 0.11 for part in parts)
    plain = box(-10, 0, 10, 5)
    assert cut_at_antimeridian(plain) == [plain]


def test_merged_polygons_end_at_the_antimeridian_and_share_out_area_and_pixels():
    squares = [box(714_000, 5_541_000, 716_000, 5_543_000), box(712_000, 5_541_000, 712_100, 5_541_100)]
    to_degrees = Transformer.from_crs(32660, 4326, always_xy=True)
    lon, _ = to_degrees.transform([714_000, 716_000], [5_542_000, 5_542_000])
    assert lon[0] > 179
    assert lon[1] < -179
    fields = {"area_m2": np.array([4e6, 1e4]), "pixels": np.array([40_001, 100]), "id": np.array([1, 2])}
    placed, found = _placed(shapely.to_wkb(squares), fields, "EPSG:32660", "EPSG:4326")
    polygons = shapely.from_wkb(placed)
    assert len(polygons) == 3
    assert all(polygon.geom_type == "Polygon" and polygon.is_valid for polygon in polygons)
    bounds = shapely.bounds(polygons)
    assert (bounds[:, 2] - bounds[:, 0]).max() < 0.04
    assert (found["area_m2"][:2].sum(), found["pixels"][:2].sum()) == (pytest.approx(4e6), 40_001)
    assert (found["area_m2"][2], found["pixels"][2]) == (1e4, 100)
    assert found["pixels"][0] == pytest.approx(found["area_m2"][0] / 100, abs=10)


@pytest.mark.parametrize("turn", [360, 400])
def test_an_extent_finds_shapes_at_any_count_of_their_longitudes(turn):
    crs = "EPSG:4326" if turn == 360 else "EPSG:4807"
    grid = grid_of(crs, Affine(turn / 360e3, 0, turn * 0.495, 0, -turn / 360e3, 50), 3600, 60)
    extent = Extent.of(grid, horizontal(crs))
    half = turn / 2
    cut = shapely.union_all([box(half - 1, 49, half, 51), box(-half, 49, 1 - half, 51)])
    found = extent.cut(cut)
    cols, _ = grid.to_pixels(*np.array(found.bounds).reshape(2, 2).T)
    assert min(cols) < half - 1 + 3600
    assert found.bounds[2] > half
    col, row = to_pixels([-half + 0.1], [49.99], horizontal(crs), grid)
    assert (float(col[0]), float(row[0])) == pytest.approx(grid.to_pixels(half + 0.1, 49.99))
