"""The Processing provider in a real QGIS: algorithms run, layers load named and styled, cancel stops the program.

`make test-qgis` runs these tests and fails where Debian's QGIS (packages qgis and python3-qgis) is missing.
"""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import fiona
import pytest
import rasterio

from lsafnet_cli.maps.table import read_legend
from make_qgis_plugin import pack_plugin

from .qgis_run import qgis_home, qgis_python
from .test_recipes import label_all
from .test_review import judge

ROOT = Path(__file__).parents[1]
PROCESS = Path(__file__).parent / "qgis" / "process.py"
SAMPLE = ROOT / "sample_data"
ALGORITHMS = {
    "predict",
    "batch",
    "check",
    "vectorize",
    "summarize",
    "report",
    "decide",
    "sample",
    "assess",
    "review",
}


def codes_of(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Return the program as a user's environment has it, which notes its process number beside itself."""
    path = tmp_path_factory.mktemp("environment") / "bin" / "lsafnet"
    path.parent.mkdir()
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "models")))
    lines = (f"echo $$ > {path}.pid", f'PYTHONPATH={paths} exec {sys.executable} -P -m lsafnet_cli "$@"')
    path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def process(tmp_path_factory, program):
    """Return a function that runs an algorithm of the packed plugin in QGIS and tells what came of it."""
    home = qgis_home(tmp_path_factory)
    with zipfile.ZipFile(pack_plugin(home)) as archive:
        archive.extractall(home / "plugins")

    def run(algorithm="", cancel_at=None, named=program.parents[1], **parameters):
        wishes = {
            "program": str(named), "algorithm": algorithm and f"lsafnet:{algorithm}", "cancel_at": cancel_at,
            "parameters": {name: str(v) if isinstance(v, Path) else v for name, v in parameters.items()},
        }  # fmt: skip
        told = qgis_python(home, PROCESS, home / "plugins", stdin=json.dumps(wishes))
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)

    return run


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Return a folder with the sample pair, beside which QGIS may write statistics."""
    folder = tmp_path_factory.mktemp("sample")
    for name in ("before.tif", "after.tif"):
        shutil.copy(SAMPLE / name, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def predicted(process, folder, sample):
    """Predict the sample pair, with everything beside the map."""
    return process(
        "predict", BEFORE=sample / "before.tif", AFTER=sample / "after.tif", OUTPUT=folder / "changes.tif",
        POLYGONS=folder / "changes.gpkg", REPORT=folder / "page.html", ALSO=[0, 3, 4], MIN_AREA=20,
    )  # fmt: skip


def test_the_provider_loads_with_every_algorithm_explained_and_leaves_nothing_behind(process):
    told = process()
    assert {name.removeprefix("lsafnet:") for name in told["algorithms"]} == ALGORITHMS
    assert all(title and len(words) > 100 for title, words in told["algorithms"].values())
    assert {"BEFORE", "AFTER", "OUTPUT"} <= set(told["parameters"]["lsafnet:predict"])
    assert told["icon"]
    assert not told["left"]
    assert told["imported"] == []


def test_predict_writes_the_map_and_loads_all_layers_named_and_styled(predicted, folder):
    assert predicted["failed"] is None
    with rasterio.open(folder / "changes.tif") as dataset:
        legend = read_legend(folder / "changes.tif", dataset.tags())
    layers = {layer["name"]: layer for layer in predicted["layers"]}
    pair = "before → after"
    loaded = ("Changes", "Change polygons", "Probability of change", "Land cover before", "Land cover after")
    assert set(layers) == {f"{words} {pair}" for words in loaded}
    names = [transition.name for transition in legend.transitions]
    assert layers[f"Changes {pair}"]["entries"] == ["unchanged", *names]
    assert layers[f"Change polygons {pair}"]["entries"] == names
    assert layers[f"Probability of change {pair}"]["renderer"] == "singlebandpseudocolor"
    with fiona.open(folder / "changes.gpkg") as polygons:
        assert len(polygons) > 50


def test_predict_tells_what_it_found_and_how_far_it_has_come(predicted, folder):
    results = predicted["results"]
    assert 3 < results["CHANGED_HA"] < 6
    assert 10 < results["CHANGED_PERCENT"] < 25
    assert (folder / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert results["REPORT"] == str(folder / "page.html")
    assert max(predicted["percents"]) == 100
    assert any(0 < percent < 100 for percent in predicted["percents"])
    assert predicted["stages"]
    assert any("shipped with lsafnet" in text for text in predicted["warnings"])


def test_polygons_numbers_and_a_page_come_from_a_map_that_exists(process, predicted, folder):
    shapes = process(
        "vectorize", INPUT=folder / "changes.tif", OUTPUT=folder / "v.geojson", MIN_AREA=200, SMOOTH=True
    )
    assert shapes["results"]["COUNT"] > 5
    assert [(layer["name"], layer["renderer"]) for layer in shapes["layers"]] == [
        ("Change polygons changes", "categorizedSymbol")
    ]
    table = process(
        "summarize", INPUT=folder / "changes.tif", OUTPUT=folder / "t.csv",
        ZONES=folder / "changes.gpkg", ZONE_FIELD="transition",
    )  # fmt: skip
    assert table["results"]["CHANGED_HA"] == pytest.approx(predicted["results"]["CHANGED_HA"])
    assert "zone,ground to building,changed" in (folder / "t.csv").read_text(encoding="utf-8")
    page = process("report", INPUT=folder / "changes.tif", OUTPUT=folder / "r.html", TITLE="A <title>")
    assert page["failed"] is None
    assert "A &lt;title&gt;" in (folder / "r.html").read_text(encoding="utf-8")


def test_another_threshold_makes_another_map_without_the_network(process, predicted, folder):
    told = process(
        "decide", INPUT=folder / "changes.tif", OUTPUT=folder / "strict.tif", POLYGONS=folder / "strict.gpkg",
        THRESHOLD=0.9, IGNORE="water:ground; ground:water",
    )  # fmt: skip
    assert told["failed"] is None
    assert 0 < told["results"]["CHANGED_HA"] < predicted["results"]["CHANGED_HA"]
    names = {layer["name"] for layer in told["layers"]}
    assert names == {"changes, decided again", "Change polygons changes"}
    with fiona.open(folder / "strict.gpkg") as polygons:
        assert not {"water to ground", "ground to water"} & {
            one["properties"]["transition"] for one in polygons
        }


def test_a_sample_is_drawn_labelled_and_assessed(process, predicted, folder):
    points = folder / "points.gpkg"
    drawn = process("sample", INPUT=folder / "changes.tif", OUTPUT=points, PER_STRATUM=5, SEED=3)
    assert drawn["failed"] is None
    assert drawn["results"]["COUNT"] > 10
    assert [layer["entries"] for layer in drawn["layers"]] == [["to do", "done"]]
    label_all(points, reference_from="water", reference_to="water")
    told = process("assess", INPUT=folder / "changes.tif", POINTS=points, OUTPUT=folder / "accuracy.csv")
    assert told["failed"] is None
    results = told["results"]
    assert results["COUNT"] == drawn["results"]["COUNT"]
    assert (
        0 < results["LOW"] <= results["ACCURACY"] <= results["HIGH"] < 1
    )  # what is unchanged alone was right
    assert (folder / "accuracy.csv").read_text(encoding="utf-8").startswith("kind,")


def test_polygons_are_reviewed_and_the_map_corrected(process, predicted, folder):
    review = folder / "review.gpkg"
    begun = process("review", INPUT=folder / "changes.tif", POLYGONS=review, MIN_AREA=100)
    assert begun["failed"] is None
    assert begun["results"]["OPEN"] > 1
    assert begun["layers"][0]["name"] == "Polygons to review changes"
    judge(review, ("fid = 1", "rejected", None))
    told = process("review", INPUT=folder / "changes.tif", VERDICTS=review, OUTPUT=folder / "corrected.tif")
    assert told["failed"] is None
    assert (told["results"]["REVIEWED"], told["results"]["OPEN"]) == (1, begun["results"]["OPEN"] - 1)
    assert told["layers"][0]["name"] == "changes, corrected"
    both = [codes_of(folder / name) for name in ("changes.tif", "corrected.tif")]
    assert (both[0] != both[1]).any()
    assert (both[1][both[0] != both[1]] == 0).all()
    nothing = process("review", INPUT=folder / "changes.tif")
    assert nothing["failed"].startswith("Polygons to review: name a file")


def test_check_says_whether_a_pair_fits_without_failing(process, folder, sample):
    fits = process(
        "check", BEFORE=sample / "before.tif", AFTER=sample / "after.tif", OUTPUT=folder / "c.html"
    )
    assert fits["results"]["FITS"] is True
    assert "EPSG:32632" in (folder / "c.html").read_text(encoding="utf-8")
    apart = folder / "apart.tif"
    with rasterio.open(sample / "after.tif") as dataset:
        profile = {
            **dataset.profile,
            "transform": dataset.transform.translation(90_000, 0) @ dataset.transform,
        }
        with rasterio.open(apart, "w", **profile) as copy:
            copy.write(dataset.read())
    found = process("check", BEFORE=sample / "before.tif", AFTER=apart)
    assert (found["failed"], found["results"]["FITS"]) == (None, False)


def test_a_batch_loads_all_polygons_and_names_what_failed(process, folder, sample):
    for date in ("before", "after"):
        (folder / date).mkdir()
        (folder / date / "north.tif").write_bytes((sample / f"{date}.tif").read_bytes())
        (folder / date / "south.tif").write_text("no image", encoding="utf-8")
    told = process("batch", BEFORE=folder / "before", AFTER=folder / "after", OUTPUT=folder / "maps")
    assert told["failed"] is None
    assert (told["results"]["DONE"], told["results"]["FAILED"]) == (1, 1)
    assert any(text.startswith("south: ") for text in told["errors"])
    assert [layer["name"] for layer in told["layers"]] == ["Change polygons of all pairs"]


def test_cancel_stops_the_program_and_leaves_no_map(process, program, folder, sample):
    told = process(
        "predict",
        1,
        BEFORE=sample / "before.tif",
        AFTER=sample / "after.tif",
        OUTPUT=folder / "cancelled.tif",
    )
    assert told["failed"].startswith("cancelled")
    assert max(told["percents"]) < 100
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path(f"{program}.pid").read_text(encoding="ascii")), 0)
    assert not (folder / "cancelled.tif").exists()


def test_what_goes_wrong_is_said_in_the_program_s_own_words(process, folder, sample):
    told = process(
        "predict",
        BEFORE=sample / "before.tif",
        AFTER=sample / "after.tif",
        OUTPUT=folder / "n.tif",
        BANDS="9",
    )
    assert told["failed"].startswith("--bands 9: ")
    missing = process(
        "check", None, folder / "nowhere", BEFORE=sample / "before.tif", AFTER=sample / "after.tif"
    )
    assert "neither the lsafnet program nor" in missing["failed"]
