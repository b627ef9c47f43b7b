"""The least area of polygons by class: how it is written, which transitions it means, where it is told."""

import json

import numpy as np
import pyogrio
import pytest

from lsafnet_cli import OptionError, PolygonOptions
from lsafnet_cli.app import main
from lsafnet_cli.commands.predict_options import make_polygon_options
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.options import parse_min_area
from lsafnet_cli.polygons.wishes import least_areas

from .change_maps import GROUND_TO_WATER, LAND, WATER_TO_BUILDING, WATER_TO_GROUND, read_polygons, write_map

GROUND_TO_BUILDING = 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (None, {})),
        ("25", (25.0, {})),
        ("building=25, low vegetation=2.5", (None, {"building": 25.0, "low vegetation": 2.5})),
        ("25,building=10", (25.0, {"building": 10.0})),
        ("building=10,0", (0.0, {"building": 10.0})),
        ("a=b=3", (None, {"a=b": 3.0})),
        (r"grass\, dry=4,a+b=2,a\=b=3", (None, {"grass, dry": 4.0, "a+b": 2.0, "a=b": 3.0})),
    ],
)
def test_a_default_classes_and_both_are_read(text, expected):
    assert parse_min_area(text) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "building", "=3", "a=1,a=2", "1,2", "a=-1", "nan", "a=inf", "a=1,"]
)
def test_anything_else_is_told_what_to_write(text):
    with pytest.raises(OptionError, match="write M2, CLASS=M2 or both"):
        parse_min_area(text)


def test_the_smaller_limit_of_both_classes_holds_and_one_that_is_not_named_does_not_count():
    areas = least_areas(LAND, {"BUILDING": 25, "water": 200})
    assert areas[WATER_TO_BUILDING] == 25
    assert areas[WATER_TO_GROUND] == areas[GROUND_TO_WATER] == 200
    assert areas[GROUND_TO_BUILDING] == 25
    assert 0 not in areas
    ground_to_ground = 5
    assert ground_to_ground not in areas


def test_a_blank_may_be_written_as_an_underscore():
    legend = Legend(("unchanged", "low vegetation", "tree"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    assert least_areas(legend, {"low_vegetation": 5}) == {1: 5, 2: 5, 3: 5}


def test_classes_that_a_map_lacks_are_told():
    with pytest.raises(OptionError, match="sea: the map has no such class; it has water, ground, building"):
        least_areas(LAND, {"sea": 1})
    binary = Legend(("unchanged", "changed"), ((0, 0, 0), (1, 1, 1)), semantic=False)
    with pytest.raises(OptionError, match="changed from unchanged only"):
        least_areas(binary, {"changed": 1})


def test_classes_without_a_limit_keep_that_of_the_command():
    options = make_polygon_options("building=25", 0, False, False, None)
    assert (options.min_pixels, options.min_area_m2) == (16, 0)
    options = make_polygon_options("9,building=25", 0, False, False, None)
    assert (options.min_pixels, options.min_area_m2) == (0, 9)


@pytest.fixture
def squares(tmp_path):
    """Return a map with squares of 4 and of 25 m2 (16 and 100 pixels) of three transitions."""
    codes = np.zeros((60, 120), np.uint8)
    for number, code in enumerate((WATER_TO_BUILDING, WATER_TO_GROUND, GROUND_TO_BUILDING)):
        codes[5:9, 5 + 30 * number : 9 + 30 * number] = code
        codes[30:40, 5 + 30 * number : 15 + 30 * number] = code
    return write_map(tmp_path / "map.tif", codes)


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(list(map(str, arguments)))
    return left.value.code


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("0", {"water to building": 2, "water to ground": 2, "ground to building": 2}),
        ("building=10", {"water to building": 1, "water to ground": 2, "ground to building": 1}),
        ("building=3,water=30", {"water to building": 2, "ground to building": 2}),
        ("10,building=3", {"water to building": 2, "water to ground": 1, "ground to building": 2}),
    ],
)
def test_vectorize_leaves_out_what_is_too_small_for_its_classes_and_says_with_what(
    squares, capsys, text, left
):
    target = squares.with_name("out.gpkg")
    assert run("vectorize", squares, "-o", target, "--min-area", text, "--json") == 0
    names, counts = np.unique(read_polygons(target)[1]["transition"], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == left
    told = json.loads(capsys.readouterr().out)["options"]
    default, by_class = parse_min_area(text)
    assert told.get("min_area_by_class", {}) == by_class
    assert told.get("min_area_m2", 0) == (default or 0)
    metadata = pyogrio.read_info(target, layer="changes")["layer_metadata"]
    assert json.loads(metadata["LSAFNET_POLYGONS"]) == told


def test_review_and_decide_understand_it_too(squares, capsys):
    target = squares.with_name("review.gpkg")
    assert run("review", squares, "-o", target, "--min-area", "building=10", "-q") == 0
    assert pyogrio.read_info(target, layer="changes")["features"] == 4
    out, polygons = squares.with_name("new.tif"), squares.with_name("new.gpkg")
    wishes = ("--ignore", "water:ground", "--polygons", polygons, "--min-area", "0,building=10", "--json")
    capsys.readouterr()
    assert run("decide", squares, "-o", out, *wishes) == 0
    assert pyogrio.read_info(polygons, layer="changes")["features"] == 2
    told = json.loads(capsys.readouterr().out)["polygon_options"]
    assert told == {"min_area_by_class": {"building": 10.0}}


def test_a_class_that_merging_has_taken_away_is_told_before_the_work(squares, capsys):
    out = squares.with_name("new.tif")
    polygons = ("--polygons", squares.with_name("new.gpkg"), "--min-area", "ground=10", "-q")
    assert run("decide", squares, "-o", out, "--merge", "ground+water=open", *polygons) == 2
    assert "--min-area ground: the map has no such class; it has open, building" in capsys.readouterr().err
    assert not out.exists()


def test_predict_refuses_a_strange_class_before_the_work_and_reports_the_limits(
    pair, tiny_checkpoint, tmp_path, capsys
):
    output, polygons = tmp_path / "changes.tif", tmp_path / "changes.gpkg"
    command = ("predict", *pair, "-o", output, "--checkpoint", tiny_checkpoint, "--polygons", polygons)
    assert run(*command, "--min-area", "sea=3") == 2
    assert "--min-area sea: the map has no such class" in capsys.readouterr().err
    assert not output.exists()
    name = "building"
    assert run(*command, "--min-area", f"3,{name}=9", "--json") == 0
    told = json.loads(capsys.readouterr().out)["polygon_options"]
    assert told == {"min_area_m2": 3.0, "min_area_by_class": {name: 9.0}}


def test_limits_alone_ask_for_polygons_and_are_checked_in_python():
    assert PolygonOptions(min_area_by_class={"water": 3}).shaped == "min_area_by_class"
    with pytest.raises(OptionError, match="`min_area_by_class` water=-3"):
        PolygonOptions(min_area_by_class={"water": -3})
