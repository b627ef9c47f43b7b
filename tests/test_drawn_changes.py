"""Outlines of what changed: the labels of all dates of a place, and the pairs that are made of them."""

import json

import numpy as np
import pytest
from PIL import Image

import changed_places
import complete_labels
from board_sets import HELD_OUT_PLACES
from drawn_changes import CLAREMONT_OUTLINES, NAIP_OUTLINES, read_changes, write_change_labels
from drawn_classes import Numbers
from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.opening import open_data_set

from .training_sets import CLASSES, write_places

WATER, GROUND, VEGETATION, BUILDING = 1, 2, 3, 4
SQUARE = [16, 16, 64, 16, 64, 64, 16, 64]  # pixels 4 to 16 of both axes
DRAWN = {
    "town_1": {"changes": [["vegetation", "ground", SQUARE]], "unknown": [[80, 0, 128, 0, 128, 32, 80, 32]]}
}


@pytest.fixture
def drawn(tmp_path):
    file = tmp_path / "outlines.json"
    file.write_text(json.dumps(DRAWN))
    return read_changes(file)


def town(tmp_path):
    """Write a place at three dates and one at two, 32 x 32 px, all vegetation by the label."""
    names = ("town_1_2016", "town_1_2018", "town_1_2020", "town_2_2016", "town_2_2020")
    return write_places(tmp_path / "still", names, np.ones((32, 32), np.uint8))


def members(file, name):
    """Return (rows, cols, K) which classes the labels of an image allow."""
    data_set = open_data_set(file)
    label = np.asarray(Image.open(data_set.folder / "labels" / f"{name}.png"))
    said = json.loads(file.read_text())["numbers"]
    names = ["water", "ground", "vegetation", "building"]
    return [[sorted(np.atleast_1d(said[str(one)]), key=names.index) for one in row] for row in label]


def test_each_date_gets_its_class_within_the_line_and_a_date_between_either(tmp_path, drawn):
    new = write_change_labels(town(tmp_path), drawn, tmp_path / "out")
    first, between, last = (members(new, f"town_1_{year}") for year in (2016, 2018, 2020))
    assert first[8][8] == ["vegetation"]
    assert between[8][8] == ["ground", "vegetation"]
    assert last[8][8] == ["ground"]
    changed = [[cell != ["vegetation"] for cell in row] for row in last]
    rows, cols = np.nonzero(changed)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (5, 14, 5, 14)  # a pixel within the line
    for year in (2016, 2020):
        assert all(cell == ["vegetation"] for row in members(new, f"town_2_{year}") for cell in row)


def test_a_number_is_asked_for_once_and_a_set_that_is_there_keeps_its_own():
    numbers = Numbers({"0": None, "1": "vegetation", "2": ["water", "ground", "building"]})
    assert numbers.of(["vegetation"]) == 1
    assert numbers.of(["building", "water", "ground"]) == 2
    assert numbers.of(["ground"]) == numbers.of(["ground"]) == 3
    assert numbers.of(["ground", "building"]) == 4
    assert numbers.said["4"] == ["building", "ground"]


class SeesNothing:
    """All classes are as probable, on every date."""

    def probabilities(self, images):
        return np.full((4, *images[0].shape[1:]), 0.25, np.float32)


def test_an_outlined_change_is_no_season_and_makes_pairs_that_changed_there_alone(tmp_path, drawn):
    labels = write_change_labels(town(tmp_path), drawn, tmp_path / "out")
    areas = {place: one.apart() for place, one in drawn.items()}
    sure = {place: one.cores() for place, one in drawn.items()}
    new = complete_labels.complete(
        labels, SeesNothing(), tmp_path / "done", 0.6, changed=areas, sure=sure, edge_px=0
    )
    pairs = changed_places.write_changed_pairs(new, {}, tmp_path / "changes", outlined=sure)
    items = {item.name: item for item in open_data_set(pairs).items("all")}
    assert sorted(items) == ["town_1_2016_2018", "town_1_2016_2020", "town_1_2018_2020"]
    example = items["town_1_2016_2020"].read()
    assert example.changed.sum() == 100
    assert example.changed[5:15, 5:15].all()
    assert (example.label_before[5:15, 5:15] == VEGETATION).all()
    assert (example.label_after[5:15, 5:15] == GROUND).all()
    assert not items["town_1_2016_2018"].read().changed.any()  # it may have been there already or not

    turned = complete_labels.complete(
        labels, SeesNothing(), tmp_path / "other", 0.6, changed=areas, edge_px=0
    )
    pairs = changed_places.write_changed_pairs(turned, {}, tmp_path / "none", outlined=sure)
    assert not any(item.read().changed.any() for item in open_data_set(pairs).items("all"))


def test_a_small_region_counts_where_it_was_outlined_and_not_in_a_box():
    before, after = np.full((8, 8), GROUND, np.uint8), np.full((8, 8), GROUND, np.uint8)
    after[2:4, 2:4] = BUILDING
    sets = LabelSets(5, ())
    assert changed_places.mistaken(before, after, sets, [(0, 0, 8, 8)], changed_places.LEAST_PX).sum() == 4
    assert not changed_places.mistaken(before, after, sets, [(0, 0, 8, 8)], 1).any()


def test_outlines_to_train_on_are_of_no_place_that_is_held_out_and_others_of_claremont_alone():
    trained, tested = read_changes(NAIP_OUTLINES), read_changes(CLAREMONT_OUTLINES)
    assert len(trained) > 300
    assert sum(len(one.changes) for one in trained.values()) > 1000
    assert not any(place.endswith(HELD_OUT_PLACES.strip("*")) for place in trained)
    assert not any(place.startswith("claremont") for place in trained)
    assert len(tested) == 92
    assert all(place.startswith("claremont") for place in tested)
    names = set(CLASSES[1:])
    for one in (*trained.values(), *tested.values()):
        for change in one.changes:
            assert {change.before, change.after} <= names
            assert change.before != change.after
        for polygon in (*(change.area for change in one.changes), *one.unknown):
            assert polygon.is_valid
            assert polygon.area > 0
            assert min(polygon.bounds) >= 0
            assert max(polygon.bounds) <= 256
