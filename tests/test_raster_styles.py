"""Rasters open styled, are valid, and GDAL's programs agree on what they hold."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.files.publishing import publish
from lsafnet_cli.legend.classes import transition_codes
from lsafnet_cli.maps.table import change_table
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions, PredictOptions, ReadOptions
from lsafnet_cli.prediction.compute import compute_parts
from lsafnet_cli.prediction.deliver import write_outputs
from lsafnet_cli.prediction.plan import prepare_run
from lsafnet_cli.prediction.write import PartStore
from lsafnet_cli.scenes.read import read_pair

from .conftest import reading_checkpoint, write_raster
from .maps import CORINE, blobs, from_to_classes, large_legend, legend_of, output_of, write_map

LAYERS = ("from", "to", "before", "after")
SIDE = 1100  # pixels: more than two blocks, so that there are overviews


def described(path):
    """Return what gdalinfo says of a raster with one band: all of it, and the band."""
    found = json.loads(output_of("gdalinfo", "-json", path))
    return found, found["bands"][0]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a map and all of its layers, with their pixels."""
    legend = legend_of(names=("Wasser", "offener Böden", "Grünfläche", "建物"))
    codes = blobs(1, SIDE, SIDE, legend.code_count)
    codes[:130, :300] = legend.nodata
    valid = codes != legend.nodata
    before, after = from_to_classes(np.where(valid, codes, 0).astype("uint16"), legend.class_count)
    layers = {name: np.where(valid, pixels, 255).astype("uint8") for name, pixels in
              zip(LAYERS, (before, after, before + (before == 0), after + (after == 0)), strict=True)}  # fmt: skip
    layers["probability"] = np.where(valid, 80, 255).astype("uint8")
    path = write_map(tmp_path_factory.mktemp("map") / "changes.tif", codes, legend, **layers)
    return path, legend, codes, layers


@pytest.mark.parametrize("layer", ["", ".from", ".to", ".before", ".after", ".probability"])
def test_every_raster_is_a_valid_cloud_optimised_geotiff(written, layer):
    path = written[0].with_name(f"changes{layer}.tif")
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])
    assert path.with_suffix(".qml").exists()


@pytest.mark.parametrize("count", [15, 16, 40])
def test_maps_of_many_classes_keep_palette_names_and_validity(tmp_path, count):
    legend = large_legend(count)
    codes = blobs(2, SIDE, SIDE, legend.code_count, block=7)
    codes[-200:, -200:] = legend.nodata
    path = write_map(tmp_path / "changes.tif", codes, legend)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    found, band = described(path)
    assert band["type"] == ("Byte" if count == 15 else "UInt16")
    assert (band["noDataValue"], band["colorInterpretation"]) == (legend.nodata, "Palette")
    assert len(found["rat"]["row"]) == legend.code_count
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), codes)
        palette = dataset.colormap(1)
    last = legend.transitions[-1]
    assert palette[last.code][:3] == last.color
    assert f"{last.code}: Größe {count} 水 to Größe {count} 水" in output_of("gdalinfo", path)


def test_gdal_sees_the_names_colours_place_and_nodata_of_a_map(written):
    path, legend, _, _ = written
    found, band = described(path)
    assert 'ID["EPSG",32632]]' in found["coordinateSystem"]["wkt"]
    assert found["geoTransform"] == [600000, 0.5, 0, 5335000, 0, -0.5]
    assert (band["noDataValue"], band["description"]) == (255, "transition")
    rows = [row["f"] for row in found["rat"]["row"]]
    assert rows[0] == [0, "unchanged", "", "", 255, 255, 255]
    assert rows[1:] == [
        [t.code, t.name, legend.names[t.from_class], legend.names[t.to_class], *t.color]
        for t in legend.transitions
    ]
    plain = output_of("gdalinfo", path)
    assert all(f" {t.code}: {t.name}\n" in plain for t in legend.transitions)
    assert "12: Grünfläche to 建物" in plain


@pytest.mark.parametrize("layer", LAYERS)
def test_gdal_sees_the_names_and_colours_of_class_layers(written, layer):
    path, legend, _, _ = written
    found, band = described(path.with_name(f"changes.{layer}.tif"))
    assert (band["noDataValue"], band["colorInterpretation"]) == (255, "Palette")
    rows = [row["f"] for row in found["rat"]["row"]]
    assert [(row[0], row[1], tuple(row[4:])) for row in rows] == list(
        zip(range(5), legend.names, legend.colors, strict=True)
    )


def test_probability_has_its_unit_and_no_palette(written):
    _, band = described(written[0].with_name("changes.probability.tif"))
    assert (band["unit"], band["colorInterpretation"], band["noDataValue"]) == ("%", "Gray", 255)


def test_gdal_counts_what_the_report_counts(written):
    path, legend, codes, _ = written
    table = change_table(path)
    _, band = described(path)
    hist = json.loads(output_of("gdalinfo", "-json", "-hist", "--config", "GDAL_PAM_ENABLED", "NO", path))
    buckets = hist["bands"][0]["histogram"]["buckets"]
    counted = dict(enumerate(buckets)) if len(buckets) == 256 else {}
    assert {row.code: row.pixels for row in table.transitions} == {
        t.code: counted[t.code] for t in legend.transitions if counted[t.code]
    }
    assert band["noDataValue"] == 255
    assert table.nodata_pixels == (codes == 255).sum() == codes.size - sum(buckets)


def overview(path, level=0):
    with rasterio.open(path, overview_level=level) as dataset:
        return dataset.read(1)


def test_overviews_of_classes_hold_the_commonest_code_and_nothing_made_up(tmp_path):
    legend = legend_of(CORINE)
    codes = blobs(3, SIDE, SIDE, 20, block=4) * 11  # 4x4 squares: each overview pixel has one code
    codes[::4, ::4] = 7  # one pixel of sixteen, never the commonest
    codes[:100, :100] = legend.nodata
    path = write_map(tmp_path / "changes.tif", codes, legend)
    found = overview(path)
    assert found.shape == (SIDE // 2, SIDE // 2)
    np.testing.assert_array_equal(found, codes[1::2, 1::2])


def test_overviews_of_probability_are_means_of_pixels_with_data(tmp_path):
    legend = legend_of()
    percent = np.full((SIDE, SIDE), 80, "uint8")
    percent[:, 1::4] = 40
    percent[::2, ::3] = 255  # scattered holes
    percent[300:600, 300:600] = 255
    codes = np.where(percent == 255, legend.nodata, 1)
    write_map(tmp_path / "changes.tif", codes, legend, probability=percent)
    found = overview(tmp_path / "changes.probability.tif").astype(int)
    cells = percent.reshape(SIDE // 2, 2, SIDE // 2, 2).transpose(0, 2, 1, 3).reshape(SIDE // 2, SIDE // 2, 4)
    held = np.ma.masked_equal(cells, 255)
    empty = held.mask.all(axis=2)
    np.testing.assert_array_equal(found == 255, empty)
    expected = held.mean(axis=2)
    assert np.abs(found - expected)[~empty].max() <= 0.51
    assert found[~empty].max() <= 80


def test_qgis_styles_hold_every_category_with_unchanged_see_through(written):
    path, legend, _, _ = written
    entries = ET.parse(path.with_suffix(".qml")).getroot().findall(".//paletteEntry")
    assert [(int(e.get("value", "")), e.get("label"), e.get("alpha")) for e in entries] == [
        (0, "unchanged", "0"),
        *((t.code, t.name, "255") for t in legend.transitions),
    ]


def test_a_network_of_twenty_classes_ends_in_a_uint16_map_with_all_its_outputs(tmp_path):
    rows, cols, classes = 96, 130, 20
    before = np.broadcast_to(np.arange(cols) // 8 % classes + 1, (1, rows, cols)).astype("uint8")
    after = np.broadcast_to((np.arange(rows) // 5 % classes + 1)[:, None], (1, rows, cols)).astype("uint8")
    images = [write_raster(tmp_path / f"{n}.tif", image) for n, image in enumerate((before, after))]
    paths = OutputPaths.of(
        tmp_path / "changes.tif",
        OutputOptions((tmp_path / "changes.gpkg",), ("from", "to", "probability", "quicklook", "stac")),
    )
    output = OutputOptions(paths.polygons, ("from", "to", "probability"))
    options = PredictOptions(output=output, same_class="keep")
    checkpoint = reading_checkpoint(classes + 1)
    run = prepare_run(read_pair(*images, ReadOptions(), 1), checkpoint, options, Observer())
    store = PartStore(paths.map)
    store.create()
    compute_parts(run, store, Observer())
    made = write_outputs(run, store, paths)
    publish(store, [*paths.polygons, *made.finished])
    assert [path for _, path in paths.named() if not path.exists()] == []
    with rasterio.open(paths.map) as dataset:
        codes = dataset.read(1)
        assert (dataset.nodata, codes.dtype) == (65535, np.dtype("uint16"))
    np.testing.assert_array_equal(codes, transition_codes(before[0].astype(int), after[0], True, classes))
    assert {row.code: row.pixels for row in made.table.transitions} == dict(
        zip(*(values.tolist() for values in np.unique(codes, return_counts=True)), strict=True)
    )
    assert made.polygon_count >= len(made.table.transitions)
    with rasterio.open(paths.layers["to"]) as dataset:
        np.testing.assert_array_equal(dataset.read(1), after[0])
