"""`--also stac`: an item that catalogues can take."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.crs import CRS
from rasterio.warp import transform_bounds
from shapely.geometry import box, shape

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.geometry.footprints import footprint_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps.stac import class_name, make_item
from lsafnet_cli.maps.table import change_table
from lsafnet_cli.options import GridOptions, OutputOptions

from .conftest import noise, write_raster
from .maps import blobs, legend_of, provenance_of, write_map

MADE = datetime(2025, 6, 1, 12, tzinfo=UTC)


def validate(item):
    """Judge the core of an item by STAC's own schema, which pystac brings along; extensions' lie on the web."""
    validator, content = JsonSchemaSTACValidator(), json.loads(json.dumps(item.to_dict()))
    schema = validator.validate_core(content, pystac.STACObjectType.ITEM, pystac.get_stac_version())
    assert schema is not None
    assert schema.endswith("/item.json")


def item_of(folder, legend=None, crs="EPSG:32632", dates=(None, None)):
    """Return the item of a made map."""
    legend = legend or legend_of()
    path = write_map(folder / "changes.tif", blobs(1, 60, 50, 17, block=6), legend, crs)
    with rasterio.open(path) as dataset:
        grid = Grid(dataset.crs, dataset.transform, dataset.width, dataset.height)
    provenance = provenance_of(legend, before_date=dates[0], after_date=dates[1])
    paths = OutputPaths.of(path, OutputOptions(also=("stac",)))
    return make_item(paths, grid, provenance, change_table(path), MADE)


@pytest.fixture(scope="module")
def written(tmp_path_factory, tiny_checkpoint):
    """Run predict with everything beside the map; return the item as a reader finds it, and the folder."""
    folder = tmp_path_factory.mktemp("run")
    days = ("2019:06:15 10:30:00", "2023:09:02 10:45:00")
    images = [
        write_raster(folder / f"{n}.tif", noise(n, 80, 120), tags={"ACQUISITIONDATETIME": day})
        for n, day in enumerate(days)
    ]
    (folder / "deep").mkdir()
    polygons = (folder / "deep" / "polygons.gpkg", folder / "changes.geojson")
    also = ("from", "to", "before", "after", "probability", "quicklook", "stac")
    options = PredictOptions(tiny_checkpoint, output=OutputOptions(polygons, also))
    report = predict_change(*images, folder / "changes.tif", options)
    return pystac.Item.from_file(folder / "changes.stac.json"), folder, report


def test_the_item_is_valid_and_names_files_that_exist(written):
    item, folder, report = written
    validate(item)
    assert report.outputs["stac"] == str(folder / "changes.stac.json")
    content = json.loads((folder / "changes.stac.json").read_text(encoding="utf-8"))
    hrefs = {asset["href"] for asset in content["assets"].values()}
    assert all(not Path(href).is_absolute() and (folder / href).exists() for href in hrefs)
    held = {(folder / href).resolve() for href in hrefs}
    written_files = {path for path in folder.rglob("*") if path.is_file()}
    left = {path.name for path in written_files - held}
    assert left == {"0.tif", "1.tif", "changes.stac.json"}


def test_its_time_runs_from_the_first_date_to_the_second(written):
    item = written[0]
    assert item.datetime is None
    assert item.common_metadata.start_datetime == datetime(2019, 6, 15, tzinfo=UTC)
    assert item.common_metadata.end_datetime == datetime(2023, 9, 2, tzinfo=UTC)


def test_its_assets_have_roles_and_media_types(written):
    assets = written[0].assets
    kinds = {name: (asset.media_type, asset.roles) for name, asset in assets.items()}
    for layer in ("map", "from", "to", "before", "after", "probability"):
        assert kinds[layer] == (pystac.MediaType.COG, ["data"])
        assert kinds[f"{layer}_style"] == (pystac.MediaType.XML, ["style"])
    assert kinds["polygons_gpkg"] == (pystac.MediaType.GEOPACKAGE, ["data"])
    assert kinds["polygons_geojson"] == (pystac.MediaType.GEOJSON, ["data"])
    assert kinds["quicklook"] == (pystac.MediaType.PNG, ["overview"])


def test_its_classes_are_those_of_the_map_with_their_counts(written):
    item, folder, _ = written
    with rasterio.open(folder / "changes.tif") as dataset:
        codes, palette = dataset.read(1), dataset.colormap(1)
    classes = ClassificationExtension.ext(item.assets["map"]).classes
    assert [c.value for c in classes] == list(range(17))
    assert (classes[2].name, classes[2].title) == ("water-to-ground", "water to ground")
    for c in classes:
        assert c.count == (codes == c.value).sum()
        assert c.percentage == pytest.approx(100 * (codes == c.value).mean(), abs=1e-5)
        assert tuple(bytes.fromhex(c.color_hint)) == palette[c.value][:3]
    land_cover = ClassificationExtension.ext(item.assets["before"]).classes
    assert [c.title for c in land_cover] == ["unchanged", "water", "ground", "vegetation", "building"]


def test_its_grid_and_bands_are_those_of_the_files(written):
    item, folder, _ = written
    projection = ProjectionExtension.ext(item)
    with rasterio.open(folder / "changes.tif") as dataset:
        assert projection.code == "EPSG:32632"
        assert projection.shape == list(dataset.shape)
        assert projection.transform == list(dataset.transform[:6])
        assert projection.bbox == list(dataset.bounds)
        expected = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds, densify_pts=50)
    np.testing.assert_allclose(item.bbox, expected, atol=2e-6)
    assert shape(item.geometry).bounds == tuple(item.bbox)
    for layer in ("map", "from", "probability"):
        asset = item.assets[layer]
        (band,) = RasterExtension.ext(asset).bands
        with rasterio.open(asset.get_absolute_href()) as dataset:
            assert (band.nodata, band.data_type) == (dataset.nodata, dataset.dtypes[0])
            assert band.unit == (dataset.units[0] or None)
        assert band.statistics.valid_percent == 100
        assert band.spatial_resolution == pytest.approx(0.5, rel=1e-3)


def test_the_item_of_a_part_of_a_scene_has_the_place_of_that_part(pair, tmp_path, tiny_checkpoint):
    with rasterio.open(pair[0]) as dataset:
        west, _, _, north = dataset.bounds
    grid = GridOptions(bounds=(west + 20, north - 30, west + 35, north - 20))
    output = OutputOptions(also=("stac",))
    predict_change(*pair, tmp_path / "c.tif", PredictOptions(tiny_checkpoint, grid=grid, output=output))
    told = json.loads((tmp_path / "c.stac.json").read_text())["properties"]
    with rasterio.open(tmp_path / "c.tif") as dataset:
        assert told["proj:shape"] == list(dataset.shape) == [20, 30]
        assert told["proj:transform"][:6] == list(dataset.transform)[:6]


@pytest.mark.parametrize(("before", "after", "expected"), [
    (None, date(2023, 9, 2), datetime(2023, 9, 2, tzinfo=UTC)),
    (date(2019, 6, 15), None, datetime(2019, 6, 15, tzinfo=UTC)),
    (None, None, MADE),
])  # fmt: skip
def test_with_one_date_or_none_its_time_is_one_moment(tmp_path, before, after, expected):
    item = item_of(tmp_path, dates=(before, after))
    validate(item)
    assert item.datetime == expected


def test_dates_in_the_wrong_order_still_make_a_span(tmp_path):
    item = item_of(tmp_path, dates=(date(2023, 1, 1), date(2020, 1, 1)))
    validate(item)
    assert item.properties["start_datetime"] < item.properties["end_datetime"]


def test_without_a_crs_the_item_has_no_place(tmp_path):
    item = item_of(tmp_path, crs=None)
    validate(item)
    assert (item.geometry, item.bbox, ProjectionExtension.ext(item).code) == (None, None, None)


def test_names_for_machines_are_plain_and_titles_keep_every_letter(tmp_path):
    item = item_of(tmp_path, legend_of(names=("Wasser", "offener Boden", "Grünfläche", "建物")))
    validate(item)
    classes = ClassificationExtension.ext(item.assets["map"]).classes
    assert all(re.fullmatch(r"[0-9A-Za-z_-]+", c.name) for c in classes)
    assert len({c.name for c in classes}) == len(classes)
    assert classes[12].title == "Grünfläche to 建物"
    assert class_name("Wasser to offener Boden", 2) == "wasser-to-offener-boden"


def test_a_custom_crs_is_written_in_full(tmp_path):
    custom = "+proj=laea +lat_0=12 +lon_0=34 +datum=WGS84 +units=m"
    projection = ProjectionExtension.ext(item_of(tmp_path, crs=CRS.from_proj4(custom).to_wkt()))
    assert projection.code is None
    assert "Lambert Azimuthal Equal Area" in projection.wkt2


def test_a_footprint_across_the_antimeridian_is_cut_there():
    grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, 10), 100, 50)
    footprint = footprint_of(grid)
    assert footprint.bbox == [179.5, 9.5, -179.5, 10.0]
    parts = shape(footprint.geometry)
    assert parts.equals(box(179.5, 9.5, 180, 10) | box(-180, 9.5, -179.5, 10))
    utm = footprint_of(Grid(CRS.from_epsg(32601), Affine(100, 0, 100_000, 0, -100, 7_000_000), 9000, 900))
    assert utm.bbox[0] > 170
    assert -170 < utm.bbox[2] < -160
