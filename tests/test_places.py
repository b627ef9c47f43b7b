"""Images wherever they lie: the map has their place and its ground, or says that there is none."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from lsafnet_cli.errors import OutputError
from lsafnet_cli.geometry.crs import horizontal, wkt_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps.summarize import summarize_map
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import (
    DeviceOptions,
    GridOptions,
    OutputOptions,
    PredictOptions,
    ReadOptions,
    TileOptions,
)
from lsafnet_cli.polygons.vectorization import vectorize_changes
from lsafnet_cli.prediction.check import check_pair
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.report_page.place import place_table
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair

from .conftest import reading_checkpoint, write_raster
from .maps import legend_of, write_map

LOCAL = 'LOCAL_CS["Site (m)",LOCAL_DATUM["Local",0],UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
MOON = "IAU_2015:30100"
SITE = (
    'DERIVEDPROJCRS["Site",BASEPROJCRS["WGS 84 / UTM zone 33N",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System '
    '1984",ELLIPSOID["WGS 84",6378137,298.257223563,LENGTHUNIT["metre",1]]]],CONVERSION["UTM zone 33N",METHOD['
    '"Transverse Mercator",ID["EPSG",9807]],PARAMETER["Latitude of natural origin",0,ANGLEUNIT["degree",'
    '0.0174532925199433]],PARAMETER["Longitude of natural origin",15,ANGLEUNIT["degree",0.0174532925199433]],'
    'PARAMETER["Scale factor at natural origin",0.9996,SCALEUNIT["unity",1]],PARAMETER["False easting",500000,'
    'LENGTHUNIT["metre",1]],PARAMETER["False northing",0,LENGTHUNIT["metre",1]]]],DERIVINGCONVERSION["Affine",'
    'METHOD["Affine parametric transformation",ID["EPSG",9624]],PARAMETER["A0",-499000,LENGTHUNIT["metre",1]],'
    'PARAMETER["A1",1,SCALEUNIT["coefficient",1]],PARAMETER["A2",0,SCALEUNIT["coefficient",1]],PARAMETER["B0",-5490000,LENGTHUNIT['
    '"metre",1]],PARAMETER["B1",0,SCALEUNIT["coefficient",1]],PARAMETER["B2",1,SCALEUNIT["coefficient",1]]],CS['
    'Cartesian,2],AXIS["easting (E)",east,ORDER[1]],AXIS["northing (N)",north,ORDER[2]],LENGTHUNIT["metre",1]]'
)
ROTATED = (
    "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +datum=WGS84 "
    "+to_meter=0.0174532925199433"
)
SIDE = 64


def images(folder, crs, place):
    """Write a pair in which the first half becomes another class."""
    before = np.ones((1, SIDE, SIDE), "uint8")
    after = before.copy()
    after[:, :, : SIDE // 2] = 2
    return [
        write_raster(folder / f"{name}.tif", date, crs=crs, transform=place)
        for name, date in (("before", before), ("after", after))
    ]


def predicted(pair, output, **more):
    options = PredictOptions(
        tile=TileOptions(64), device=DeviceOptions(device="cpu"), output=OutputOptions(**more)
    )
    prediction = open_prediction(pair, output, options, Observer(), reading_checkpoint(3))
    with prediction.work_folder() as store:
        prediction.compute(store)
        return prediction.write(store)


KEPT = {
    "UTM with heights": ("EPSG:32651+4326", Affine(0.5, 0, 500000, 0, -0.5, 5500000)),
    "a rotated pole": (ROTATED, Affine(0.01, 0, 5, 0, -0.01, 5)),
    "healpix": ("+proj=healpix +datum=WGS84", Affine(100, 0, 1e6, 0, -100, 4e6)),
    "a view from space": ("+proj=nsper +h=3000000 +lat_0=40 +datum=WGS84", Affine(100, 0, 0, 0, -100, 0)),
    "a derived projection": (SITE, Affine(0.5, 0, 1000, 0, -0.5, 10000)),
    "a local system": (LOCAL, Affine(0.05, 0, -20, 0, -0.05, 30)),
    "the moon": (MOON, Affine(1e-5, 0, 10, 0, -1e-5, 10)),
    "grads": ("EPSG:27572", Affine(1, 0, 600000, 0, -1, 2200000)),
}


@pytest.mark.parametrize("name", KEPT)
def test_every_layer_keeps_the_crs_of_the_images_and_knows_its_ground(tmp_path, name):
    crs, place = KEPT[name]
    pair = images(tmp_path, crs, place)
    with rasterio.open(pair[0]) as dataset:
        expected = horizontal(dataset.crs)
    report = predicted(
        pair, tmp_path / "map.tif", also=("probability", "before"), polygons=(tmp_path / "map.gpkg",)
    )
    for layer in ("map", "probability", "before"):
        with rasterio.open(report.outputs[layer]) as dataset:
            assert horizontal(dataset.crs).equals(expected, ignore_axis_order=True), layer
            assert dataset.transform.almost_equals(place)
    names = (tmp_path / "map.tif.aux.xml").read_text(encoding="utf-8")
    assert "CategoryNames" in names  # the CRS beside them has taken nobody's place
    assert report.table.valid_ha > 0
    assert [row.area_ha for row in report.table.transitions] == pytest.approx(
        [report.table.valid_ha / 2] * 2, rel=0.01
    )
    assert report.pixel_size_m == pytest.approx(np.sqrt(report.table.valid_ha * 1e4) / SIDE, rel=0.02)
    assert summarize_map(tmp_path / "map.tif").whole.table.valid_ha == report.table.valid_ha
    json.dumps(report.as_dict() | {"table": None}, allow_nan=False, default=str)


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_a_crs_without_a_transform_is_no_place(tmp_path, crs):
    pair = images(tmp_path, crs, None)
    with rasterio.open(pair[0]) as dataset:
        assert (dataset.crs, dataset.transform) == (CRS.from_string(crs), Affine.identity())
    report = predicted(pair, tmp_path / "map.tif", also=("stac",))
    assert (report.crs, report.pixel_size_m, report.table.valid_ha) == (None, None, None)
    assert (
        sum(f"has the CRS {crs}, but neither transform nor control points" in text for text in report.notices)
        == 2
    )
    item = json.loads((tmp_path / "map.stac.json").read_text(encoding="utf-8"))
    assert (item["geometry"], "bbox" in item) == (None, False)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.crs is None
    found = check_pair(*pair, read=ReadOptions(bands=(1, 1, 1)))
    assert (found.before.crs, found.before.placed_by) == (None, "nothing")


@pytest.mark.parametrize("name", ["a local system", "the moon"])
def test_what_has_no_place_in_wgs84_is_said_before_anything_is_computed(tmp_path, name):
    crs, place = KEPT[name]
    pair = images(tmp_path, crs, place)
    with pytest.raises(OutputError, match=r"x\.geojson: GeoJSON needs WGS 84"):
        predicted(pair, tmp_path / "map.tif", polygons=(tmp_path / "x.geojson",))
    assert [path.name for path in tmp_path.iterdir() if "map" in path.name] == []
    report = predicted(pair, tmp_path / "map.tif", also=("stac",))
    item = json.loads(Path(report.outputs["stac"]).read_text(encoding="utf-8"))
    assert item["geometry"] is None
    assert sum("the STAC item has no geometry" in text for text in report.notices) == 1
    with rasterio.open(pair[0]) as dataset:
        assert place_table(Grid(dataset.crs, place, SIDE, SIDE)) is None
    with pytest.raises(OutputError, match="GeoJSON"):
        vectorize_changes(tmp_path / "map.tif", [tmp_path / "x.geojson"])


def test_polygons_of_a_local_system_measure_in_its_plane(tmp_path):
    codes = np.zeros((60, 60), "uint8")
    codes[10:40, 10:50] = 2
    path = write_map(tmp_path / "map.tif", codes, legend_of(), LOCAL, Affine(0.05, 0, -20, 0, -0.05, 30))
    table = summarize_map(path).whole.table
    assert (table.valid_ha, table.changed_ha) == (9 / 1e4, 3 / 1e4)


def test_a_resolution_is_one_on_the_ground(tmp_path):
    pair = images(tmp_path, "EPSG:3857", Affine(1, 0, 1_500_000, 0, -1, 8_399_738))  # at 60 degrees: 0.5 m
    scenes = read_pair(*pair, ReadOptions())
    grid = align_pair(scenes, GridOptions(resolution_m=2)).grid
    assert grid.shape == (16, 16)
    assert (grid.transform.a, -grid.transform.e) == pytest.approx((3.99, 3.997), abs=2e-3)
    plain = align_pair(scenes).grid
    assert check_pair(*pair, read=ReadOptions(bands=(1, 1, 1))).common.pixel_size_m == pytest.approx(
        0.5, rel=2e-3
    )
    assert plain.shape == (SIDE, SIDE)


def test_a_resolution_in_utm_is_one_on_the_map(tmp_path):
    pair = images(tmp_path, "EPSG:32633", Affine(0.5, 0, 500000, 0, -0.5, 5500000))
    scenes = read_pair(*pair, ReadOptions())
    assert align_pair(scenes, GridOptions(resolution_m=0.5)).grid == align_pair(scenes).grid
    assert align_pair(scenes, GridOptions(resolution_m=2)).grid.transform.a == 2.0


def test_a_wkt_leaves_nothing_out():
    for crs, _ in KEPT.values():
        found = CRS.from_user_input(crs)
        assert CRS.from_wkt(wkt_of(found)) == found
