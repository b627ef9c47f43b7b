"""The whole job: two images in, files out."""

import json
import shutil
import sqlite3
import subprocess
import threading

import fiona
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.features import rasterize

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.rasters import rasterio_open
from lsafnet_cli.legend.classes import Legend, transition_codes
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, OutputOptions, PolygonOptions, ReadOptions, TileOptions
from lsafnet_cli.prediction import infer
from lsafnet_cli.prediction.compute import compute_parts
from lsafnet_cli.prediction.plan import prepare_run
from lsafnet_cli.prediction.write import MapWriter, PartStore
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, UTM, noise, reading_checkpoint, write_raster


def codes_of(pair, checkpoint, folder, **options):
    """Predict and return the codes of the map."""
    output = folder / f"map{len(list(folder.glob('map*.tif')))}.tif"
    predict_change(*pair, output, PredictOptions(checkpoint=checkpoint, **options))
    with rasterio.open(output) as dataset:
        return dataset.read(1)


def test_the_map_lies_where_the_before_image_lies(pair, tiny_checkpoint, tmp_path):
    report = predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    with rasterio.open(tmp_path / "changes.tif") as found, rasterio.open(pair[0]) as before:
        assert found.crs == before.crs
        assert found.transform == before.transform
        assert found.shape == before.shape == (report.height, report.width)
        assert (found.nodata, found.dtypes) == (255, ("uint8",))
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert found.block_shapes == [(512, 512)]
        codes = found.read(1)
    counted = {row.code: row.pixels for row in report.table.transitions}
    values, counts = np.unique(codes[codes > 0], return_counts=True)
    assert counted == dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert report.table.valid_pixels == codes.size


@pytest.mark.parametrize("fails_first", [False, True])
def test_the_network_is_prepared_in_a_thread_while_the_run_is_planned(
    pair, tiny_checkpoint, tmp_path, monkeypatch, fails_first
):
    """What fails there is tried again where it is needed, and a lasting failure is raised there."""
    threads, prepare = [], infer.prepare_network

    def watched(*arguments, **more):
        threads.append(threading.current_thread())
        if fails_first and len(threads) == 1:
            raise MemoryError
        return prepare(*arguments, **more)

    monkeypatch.setattr(infer, "prepare_network", watched)
    predict_change(*pair, tmp_path / "changes.tif", PredictOptions(tiny_checkpoint))
    assert threads[0] is not threading.main_thread()
    assert threads[1:] == [threading.main_thread()] * fails_first


@pytest.mark.parametrize("name", ["changes.mask.tif", "changes.sieved.tif"])
def test_polygons_do_not_write_over_a_map_of_any_name(pair, tiny_checkpoint, tmp_path, name):
    usual = codes_of(pair, tiny_checkpoint, tmp_path)
    options = PredictOptions(
        checkpoint=tiny_checkpoint,
        polygons=PolygonOptions(min_area_m2=1),
        output=OutputOptions((tmp_path / "changes.gpkg",)),
    )
    report = predict_change(*pair, tmp_path / name, options)
    with rasterio.open(tmp_path / name) as dataset:
        np.testing.assert_array_equal(dataset.read(1), usual)
    assert report.polygon_count
    assert list(report.seconds) == ["map", "write", "polygons"]


def test_the_map_does_not_depend_on_the_batch_size(pair, tiny_checkpoint, tmp_path):
    maps = [
        codes_of(pair, tiny_checkpoint, tmp_path, device=DeviceOptions(batch_size=size)) for size in (1, 2, 5)
    ]
    assert len(np.unique(maps[0])) > 1
    for other in maps[1:]:
        assert (other == maps[0]).mean() >= 0.9999


@pytest.mark.parametrize("rows", [1, 7, 64, 100, 4096])
def test_the_map_does_not_depend_on_the_height_of_a_row_band(pair, tiny_checkpoint, tmp_path, rows):
    usual = codes_of(pair, tiny_checkpoint, tmp_path)
    other = codes_of(pair, tiny_checkpoint, tmp_path, tile=TileOptions(row_band_px=rows))
    np.testing.assert_array_equal(other, usual)


@pytest.mark.parametrize(
    ("rows", "cols"), [(64, 64), (65, 65), (1, 1), (1, 150), (150, 3), (17, 200), (127, 129)]
)
@pytest.mark.parametrize("blend", ["taper", "crop"])
def test_coordinates_come_through_align_and_stitch_unmoved(tmp_path, rows, cols, blend):
    before = np.broadcast_to(np.arange(cols) % 15 + 1, (1, rows, cols)).astype("uint8")
    after = np.broadcast_to((np.arange(rows) % 15 + 1)[:, None], (1, rows, cols)).astype("uint8")
    images = [write_raster(tmp_path / f"{n}.tif", image) for n, image in enumerate((before, after))]
    options = PredictOptions(tile=TileOptions(blend=blend, row_band_px=40), same_class="keep")
    run = prepare_run(read_pair(*images, ReadOptions(), 1), reading_checkpoint(), options, Observer())
    store = PartStore(tmp_path / "changes.tif")
    store.create()
    compute_parts(run, store, Observer())
    mosaic = MapWriter(store, run.layout, run.provenance).mosaic(CODES)
    with rasterio.open(mosaic) as dataset:
        found = dataset.read(1)
    np.testing.assert_array_equal(found, transition_codes(before[0].astype(int), after[0], True, 15))


def test_a_pixel_without_data_in_either_date_is_nodata_and_all_others_get_an_answer(
    tiny_checkpoint, tmp_path
):
    holes = np.full((2, 150, 203), 255, "uint8")
    holes[0, :60, :90] = 0
    holes[1, 100:, 50:77] = 0
    images = [
        write_raster(tmp_path / f"{n}.tif", noise(n, 150, 203), mask=mask) for n, mask in enumerate(holes)
    ]
    also = OutputOptions(also=("probability", "before"))
    codes = codes_of(images, tiny_checkpoint, tmp_path, output=also)
    valid = holes.min(axis=0) > 0
    np.testing.assert_array_equal(codes != 255, valid)
    with rasterio.open(tmp_path / "map0.probability.tif") as probability:
        np.testing.assert_array_equal(probability.read(1) <= 100, valid)
    with rasterio.open(tmp_path / "map0.before.tif") as land_cover:
        values = land_cover.read(1)
    np.testing.assert_array_equal(values != 255, valid)
    assert set(np.unique(values[valid])) <= {1, 2, 3, 4}


@pytest.mark.parametrize("ending", ["gpkg", "geojson"])
def test_polygons_drawn_again_give_the_map(pair, tiny_checkpoint, tmp_path, ending):
    polygons = tmp_path / f"changes.{ending}"
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions((polygons,)))
    report = predict_change(*pair, tmp_path / "changes.tif", options)
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        codes, legend = dataset.read(1), Legend.from_json(dataset.tags()[LEGEND])
    code_of = {transition.name: transition.code for transition in legend.transitions}
    with fiona.open(polygons) as layer:
        features = list(layer)
        crs = layer.crs
    assert len(features) == report.polygon_count > 0
    if ending == "geojson":
        assert crs.to_epsg() == 4326
        features = list(reprojected(features))
    shapes = [(f["geometry"], code_of[f["properties"]["transition"]]) for f in features]
    drawn = rasterize(shapes, codes.shape, transform=PLACE, dtype="uint8")
    assert (drawn == codes).mean() == 1.0
    pixels = sum(f["properties"]["pixels"] for f in features)
    assert pixels == (codes > 0).sum()
    area = sum(f["properties"]["area_m2"] for f in features)
    assert area == pytest.approx(pixels * 0.25, rel=2e-3)
    assert all(0.5 <= f["properties"]["confidence"] <= 1 for f in features)


def reprojected(features):
    from fiona.transform import transform_geom

    for feature in features:
        yield {
            "geometry": transform_geom("EPSG:4326", UTM, feature["geometry"]),
            "properties": feature["properties"],
        }


def test_dates_and_scene_go_into_the_polygons(tiny_checkpoint, tmp_path):
    days = ("2019:06:15 10:30:00", "2023:09:02 10:45:00")
    images = [
        write_raster(tmp_path / f"{n}.tif", noise(n, 80, 80), tags={"ACQUISITIONDATETIME": day})
        for n, day in enumerate(days)
    ]
    output = OutputOptions((tmp_path / "changes.gpkg",))
    predict_change(*images, tmp_path / "town.tif", PredictOptions(checkpoint=tiny_checkpoint, output=output))
    with fiona.open(tmp_path / "changes.gpkg") as layer:
        first = next(iter(layer))["properties"]
    assert (first["before_date"], first["after_date"], first["scene"]) == ("2019-06-15", "2023-09-02", "town")
    with sqlite3.connect(tmp_path / "changes.gpkg") as base:
        index = "select count(*) from gpkg_extensions where extension_name='gpkg_rtree_index'"
        assert base.execute(index).fetchone() == (1,)


def test_two_images_without_georeference_are_compared_pixel_by_pixel(tiny_checkpoint, tmp_path):
    import PIL.Image

    names = [tmp_path / f"{n}.png" for n in range(2)]
    for number, name in enumerate(names):
        PIL.Image.fromarray(noise(number, 90, 70).transpose(1, 2, 0)).save(name)
    polygons = tmp_path / "changes.geojson"
    output = OutputOptions((polygons,), also=("quicklook",))
    options = PredictOptions(checkpoint=tiny_checkpoint, output=output)
    report = predict_change(*names, tmp_path / "changes.tif", options)
    assert any("not georeferenced" in notice for notice in report.notices)
    assert report.table.changed_ha is None
    described = json.loads(gdalinfo(tmp_path / "changes.tif"))
    assert described["size"] == [70, 90]
    assert "coordinateSystem" not in described
    assert described.get("geoTransform", [0, 1, 0, 0, 0, 1]) == [0, 1, 0, 0, 0, 1]
    with fiona.open(polygons) as layer:
        shapes = [(f["geometry"], 1) for f in layer]
        assert all(f["properties"]["area_m2"] is None for f in layer)
    with rasterio_open(tmp_path / "changes.tif") as dataset:
        changed = dataset.read(1) > 0
    np.testing.assert_array_equal(rasterize(shapes, (90, 70), transform=Affine.identity()) > 0, changed)


def gdalinfo(path) -> str:
    """Return what Debian's gdalinfo says, as JSON."""
    program = shutil.which("gdalinfo")
    if program is None:
        pytest.skip("gdalinfo is not installed (Debian: gdal-bin)")
    return subprocess.run([program, "-json", path], capture_output=True, text=True, check=True).stdout


def test_gdal_reads_the_categories_and_colours(pair, tiny_checkpoint, tmp_path):
    predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    described = json.loads(gdalinfo(tmp_path / "changes.tif"))
    band = described["bands"][0]
    assert band["colorInterpretation"] == "Palette"
    assert band["noDataValue"] == 255
    table = described["rat"]["row"]
    assert [row["f"][:4] for row in table[:3]] == [
        [0, "unchanged", "", ""],
        [1, "water to water", "water", "water"],
        [2, "water to ground", "water", "ground"],
    ]
    plain = subprocess.run(["gdalinfo", tmp_path / "changes.tif"], capture_output=True, text=True, check=True)
    assert " 16: building to building" in plain.stdout
    assert described["metadata"][""]["LSAFNET_BEFORE"] == str(pair[0])
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        assert dataset.colormap(1)[1][:3] == tuple(table[1]["f"][4:7])


def test_a_quicklook_is_one_picture_of_modest_size(pair, tiny_checkpoint, tmp_path):
    import PIL.Image

    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions(also=("quicklook",)))
    predict_change(*pair, tmp_path / "changes.tif", options)
    with PIL.Image.open(tmp_path / "changes.quicklook.png") as picture:
        assert picture.width > 3 * 500
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_nothing_but_the_outputs_is_left(pair, tiny_checkpoint, tmp_path):
    predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"before.tif", "after.tif", "changes.tif", "changes.tif.aux.xml", "changes.qml"}


def test_other_number_types_are_stretched_once_and_the_numbers_are_tagged(tiny_checkpoint, tmp_path):
    images = []
    for number in range(2):
        pixels = noise(number, 90, 120, bands=4).astype("uint16") * 40 + 300
        images.append(write_raster(tmp_path / f"{number}.tif", pixels))
    options = PredictOptions(checkpoint=tiny_checkpoint, read=ReadOptions(bands=(3, 2, 1)))
    report = predict_change(*images, tmp_path / "changes.tif", options)
    stretch = report.options["stretch"]["before"]
    with rasterio.open(images[0]) as dataset:
        expected = np.percentile(dataset.read(3), (2, 98))
    assert (stretch["low"][0], stretch["high"][0]) == pytest.approx(tuple(expected))
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        assert json.loads(dataset.tags()["LSAFNET_OPTIONS"])["stretch"]["before"] == json.loads(
            json.dumps(stretch)
        )
    assert sum("uint16 values are stretched" in notice for notice in report.notices) == 2
