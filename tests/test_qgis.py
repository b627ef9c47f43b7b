"""Outputs open in QGIS styled, with nothing to set by hand: a real QGIS loads them as if they were dropped on it.

`make test-qgis` runs these tests and fails where Debian's QGIS (packages qgis and python3-qgis) is missing.
"""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import rasterio
import shapely

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.accuracy.sample import sample_map
from lsafnet_cli.legend.classes import hex_color
from lsafnet_cli.maps.summarize import summarize_map
from lsafnet_cli.maps.table import change_table, read_legend
from lsafnet_cli.maps.zone_file import write_zone_file
from lsafnet_cli.maps.zones import ZoneRequest
from lsafnet_cli.options import OutputOptions, PolygonOptions
from lsafnet_cli.polygons.vectorization import vectorize_changes

from .conftest import write_raster
from .maps import blobs, large_legend, legend_of, write_map, write_zones
from .qgis_run import qgis_home, qgis_python

LOOK = Path(__file__).parent / "qgis" / "look.py"
CLASS_LAYERS = ("from", "to", "before", "after")
POLYGON_ENDINGS = ("gpkg", "geojson", "fgb", "shp")


@pytest.fixture(scope="module")
def qgis(tmp_path_factory):
    """Return a function that loads layers in QGIS and tells how each looks, by its file's name."""
    folder = qgis_home(tmp_path_factory)

    def look(*layers, **options):
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        told = qgis_python(folder, LOOK, *layers, *words)
        assert told.returncode == 0, told.stderr
        return {Path(name).name: seen for name, seen in json.loads(told.stdout).items()}

    return look


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_checkpoint):
    """Predict a pair with everything beside the map; return the map and its legend."""
    from .conftest import noise

    folder = tmp_path_factory.mktemp("run")
    pair = [write_raster(folder / f"{number}.tif", noise(number, 150, 203)) for number in (1, 2)]
    polygons = tuple(folder / f"changes.{ending}" for ending in POLYGON_ENDINGS)
    output = OutputOptions(polygons, (*CLASS_LAYERS, "probability"))
    path = folder / "changes.tif"
    predict_change(*pair, path, PredictOptions(tiny_checkpoint, output=output))
    with rasterio.open(path) as dataset:
        return path, read_legend(path, dataset.tags())


def entries_of(seen):
    return [(int(e["value"]), e["label"], e["color"], e["alpha"]) for e in seen["entries"]]


def test_the_map_opens_with_every_transition_named_and_coloured(qgis, run):
    path, legend = run
    seen = qgis(path)["changes.tif"]
    assert (seen["renderer"], seen["crs"], seen["size"]) == ("paletted", "EPSG:32632", [203, 150])
    assert entries_of(seen) == [
        (0, "unchanged", "#ffffff", 0),
        *((t.code, t.name, hex_color(t.color), 255) for t in legend.transitions),
    ]


def test_layers_of_classes_open_with_every_class_named_and_coloured(qgis, run):
    path, legend = run
    seen = qgis(*(path.with_name(f"changes.{layer}.tif") for layer in CLASS_LAYERS))
    assert len(seen) == 4
    for look in seen.values():
        assert look["renderer"] == "paletted"
        assert entries_of(look) == [
            (number, name, hex_color(color), 255 if number else 0)
            for number, (name, color) in enumerate(zip(legend.names, legend.colors, strict=True))
        ]


def test_probability_opens_as_a_ramp_from_nothing_to_certain(qgis, run):
    seen = qgis(run[0].with_name("changes.probability.tif"))["changes.probability.tif"]
    assert seen["renderer"] == "singlebandpseudocolor"
    entries = entries_of(seen)
    assert [(value, label) for value, label, *_ in entries] == [(v, f"{v} %") for v in (0, 25, 50, 75, 100)]
    assert [alpha for *_, alpha in entries] == [0, 255, 255, 255, 255]


@pytest.mark.parametrize("count", [15, 16, 40])
def test_maps_of_many_classes_open_with_every_name_in_any_script(qgis, tmp_path, count):
    legend = large_legend(count)
    codes = blobs(4, 60, 60, legend.code_count, block=3)
    seen = qgis(write_map(tmp_path / "changes.tif", codes, legend))["changes.tif"]
    assert seen["renderer"] == "paletted"
    assert [(value, label) for value, label, *_ in entries_of(seen)] == list(legend.labels.items())


@pytest.mark.parametrize("ending", POLYGON_ENDINGS)
def test_polygons_open_with_every_transition_named_and_coloured(qgis, run, ending):
    path, legend = run
    with rasterio.open(path) as dataset:
        table = change_table(path, read_legend(path, dataset.tags()))
    seen = qgis(path.with_suffix(f".{ending}"))[f"changes.{ending}"]
    assert seen["renderer"] == "categorizedSymbol"
    assert seen["crs"] == ("EPSG:4326" if ending == "geojson" else "EPSG:32632")
    assert seen["attribute"] == "transition"
    assert [(e["value"], e["label"], e["color"]) for e in seen["entries"]] == [
        (t.name, t.name, hex_color(t.color)) for t in legend.transitions
    ]
    assert seen["count"] >= len(table.transitions) > 0


def test_drawn_polygons_cover_the_map_in_its_own_colours(qgis, run, tmp_path):
    path, _ = run
    both = []
    for layer in (path, path.with_suffix(".gpkg")):
        picture = tmp_path / f"{layer.suffix[1:]}.png"
        qgis(layer, path.with_name("1.tif"), picture=picture, width=812)  # both over one image
        with PIL.Image.open(picture) as drawn:
            both.append(np.asarray(drawn.convert("RGB")).astype(int))
    alike = (np.abs(both[0] - both[1]).max(axis=2) < 8).mean()
    with rasterio.open(path) as dataset:
        unchanged = (dataset.read(1) == 0).mean()
    assert unchanged < 0.6 < 0.8 < alike  # all but the polygons' outlines


def test_polygons_stand_out_even_from_an_image_of_their_own_colour(qgis, tmp_path):
    legend = legend_of()
    side, scale = 20, 4
    codes = np.zeros((side, side * len(legend.transitions)), np.uint8)
    colors = np.repeat([transition.color for transition in legend.transitions], side, axis=0)
    for number, transition in enumerate(legend.transitions):
        codes[6:-6, side * number + 6 : side * (number + 1) - 6] = transition.code
    path = write_map(tmp_path / "changes.tif", codes, legend)
    vectorize_changes(path, [tmp_path / "changes.gpkg"])
    image = np.repeat(colors.T[:, None].astype(np.uint8), side, axis=1)
    picture = tmp_path / "picture.png"
    write_raster(tmp_path / "image.tif", image)
    qgis(tmp_path / "changes.gpkg", tmp_path / "image.tif", picture=picture, width=scale * codes.shape[1])
    with PIL.Image.open(picture) as drawn:
        stripes = np.split(luminance(np.asarray(drawn.convert("RGB"))), len(legend.transitions), axis=1)
    for transition, stripe in zip(legend.transitions, stripes, strict=True):
        own = luminance(np.array(transition.color, np.uint8))
        contrast = np.maximum(stripe + 0.05, own + 0.05) / np.minimum(stripe + 0.05, own + 0.05)
        assert contrast.max() > 3, transition.name  # as WCAG 2.1 wants of graphics


def luminance(colors):
    """Return the relative luminance, 0 to 1, of (..., 3) sRGB bytes."""
    parts = colors / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def test_a_drawn_map_has_the_colours_of_its_legend_and_shows_nothing_elsewhere(qgis, run, tmp_path):
    path, legend = run
    qgis(path, picture=tmp_path / "map.png", width=203)
    with PIL.Image.open(tmp_path / "map.png") as picture:
        drawn = np.asarray(picture.convert("RGB"))
    with rasterio.open(path) as dataset:
        codes = dataset.read(1)
    table = np.full((256, 3), 255, "uint8")
    for code, color in legend.palette.items():
        table[code] = color
    assert len(np.unique(codes)) > 3
    np.testing.assert_array_equal(drawn, table[codes])


def test_a_sample_opens_with_a_form_of_drop_downs_and_hides_what_the_map_says(qgis, run, tmp_path):
    path, legend = run
    sample_map(path, tmp_path / "points.gpkg")
    seen = qgis(tmp_path / "points.gpkg")["points.gpkg"]
    form = seen["form"]
    for field, alias in (("reference_from", "class before"), ("reference_to", "class after")):
        assert (form[field]["widget"], form[field]["alias"]) == ("ValueMap", alias)
        assert form[field]["choices"] == list(legend.names[1:])
        assert form[field]["editable"]
    assert all(form[field]["widget"] == "Hidden" for field in ("fid", "stratum", "stratum_px", "stratum_ha"))
    assert not form["id"]["editable"]
    assert [entry["value"] for entry in seen["entries"]] == ["to do", "done"]
    assert seen["crs"] == "EPSG:32632"
    assert seen["count"] > 0


def test_zones_open_shaded_by_the_share_that_changed(qgis, run, tmp_path):
    path, _ = run
    with rasterio.open(path) as dataset:
        left, bottom, right, top = dataset.bounds
    middle = (left + right) / 2
    shapes = [shapely.box(left, bottom, middle, top), shapely.box(middle, bottom, right, top)]
    request = ZoneRequest(write_zones(tmp_path / "districts.gpkg", shapes, name=["west", "east"]))
    write_zone_file(summarize_map(path, request), request, tmp_path / "zones.gpkg")
    seen = qgis(tmp_path / "zones.gpkg")["zones.gpkg"]
    assert (seen["renderer"], seen["count"], seen["crs"]) == ("graduatedSymbol", 2, "EPSG:32632")
    assert {"zone", "valid", "changed_percent", "gain_water", "net_building"} <= set(seen["fields"])


def test_polygons_to_look_at_open_with_a_form_for_the_verdict(qgis, run, tmp_path):
    path, legend = run
    vectorize_changes(path, [tmp_path / "review.gpkg"], PolygonOptions(review_form=True))
    seen = qgis(tmp_path / "review.gpkg")["review.gpkg"]
    assert seen["attribute"] == "transition"
    assert seen["form"]["status"]["choices"] == ["open", "accepted", "rejected", "corrected"]
    assert seen["form"]["corrected_to"]["choices"] == list(legend.labels.values())
    assert not seen["form"]["transition"]["editable"]
