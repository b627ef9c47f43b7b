"""Straight sides of polygons that are curves in degrees get points: near a pole, in merged files and in GeoJSON."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Geod, Proj
from shapely import box

from lsafnet_cli import vectorize_changes
from lsafnet_cli.batch.merge import _placed
from lsafnet_cli.geometry.crs import Way
from lsafnet_cli.geometry.densify import densify

from .test_vectorize import write_map

POLAR = "EPSG:3413"
WAY = Way.between(CRS(POLAR), CRS("EPSG:4326"))
AROUND, BESIDE = box(-50e3, -30e3, 40e3, 60e3), box(40e3, -30e3, 90e3, 60e3)
RING = box(-100e3, -100e3, -60e3, -60e3) - box(-90e3, -90e3, -70e3, -70e3)
TWO = shapely.MultiPolygon([box(-10e3, 100e3, 0, 110e3), box(10e3, 100e3, 20e3, 110e3)])


def ground_m2(polygon):
    """Return the ground area of a polygon whose sides are straight in degrees."""
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(shapely.segmentize(polygon, 0.05))[0])


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


def test_geojson_of_a_map_at_a_pole_has_the_areas_of_its_pixels(tmp_path):
    codes = np.zeros((40, 40), np.uint8)
    codes[10:30, 12:30] = 1  # the pole lies in it
    codes[10:30, 30:38] = 2
    path = write_map(
        tmp_path / "map.tif", codes, crs=POLAR, transform=Affine(5000, 0, -100e3, 0, -5000, 100e3)
    )
    vectorize_changes(path, [tmp_path / "x.geojson", tmp_path / "x.gpkg"])
    features = json.loads((tmp_path / "x.geojson").read_text())["features"]
    assert len(features) == 2
    for feature in features:
        polygon = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert polygon.is_valid
        assert ground_m2(polygon) == pytest.approx(feature["properties"]["area_m2"], rel=2e-3)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["map.tif", "x.geojson", "x.gpkg"]
