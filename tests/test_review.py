"""`lsafnet review`: verdicts become a corrected map, counts, and labels that a training reads."""

import json
import sqlite3
from contextlib import closing

import fiona
import numpy as np
import pytest
import rasterio

from lsafnet_cli.errors import InputError, OutputError
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.options import PolygonOptions
from lsafnet_cli.polygons.vectorization import vectorize_changes
from lsafnet_cli.review.correct import review_map
from lsafnet_cli.review.labels import write_labels

from .change_maps import GROUND_TO_WATER, LAND, NODATA, WATER_TO_BUILDING, WATER_TO_GROUND, write_map
from .conftest import noise, write_raster
from .test_recipes import run

ROWS, COLS = 600, 300


@pytest.fixture
def made(tmp_path):
    """Return a map of four squares and the layer of its polygons."""
    codes = np.zeros((ROWS, COLS), np.uint8)
    codes[10:50, 10:50] = WATER_TO_GROUND
    codes[100:140, 100:140] = GROUND_TO_WATER
    codes[500:540, 20:60] = WATER_TO_BUILDING
    codes[490:540, 200:290] = WATER_TO_GROUND
    codes[:5] = NODATA
    tags = {
        "LSAFNET_VERSION": "0",
        "LSAFNET_BEFORE_DATE": "2015-06-01",
        "LSAFNET_DOMAIN": "outside: pixels of 30 m",
        "LSAFNET_RELIABILITY": '[{"name": "a.safetensors"}]',
    }
    path = write_map(tmp_path / "map.tif", codes, tags=tags)
    layer = tmp_path / "review.gpkg"
    vectorize_changes(path, [layer], PolygonOptions(review_form=True))
    return path, codes, layer


def judge(layer, *verdicts):
    with closing(sqlite3.connect(layer)) as base, base:
        for where, status, corrected_to in verdicts:
            base.create_function("ST_IsEmpty", 1, lambda _: 0)
            for name in ("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY"):
                base.create_function(name, 1, lambda _: 0.0)
            triggers = base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                base.execute(f'DROP TRIGGER IF EXISTS "{name}"')
            base.execute(
                f"UPDATE changes SET status = ?, corrected_to = ? WHERE {where}", (status, corrected_to)
            )


VERDICTS = (
    (f"transition = '{LAND.labels[GROUND_TO_WATER]}'", "rejected", None),
    (f"transition = '{LAND.labels[WATER_TO_BUILDING]}'", "corrected", "water to ground"),
    (f"transition = '{LAND.labels[WATER_TO_GROUND]}' AND pixels = 1600", "accepted", None),
)


def test_polygons_to_look_at_are_open(made):
    _, _, layer = made
    with fiona.open(layer, layer="changes") as source:
        assert [row["properties"]["status"] for row in source] == ["open"] * 4


def test_rejected_polygons_are_unchanged_and_corrected_ones_have_what_they_were_given(made, tmp_path):
    path, codes, layer = made
    judge(layer, *VERDICTS)
    report = review_map(path, layer, tmp_path / "map2.tif")
    expected = codes.copy()
    expected[codes == GROUND_TO_WATER] = 0
    expected[codes == WATER_TO_BUILDING] = WATER_TO_GROUND
    with rasterio.open(tmp_path / "map2.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), expected)
        tags = dataset.tags()
    assert tags[LEGEND] == LAND.to_json()
    assert tags["LSAFNET_BEFORE_DATE"] == "2015-06-01"
    assert tags["LSAFNET_DOMAIN"] == "outside: pixels of 30 m"
    assert tags["LSAFNET_RELIABILITY"] == '[{"name": "a.safetensors"}]'
    assert json.loads(tags["LSAFNET_OPTIONS"])["reviewed_map"] == str(path)
    assert (report.reviewed, report.still_open, report.changed_pixels) == (3, 1, 3200)
    assert {row.name: row.accepted_share for row in report.transitions} == {
        "water to ground": 1, "ground to water": 0, "water to building": 0,
    }  # fmt: skip


def test_what_was_reviewed_becomes_labels_that_a_training_reads(made, tmp_path, capsys):
    path, _, layer = made
    judge(layer, *VERDICTS)
    images = tuple(str(write_raster(tmp_path / f"{n}.tif", noise(n, ROWS, COLS))) for n in (1, 2))
    report = write_labels(review_map(path, layer, tmp_path / "map2.tif"), tmp_path / "labels", images)
    names = [f.name for f in (tmp_path / "labels" / "train" / "label").iterdir()]
    assert len(names) == report.label_tiles == 3  # one square lies in two tiles
    known = {}
    for name in names:
        with rasterio.open(tmp_path / "labels" / "train" / "label" / name) as dataset:
            values, counts = np.unique(dataset.read(1), return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            known[value] = known.get(value, 0) + count
        with rasterio.open(tmp_path / "labels" / "train" / "before" / name) as dataset:
            top, left = int(name[1:7]), int(name[8:14])
            with rasterio.open(images[0]) as whole:
                window = ((top, top + dataset.height), (left, left + dataset.width))
                np.testing.assert_array_equal(dataset.read(), whole.read(window=window))
    del known[NODATA]
    assert known == {0: 1600, WATER_TO_GROUND: 3200}
    assert run(f"lsafnet dataset check {tmp_path / 'labels'} --json") == 0
    assert json.loads(capsys.readouterr().out)["layout"] == "transitions"
    with pytest.raises(OutputError, match="is not empty"):
        write_labels(report, tmp_path / "labels", images)


def test_a_corrected_map_and_its_labels_are_written_both_or_neither(made, tmp_path, capsys):
    path, _, layer = made
    judge(layer, *VERDICTS)
    first, second = (write_raster(tmp_path / f"{n}.tif", noise(n, ROWS, COLS)) for n in (1, 2))
    target, labels = tmp_path / "new.tif", tmp_path / "labels"
    words = f"lsafnet review {path} {layer} -o {target} --before {first} --after {second} --labels {labels}"
    labels.mkdir()
    (labels / "mine").touch()
    assert run(words) == 6
    assert "labels: is not empty" in capsys.readouterr().err
    assert not target.exists()
    (labels / "mine").unlink()
    target.write_text("mine")
    assert run(words) == 6
    assert list(labels.iterdir()) == []
    assert run(f"{words} --overwrite") == 0
    assert (labels / "classes.json").exists()
    with rasterio.open(target) as dataset:
        assert dataset.shape == (ROWS, COLS)
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    ("status", "corrected_to", "words"),
    [
        ("open", None, "no polygon is accepted, rejected, corrected"),
        ("fine", None, "write one of open, accepted"),
        ("corrected", "water to lava", "corrected_to is 'water to lava'; write one of unchanged"),
    ],
)
def test_verdicts_that_say_nothing_are_refused(made, tmp_path, status, corrected_to, words):
    path, _, layer = made
    judge(layer, ("pixels = 1600", status, corrected_to))
    with pytest.raises(InputError, match=words):
        review_map(path, layer, tmp_path / "map2.tif")
    assert not (tmp_path / "map2.tif").exists()


def test_any_polygons_with_a_status_serve(made, tmp_path):
    path, codes, _ = made
    schema = {"geometry": "Polygon", "properties": {"status": "str"}}
    left, top = 600000, 5335000
    ring = [(left, top), (left + 150, top), (left + 150, top - 30), (left, top - 30), (left, top)]
    with fiona.open(
        tmp_path / "mine.geojson", "w", driver="GeoJSON", crs="EPSG:32632", schema=schema
    ) as sink:
        geometry = {"type": "Polygon", "coordinates": [ring]}
        sink.write({"type": "Feature", "geometry": geometry, "properties": {"status": "Rejected"}})
    review_map(path, tmp_path / "mine.geojson", tmp_path / "map2.tif")
    expected = codes.copy()
    expected[5:60] = 0
    with rasterio.open(tmp_path / "map2.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), expected)
