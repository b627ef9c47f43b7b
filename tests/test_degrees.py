"""Polygons in degrees, in merged files and in GeoJSON, keep their shape and area: near a pole and holding one."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Geod, Proj
from shapely import box

from lsafnet_cli import PolygonOptions, vectorize_changes
from lsafnet_cli.batch.merge import _placed
from lsafnet_cli.errors import OutputError
from lsafnet_cli.geometry.crs import Way
from lsafnet_cli.geometry.degrees import densify, is_straight

from .change_maps import blobs, read_polygons, write_map

POLAR = "EPSG:3413"
WAY = Way.between(CRS(POLAR), CRS("EPSG:4326"))
AROUND, BESIDE = box(-50e3, -30e3, 40e3, 60e3), box(40e3, -30e3, 90e3, 60e3)
RING = box(-100e3, -100e3, -60e3, -60e3) - box(-90e3, -90e3, -70e3, -70e3)
TWO = shapely.MultiPolygon([box(-10e3, 100e3, 0, 110e3), box(10e3, 100e3, 20e3, 110e3)])


def ground_m2(polygon):
    """Return the ground area of a polygon whose sides are straight in degrees."""
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(shapely.segmentize(polygon, 0.5))[0])


def projected_m2(polygon):
    """Return the ground area of a small polygon in the polar CRS."""
    lon, lat = WAY(polygon.centroid.x, polygon.centroid.y)
    return polygon.area / Proj(POLAR).get_factors(float(lon), float(lat)).areal_scale


def test_shapes_kinds_and_order_stay():
    given = np.array([TWO, AROUND, RING], object)
    dense = densify(given, WAY)
    assert [one.geom_type for one in dense] == ["MultiPolygon", "Polygon", "Polygon"]
    assert all(after.equals(before) for after, before in zip(dense, given, strict=True))
    assert len(dense[2].interiors) == 1
    assert (shapely.get_num_coordinates(dense) > 10 * shapely.get_num_coordinates(given)).all()


def test_neighbours_have_the_same_points_on_their_common_side():
    first, second = ({tuple(point) for point in shapely.get_coordinates(one)} for one in
                     densify(np.array([AROUND, BESIDE], object), WAY))  # fmt: skip
    common = {point for point in first if point[0] == 40e3}
    assert len(common) > 100
    assert common == {point for point in second if point[0] == 40e3}


@pytest.mark.parametrize("given", [[], [box(500_000, 5_500_000, 510_000, 5_500_010)]])
def test_what_is_straight_comes_back_as_it_is(given):
    polygons = np.array(given, object)
    assert densify(polygons, Way.between(CRS("EPSG:32633"), CRS("EPSG:4326"))) is polygons


POLAR_CRS = [3413, 3031, 32661, 32761, 6931, 6932, 3575]
PLACES = {  # of the pole, in pixels from the upper left corner
    "within a polygon": (20, 20),
    "at the corner of a polygon": (12, 10),
    "at the corner of two polygons": (30, 30),
    "on the side of a polygon": (12, 17),
    "on the side between two polygons": (30, 17),
    "in a hole": (16, 26),
    "at the corner of a hole": (15, 25),
    "beside all": (5, 3),
}
TWO_BLOCKS = np.zeros((40, 40), np.uint8)
TWO_BLOCKS[10:30, 12:30] = 1
TWO_BLOCKS[25:28, 15:19] = 0
TWO_BLOCKS[10:30, 30:38] = 2


def polar_map(path, epsg, place, codes=TWO_BLOCKS):
    """Write a map of pixels of 5 km with the pole at a place in pixels."""
    crs = CRS(f"EPSG:{epsg}")
    south = crs.area_of_use.south < 0
    x, y = Way.between(crs, CRS("EPSG:4326")).back(0, -90 if south else 90)
    transform = Affine(5000, 0, x - place[0] * 5000, 0, -5000, y + place[1] * 5000)
    return write_map(path, codes, crs=f"EPSG:{epsg}", transform=transform)


def polygons_of(path):
    """Return the polygons of a GeoJSON file, and their `area_m2`."""
    features = json.loads(path.read_text())["features"]
    polygons = [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features]
    return polygons, [feature["properties"]["area_m2"] for feature in features]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("epsg", POLAR_CRS)
def test_geojson_of_a_map_at_a_pole_has_the_areas_of_its_pixels(tmp_path, epsg, place):
    path = polar_map(tmp_path / "map.tif", epsg, PLACES[place])
    vectorize_changes(path, [tmp_path / "x.geojson", tmp_path / "x.gpkg"])
    polygons, areas = polygons_of(tmp_path / "x.geojson")
    assert len(polygons) == 2
    assert shapely.is_valid(polygons).all()
    assert [ground_m2(one) for one in polygons] == pytest.approx(areas, rel=1e-4)
    first, second = polygons
    assert first.intersection(second).area < 1e-6 * min(first.area, second.area)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["map.tif", "x.geojson", "x.gpkg"]


@pytest.mark.parametrize("dissolve", [False, True])
@pytest.mark.parametrize("epsg", [6931, 32761])
def test_winding_polygons_with_holes_about_a_pole_keep_their_areas(tmp_path, epsg, dissolve):
    path = polar_map(tmp_path / "map.tif", epsg, (41, 44), blobs(90, 90, seed=4))
    vectorize_changes(path, [tmp_path / "x.geojson"], PolygonOptions(dissolve=dissolve))
    polygons, areas = polygons_of(tmp_path / "x.geojson")
    assert any(part.interiors for one in polygons for part in shapely.get_parts(one))
    assert max(one.bounds[2] - one.bounds[0] for one in polygons) == 360
    assert shapely.is_valid(polygons).all()
    assert [ground_m2(one) for one in polygons] == pytest.approx(areas, rel=1e-3)


def test_a_polygon_about_a_pole_is_not_straight_though_each_of_its_sides_is():
    steps = np.arange(700)
    edge = np.stack([700 - steps, steps, 700 - steps, steps + 1], axis=1).reshape(-1, 2) * 1000.0
    ring = np.concatenate([edge @ np.linalg.matrix_power([[0, 1], [-1, 0]], turn) for turn in range(4)])
    about = np.array([shapely.Polygon(ring)])
    assert about[0].is_valid
    assert densify(about, WAY) is about
    assert not is_straight(about, WAY)
    assert is_straight(shapely.transform(about, lambda points: points + 1e6), WAY)


def test_merged_polygons_near_a_pole_are_valid_and_have_their_area():
    given = [AROUND, BESIDE, RING]
    fields = {"area_m2": np.ones(3), "pixels": np.full(3, 1000), "number": np.arange(3)}
    placed, found = _placed(shapely.to_wkb(given), fields, POLAR, "EPSG:4326")
    polygons = shapely.from_wkb(placed)
    assert shapely.is_valid(polygons).all()
    for number, before in enumerate(given):
        areas = [ground_m2(one) for one in polygons[found["number"] == number]]
        assert sum(areas) == pytest.approx(projected_m2(before), rel=2e-3)
    assert np.bincount(found["number"], found["pixels"]).tolist() == [1000] * 3


@pytest.mark.parametrize("place", PLACES)
def test_parts_of_merged_polygons_at_a_pole_have_their_shares(tmp_path, place):
    path = polar_map(tmp_path / "map.tif", 32661, PLACES[place])
    vectorize_changes(path, [tmp_path / "x.gpkg"])
    given, columns, crs = read_polygons(tmp_path / "x.gpkg")
    placed, found = _placed(shapely.to_wkb(given), columns, crs, "EPSG:4326")
    polygons = shapely.from_wkb(placed)
    assert shapely.is_valid(polygons).all()
    assert [ground_m2(one) for one in polygons] == pytest.approx(found["area_m2"], rel=2e-3)
    assert np.bincount(found["id"], found["area_m2"])[1:] == pytest.approx(columns["area_m2"])


def test_geojson_of_a_map_of_the_whole_earth_ends_at_the_antimeridian(tmp_path):
    codes = np.repeat(np.uint8([[1], [2], [3]]), [40, 20, 40], axis=0).repeat(200, axis=1)
    half = 20037508.342789244
    grid = Affine(half / 100, 0, -half, 0, -half / 100, half / 2)
    path = write_map(tmp_path / "map.tif", codes, crs="EPSG:4087", transform=grid)
    vectorize_changes(path, [tmp_path / "x.geojson"])
    polygons, _ = polygons_of(tmp_path / "x.geojson")
    expected = [
        shapely.box(-180, 18, 180, 90),
        shapely.box(-180, -18, 180, 18),
        shapely.box(-180, -90, 180, -18),
    ]
    assert shapely.equals(polygons, expected).all()


def test_polygons_beyond_the_edge_of_the_earth_are_one_line(tmp_path):
    codes = np.zeros((60, 60), np.uint8)
    codes[20:40, :40] = 1  # a satellite's view of Africa, and space beside it
    view = "+proj=geos +h=35785831 +lon_0=0 +datum=WGS84"
    grid = Affine(200e3, 0, -6000e3, 0, -200e3, 6000e3)
    path = write_map(tmp_path / "map.tif", codes, crs=view, transform=grid)
    with pytest.raises(OutputError, match=r"x\.geojson: polygons cannot be written \(.*domain"):
        vectorize_changes(path, [tmp_path / "x.geojson"])
