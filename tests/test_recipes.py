"""The recipes of the pages on what is done with a finished map, run as they stand there."""

import json
import re
import shlex
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
from safetensors.torch import load_file
from shapely.geometry import box, mapping

from lsafnet_cli.app import main

from .change_maps import random_codes
from .conftest import noise, write_raster
from .maps import ground, legend_of, write_map, write_zones
from .report_pages import data_of
from .test_docs import blocks, read

CLASSES = ("water", "ground", "vegetation", "building")


@pytest.fixture
def standing(tmp_path, monkeypatch):
    """Stand in a folder with a map under the names of the pages, and both its images."""
    codes = random_codes(128, 160, 16, seed=6, coarse=8).astype(np.uint8)
    write_map(tmp_path / "changes.tif", codes, legend_of(names=CLASSES))
    for number, date in enumerate(("before", "after"), start=1):
        write_raster(tmp_path / f"{date}.tif", noise(number, 128, 160))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(page):
    return [line for block in blocks(page, "sh") for line in block.replace("\\\n", "").splitlines()]


def run(line):
    """Run a line of a page, and return its exit code."""
    with pytest.raises(SystemExit) as left:
        main(shlex.split(line, comments=True)[1:])
    return left.value.code or 0


def label_all(path, **values):
    with fiona.open(path, layer="sample") as source:
        schema, crs, found = source.schema, source.crs_wkt, list(source)
    Path(path).unlink()
    with fiona.open(path, "w", driver="GPKG", layer="sample", schema=schema, crs_wkt=crs) as sink:
        for one in found:
            properties = dict(one["properties"]) | values
            sink.write({"type": "Feature", "geometry": one["geometry"], "properties": properties})


def test_the_recipe_of_accuracy_works(standing, capsys):
    sample, assess = lines("accuracy.md")
    assert run(sample) == 0
    label_all("points.gpkg", reference_from="water", reference_to="ground")
    capsys.readouterr()
    assert run(assess) == 0
    assert "adjusted" in capsys.readouterr().out
    assert len(list((standing / "points.chips").iterdir())) == 300


def test_the_scores_of_other_peoples_labels_are_printed(standing, capsys):
    rng = np.random.default_rng(1)
    shape = (1, 128, 160)
    kinds = {
        "mask.png": [0, 255], "label1.png": [1], "label2.png": [3, 5], "cover_2020.tif": [10, 80],
        "cover_2021.tif": [50, 60], "mine_2020.tif": [1], "mine_2021.tif": [2, 3], "worldcover_2021.tif": [50, 80],
    }  # fmt: skip
    for name, values in kinds.items():
        write_raster(standing / name, rng.choice(values, shape).astype(np.uint8))
    (standing / "classes.json").write_text('{"1": "water", "2": "building", "3": null}', encoding="utf-8")
    chosen = [line for line in lines("evaluation.md") if "--mapping" in line or "binary" in line]
    assert len(chosen) == 5
    for line in chosen:
        assert run(line) == 0, capsys.readouterr().err
        assert "mIoU" in capsys.readouterr().out


def test_the_series_of_pairs_of_one_folder_is_mapped(standing, tiny_checkpoint, monkeypatch):
    monkeypatch.setenv("LSAFNET_CHECKPOINT", str(tiny_checkpoint))
    (standing / "images").mkdir()
    for year in (2015, 2018, 2020):
        write_raster(standing / "images" / f"north_{year}.tif", noise(year, 64, 64))
    (line,) = (line for line in lines("scaling.md") if "--series" in line)
    assert run(f"{line} --devices cpu") == 0
    assert {path.name for path in (standing / "maps").glob("*.tif")} == {
        "north_2015_2018.tif", "north_2018_2020.tif",
    }  # fmt: skip


def test_the_recipes_of_masks_leave_ground_out(standing, tiny_checkpoint, monkeypatch):
    monkeypatch.setenv("LSAFNET_CHECKPOINT", str(tiny_checkpoint))
    write_zones(standing / "lakes.gpkg", [ground((0, 64), (0, 64))])
    for number, name in ((4, "landuse"), (1, "before_clouds"), (1, "after_clouds")):
        pixels = np.zeros((1, 128, 160), np.uint8)
        pixels[0, :64, :64] = number
        write_raster(standing / f"{name}.tif", pixels)
    chosen = [line for line in lines("inputs.md") if "--exclude" in line or "--cloud-mask" in line]
    assert len(chosen) == 3
    for line in chosen:
        assert run(f"{line} --overwrite -q") == 0
        with rasterio.open("changes.tif") as dataset:
            missing = dataset.read(1) == 255
        assert missing[:64, :64].all()
        assert missing.sum() == 64 * 64


def test_the_recipe_of_zones_writes_them_with_their_numbers(standing):
    write_zones(standing / "districts.gpkg", [ground((0, 64), (0, 64))], name=["Mitte"])
    (line,) = (line for line in lines("outputs.md") if "--zones" in line)
    assert run(line) == 0
    with fiona.open("zones.gpkg") as source:
        assert [row["properties"]["zone"] for row in source] == ["Mitte"]


def reject_first_of():
    """Follow the recipe of a review in QGIS, with one transition rejected everywhere."""
    first, second = lines("review.md")[:2]
    assert run(first) == 0
    with fiona.open("review.gpkg", layer="changes") as layer:
        row = dict(next(iter(layer))["properties"]) | {"status": "rejected"}
        whole = mapping(box(*layer.bounds))
    with fiona.open("review.gpkg", "a", layer="changes") as layer:
        layer.write({"type": "Feature", "geometry": whole, "properties": row})
    images = "--before before.tif --after after.tif"
    assert run(f"{second} {images}") == 0


def test_the_recipe_of_a_review_works(standing):
    reject_first_of()
    with rasterio.open("changes.tif") as old, rasterio.open("corrected.tif") as new:
        gone = (old.read(1) > 0) & (old.read(1) != 255) & (new.read(1) == 0)
    assert gone.any()
    assert (standing / "labels" / "classes.json").exists()


def test_the_recipe_of_learning_from_a_review_works(standing, tiny_checkpoint, monkeypatch):
    monkeypatch.setenv("LSAFNET_CHECKPOINT", str(tiny_checkpoint))
    reject_first_of()
    train, predict = lines("review.md")[4:6]
    quick = "--epochs 1 --batch-size 2 --workers 0 --device cpu --quiet"
    assert run(f"{train} {quick}") == 0
    before, after = (load_file(path) for path in (tiny_checkpoint, standing / "tuned" / "last.safetensors"))
    assert before.keys() == after.keys()
    assert any((before[name] != after[name]).any() for name in before if name.endswith("weight"))
    assert run(f"{predict} --device cpu --quiet") == 0
    with rasterio.open("again.tif") as dataset:
        assert dataset.shape == (128, 160)
        assert dataset.tags()["LSAFNET_CHECKPOINT"].endswith("best.safetensors")


def test_the_recipe_of_a_review_on_the_report_page_works(standing):
    page, second = lines("review.md")[2:4]
    assert run(page) == 0
    data = data_of(standing / "report.html")
    cards = data["cards"]["largest"]
    assert len(cards) == 50
    names = {one["code"]: one["name"].split(" to ") for one in data["transitions"]}
    entries = [
        {"id": card["id"], "from": names[card["code"]][0], "to": names[card["code"]][1], "status": "rejected"}
        for card in cards
    ]
    told = {"format": "lsafnet verdicts 1", "map": data["map"], "verdicts": entries}
    (standing / "verdicts.json").write_text(json.dumps(told), encoding="utf-8")
    assert run(f"{second} --before before.tif --after after.tif") == 0
    with rasterio.open("changes.tif") as old, rasterio.open("corrected.tif") as new:
        gone = (old.read(1) != new.read(1)) & (new.read(1) == 0)
    for card in cards:
        assert gone.flat[card["id"]]
    assert (standing / "labels" / "classes.json").exists()


def test_the_recipe_of_a_series_works(standing, tiny_checkpoint, monkeypatch, capsys):
    monkeypatch.setenv("LSAFNET_CHECKPOINT", str(tiny_checkpoint))
    for number, year in enumerate((2012, 2015, 2018, 2020)):
        write_raster(standing / f"site_{year}.tif", noise(number, 70, 90))
    first, again, table = lines("series.md")
    assert run(first) == 0
    assert "consistency: at " in capsys.readouterr().out
    assert run(again) == 0
    assert '"share"' in capsys.readouterr().out
    assert run(table) == 0
    (code,) = blocks("series.md", "python")
    capsys.readouterr()
    exec(compile(code, "series.md", "exec"), {})
    assert capsys.readouterr().out.startswith("[")
    for name in re.findall(r"^\| `(\w+\.\w+)`(?:, `(\w+\.\w+)`)?", read("series.md"), re.MULTILINE):
        assert all((standing / "series" / one).exists() for one in name if one)
