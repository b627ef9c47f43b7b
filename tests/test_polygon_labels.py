"""Polygons as labels: drawn on an image's grid as it is read, and trained on as the tutorial says."""

import json
import re
import shlex
import shutil
from pathlib import Path

import fiona
import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform_geom
from rasterio.windows import Window

from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet_cli.app import main
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.data_sets.check import check_data_set
from lsafnet_cli.data_sets.description import UNKNOWN
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.errors import InputError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.observer import Observer

from .conftest import PLACE, UTM, write_raster
from .training_sets import CLASSES, image_of, label_of, write_classes

ROOT = Path(__file__).parents[1]
SIDE = 64


def box(left, top, right, bottom, transform=PLACE):
    """Return a rectangle of pixels as a geometry in the CRS of the grid."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return {"type": "Polygon", "coordinates": [[tuple(transform @ corner) for corner in corners]]}


def write_polygons(path, features, crs=UTM, kind="str"):
    schema = {"geometry": "Polygon", "properties": {"class": kind}}
    with fiona.open(path, "w", schema=schema, crs=crs) as file:
        for geometry, value in features:
            file.write({"type": "Feature", "geometry": geometry, "properties": {"class": value}})
    return path


FEATURES = [
    (box(0, 0, 20, 20), "water"),
    (box(10, 10, 30, 30), "building"),
    (box(40, 40, 50, 45), "ground"),
]


def expected():
    label = np.full((SIDE, SIDE), UNKNOWN, np.uint8)
    label[:20, :20], label[10:30, 10:30], label[40:45, 40:50] = 1, 4, 2
    return label


def singles_with(root, features=FEATURES, **more):
    (root / "images").mkdir(parents=True)
    write_raster(root / "images" / "town.tif", image_of(label_of(1, SIDE), 1))
    write_polygons(root / "labels.gpkg", features, **more)
    return root


def label_file(folder, usual=None):
    (item,) = open_data_set(folder, usual).items("all")
    return item.label, item.grid


def test_polygons_are_drawn_on_the_images_grid_the_last_one_on_top(tmp_path):
    folder = singles_with(tmp_path / "set")
    write_classes(folder)
    label, grid = label_file(folder)
    np.testing.assert_array_equal(label.read(grid), expected())
    np.testing.assert_array_equal(label.read(grid, Window(7, 5, 20, 31)), expected()[5:36, 7:27])
    np.testing.assert_array_equal(label.read(grid, Window(55, 55, 9, 9)), UNKNOWN)


def test_polygons_in_another_crs_and_grids_turned_around_get_the_same_pixels(tmp_path):
    other = [
        (transform_geom(CRS.from_string(UTM), CRS.from_epsg(4326), geometry, precision=12), name)
        for geometry, name in FEATURES
    ]
    folder = singles_with(tmp_path / "set", other, crs="EPSG:4326")
    write_classes(folder)
    label, grid = label_file(folder)
    np.testing.assert_array_equal(label.read(grid), expected())
    turned = Grid(grid.crs, PLACE @ Affine(-1, 0, SIDE, 0, -1, SIDE), SIDE, SIDE)
    np.testing.assert_array_equal(label.read(turned), expected()[::-1, ::-1])


def test_words_and_numbers_mean_what_the_description_says(tmp_path):
    words = ("no building", "water", None, "7")
    features = [(box(8 * place, 0, 8 * place + 8, 8), word) for place, word in enumerate(words)]
    folder = singles_with(tmp_path / "set", features)
    write_classes(folder, numbers={"no building": ["water", "ground", "vegetation"], "7": "building"})
    label, grid = label_file(folder)
    row = label.read(grid)[0]
    assert [row[index] for index in (0, 8, 16, 24, 40)] == [len(CLASSES), 1, UNKNOWN, 4, UNKNOWN]
    facts = check_data_set(open_data_set(folder), Observer()).as_dict()
    shares = facts["splits"]["all"]["class_shares"]["before"]
    assert shares["water or ground or vegetation"] == pytest.approx(1 / 3)


def test_numbers_in_the_column_are_class_numbers(tmp_path):
    folder = singles_with(tmp_path / "set", [(box(0, 0, 8, 8), 3), (box(8, 0, 16, 8), 0)], kind="int")
    write_classes(folder)
    label, grid = label_file(folder)
    assert label.read(grid)[0, [0, 8]].tolist() == [3, UNKNOWN]


@pytest.mark.parametrize(
    ("features", "column", "words"),
    [
        ([(box(0, 0, 8, 8), "town")], "class", "class 'town' is none of 0, 1, 2, 3, 4, water, ground"),
        ([(box(0, 0, 8, 8), "water")], "kind", "has no column 'class' (it has: kind)"),
        ([], "class", "contains no polygon with a class"),
    ],
)
def test_what_cannot_be_labels_is_one_line(tmp_path, features, column, words):
    folder = singles_with(tmp_path / "set")
    write_classes(folder)
    (folder / "labels.gpkg").unlink()
    schema = {"geometry": "Polygon", "properties": {column: "str"}}
    with fiona.open(folder / "labels.gpkg", "w", schema=schema, crs=UTM) as file:
        for geometry, value in features:
            file.write({"type": "Feature", "geometry": geometry, "properties": {column: value}})
    label, grid = label_file(folder)
    with pytest.raises(InputError) as caught:
        label.read(grid)
    assert words in str(caught.value)


def test_polygons_need_images_with_a_place(tmp_path):
    folder = singles_with(tmp_path / "set")
    write_classes(folder)
    label, _ = label_file(folder)
    with pytest.raises(InputError, match="not georeferenced"):
        label.read(Grid(None, Affine.identity(), SIDE, SIDE))


def test_two_dates_may_have_polygons_each(tmp_path):
    for date in ("before", "after"):
        (tmp_path / date).mkdir()
        write_raster(tmp_path / date / "town.tif", image_of(label_of(1, SIDE), 1))
    write_polygons(tmp_path / "label_before.gpkg", [(box(0, 0, 16, 16), "water")])
    write_polygons(
        tmp_path / "label_after.gpkg", [(box(0, 0, 8, 16), "building"), (box(8, 0, 20, 16), "water")]
    )
    write_classes(tmp_path)
    (pair,) = open_data_set(tmp_path).items("all")
    example = pair.read()
    assert example.valid.sum() == 16 * 16
    assert example.changed.sum() == 8 * 16


def tutorial_commands():
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    part = text[text.index("## Tutorial: ") :]
    part = part[: part.index("\n## ", 5)]
    return [line for block in re.findall(r"```sh\n(.*?)```", part, re.S) for line in block.splitlines()]


def test_the_tutorials_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    label = label_of(1, SIDE)
    for name, seed in (("before", 1), ("after", 2)):
        write_raster(tmp_path / f"{name}.tif", image_of(label, seed))
    (tmp_path / "town" / "images").mkdir(parents=True)
    shutil.copy(tmp_path / "after.tif", tmp_path / "town" / "images")
    squares = [box(col, row, col + 12, row + 12) for row in range(0, 60, 15) for col in range(0, 60, 12)]
    names = [CLASSES[1 + number % 4] for number in range(len(squares))]
    write_polygons(tmp_path / "town" / "labels.gpkg", list(zip(squares, names, strict=True)))
    small = {"--epochs": "1", "--crops-per-epoch": "2", "--crop": "64"}
    for line in tutorial_commands():
        words = shlex.split(line)[1:]
        words = [small.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        words += ["--batch-size", "2", "--workers", "0", "--json"] if words[0] == "train" else []
        with pytest.raises(SystemExit) as left:
            main(words)
        assert not left.value.code, line
        if words[0] == "train":
            report = json.loads(capsys.readouterr().out)
            assert 0 <= report["start"]["oa"] <= 1
    tuned, shipped = map(read_checkpoint_info, (Path("tuned/best.safetensors"), shipped_checkpoint()))
    for name in ("classes", "network", "options", "normalization"):
        assert getattr(tuned, name) == getattr(shipped, name)
    assert (tmp_path / "now.tif").exists()
