"""The recipes of the pages on what is done with a finished map, run as they stand there."""

import shlex
from pathlib import Path

import fiona
import numpy as np
import pytest

from lsafnet_cli.app import main

from .change_maps import random_codes
from .conftest import noise, write_raster
from .maps import legend_of, write_map
from .test_docs import blocks

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
