"""Coordinates that are no numbers, or no place in any CRS: every reader of vector files says so in one line."""

import math
import struct

import numpy as np
import pyogrio.raw
import pytest
import shapely
from rasterio.crs import CRS

from lsafnet_cli.accuracy.points import read_points
from lsafnet_cli.data_sets.polygon_labels import PolygonLabels
from lsafnet_cli.errors import InputError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps.zone_features import features_by_zone
from lsafnet_cli.maps.zones import ZoneRequest, read_zones
from lsafnet_cli.review.verdicts import verdicts_of_layer
from lsafnet_cli.scenes.outline import read_outline

from .change_maps import LAND
from .conftest import PLACE, UTM

GRID = Grid(CRS.from_string(UTM), PLACE, 80, 80)
READERS = {
    "aoi": read_outline,
    "zones": lambda path: read_zones(ZoneRequest(path), GRID),
    "zone file": lambda path: features_by_zone(ZoneRequest(path)),
    "labels": lambda path: PolygonLabels(path, (("water", 1),)).read(GRID),
    "verdicts": lambda path: verdicts_of_layer(path, LAND, GRID),
    "points": lambda path: read_points(path, None, GRID),
}


def polygon_of_nan(points: int = 4) -> bytes:
    """Return a polygon at no place at all, as WKB; shapely makes none."""
    return struct.pack("<BIII", 1, 3, 1, points) + struct.pack("<dd", math.nan, math.nan) * points


@pytest.mark.parametrize(("ending", "driver"), [(".gpkg", "GPKG"), (".fgb", "FlatGeobuf")])
@pytest.mark.parametrize("reader", ["aoi", "zones", "zone file"])
@pytest.mark.filterwarnings("ignore:Non closed ring:RuntimeWarning")  # silenced outside of tests
def test_a_polygon_that_a_spatial_index_leaves_out_is_one_line_too(tmp_path, reader, ending, driver):
    west, north = PLACE @ (10, 10)
    good = shapely.to_wkb(shapely.box(west, north - 9, west + 9, north))
    path, names = tmp_path / f"odd{ending}", [np.array(["a", "b", "c"], object)]
    shapes = np.array([good, polygon_of_nan(), good], object)
    pyogrio.raw.write(path, shapes, names, ["name"], crs=UTM, driver=driver, geometry_type="Polygon")
    with pytest.raises(InputError, match=r"odd\.\w+: .*invalid in any CRS"):
        READERS[reader](str(path))


@pytest.mark.parametrize("ending", [".gpkg", ".shp"])
def test_a_zone_without_an_outline_is_none(tmp_path, ending):
    west, north = PLACE @ (10, 10)
    good = shapely.to_wkb(shapely.box(west, north - 9, west + 9, north))
    path, names = tmp_path / f"odd{ending}", [np.array(["a", "b", "c"], object)]
    driver = "GPKG" if ending == ".gpkg" else "ESRI Shapefile"
    shapes = np.array([good, None, good], object)
    pyogrio.raw.write(path, shapes, names, ["name"], crs=UTM, driver=driver, geometry_type="Polygon")
    assert [zone.name for zone in READERS["zones"](str(path)).zones] == ["a", "c"]


def write(path, odd, reader):
    """Write a good feature after one of which a coordinate is odd."""
    text = {math.inf: "Infinity", 1e300: "1e300"}.get(odd, "NaN")
    west, north = PLACE @ (10, 10)
    corners = np.array([[west, north], [west + 20, north], [west, north - 20], [west, north]])
    as_text = path.suffix == ".geojson"  # whose writer rejects what its reader takes
    corners[1, 0] = odd = 123456.75 if as_text else odd
    with np.errstate(invalid="ignore"):
        shapes = [shapely.Polygon(corners), shapely.box(west, north - 9, west + 9, north)]
        if reader == "points":
            shapes = [shapely.Point(odd, north), shapely.Point(west, north)]
    columns = {
        "class": "water",
        "status": "rejected",
        "corrected_to": "",
        "reference_from": "water",
        "reference_to": "water",
    }
    driver = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf", ".shp": "ESRI Shapefile"}[
        path.suffix
    ]
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(shapes)), [np.array([value, value], object) for value in columns.values()],
        list(columns), crs=UTM, driver=driver, geometry_type=shapes[0].geom_type,
        **({"SPATIAL_INDEX": "NO"} if driver == "FlatGeobuf" else {}),
    )  # fmt: skip
    if as_text:
        path.write_text(path.read_text(encoding="utf-8").replace("123456.75", text), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", [math.nan, math.inf, 1e300])
@pytest.mark.parametrize("ending", [".gpkg", ".geojson", ".fgb"])
def test_a_coordinate_that_is_no_place_is_one_line(tmp_path, reader, odd, ending):
    path = write(tmp_path / f"odd{ending}", odd, reader)
    with pytest.raises(InputError, match=r"odd\.\w+: .*invalid in any CRS"):
        READERS[reader](path)
