"""Places that were taken for unchanged, and changed: their labels, and the pairs made of them."""

import json

import numpy as np
import pytest
from PIL import Image

import changed_places
import complete_labels
import place_boxes
from board_sets import HELD_OUT_PLACES
from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.opening import open_data_set

from .training_sets import class_entries

WATER, GROUND, VEGETATION, BUILDING, NOT_VEGETATION = 1, 2, 3, 4, 5
SETS = LabelSets(5, ((WATER, GROUND, BUILDING),))


def test_labels_that_exclude_each_other_count_in_large_regions_within_the_boxes_alone():
    before, after = np.full((4, 8), GROUND, np.uint8), np.full((4, 8), GROUND, np.uint8)
    after[:2, :4] = BUILDING  # 8 px within the box
    after[3, 0] = VEGETATION  # 1 px within it
    after[:, 6] = VEGETATION  # outside
    before[2, 2] = 0  # unknown excludes nothing
    found = changed_places.mistaken(before, after, SETS, [(0, 0, 5, 4)], least_px=8)
    assert np.argwhere(found).tolist() == [[0, 6], [1, 6], [2, 6], [3, 0], [3, 6]]


def test_a_set_that_allows_the_other_date_s_class_excludes_nothing():
    before, after = np.full((2, 2), NOT_VEGETATION, np.uint8), np.full((2, 2), BUILDING, np.uint8)
    assert not changed_places.mistaken(before, after, SETS, [(0, 0, 2, 2)], least_px=1).any()
    assert not changed_places.mistaken(before, before, SETS, [], least_px=1).any()
    green = np.full((2, 2), VEGETATION, np.uint8)
    assert changed_places.mistaken(before, green, SETS, [], least_px=1).all()
    assert not changed_places.mistaken(before, green, SETS, [(0, 0, 2, 2)], least_px=4).any()


class BrightIsBuilding:
    """Sees building where the mean of the images is bright, else ground."""

    def probabilities(self, images):
        bright = np.mean(images, axis=0).mean(axis=0) > 100
        found = np.full((4, *bright.shape), 0.02, np.float32)
        found[BUILDING - 1][bright] = 0.9
        found[GROUND - 1][~bright] = 0.9
        return found


def write_places(tmp_path):
    """Write two places at two dates, each built up in the left half, and the description of the data set."""
    folder = tmp_path / "still"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for place in ("town_1", "town_11"):
        for date, value in (("2016", 0), ("2020", 255)):
            pixels = np.zeros((16, 32, 3), np.uint8)
            pixels[:, :16] = value
            Image.fromarray(pixels).save(folder / "images" / f"{place}_{date}.png")
            label = np.full((16, 32), 2, np.uint8)
            Image.fromarray(label).save(folder / "labels" / f"{place}_{date}.png")
    said = {
        "folder": str(folder),
        "classes": class_entries(),
        "numbers": {"0": None, "1": "vegetation", "2": ["water", "ground", "building"]},
        "kind": "unchanged pairs",
        "zoom": [0.5, 2],
    }
    file = tmp_path / "still.json"
    file.write_text(json.dumps(said))
    return file


def test_dates_are_labelled_by_themselves_within_the_boxes_of_their_place(tmp_path):
    boxes = {"town_1": [[0, 0, 16, 16]]}
    new = complete_labels.complete(
        write_places(tmp_path), BrightIsBuilding(), tmp_path / "out", 0.6, changed=boxes, edge_px=0
    )
    read = {
        file.stem: np.unique(np.asarray(Image.open(file))[:, :16]).tolist()
        for file in (tmp_path / "out" / "still" / "labels").iterdir()
    }
    assert read["town_1_2016"] == [GROUND]
    assert read["town_1_2020"] == [BUILDING]
    assert read["town_11_2016"] == read["town_11_2020"] == [BUILDING]  # the mean of both dates

    pairs = changed_places.write_changed_pairs(new, boxes, tmp_path / "changes")
    (item,) = open_data_set(pairs).items("all")
    example = item.read()
    assert item.name == "town_1_2016_2020"
    assert example.changed[:, :16].all()
    assert not example.changed[:, 16:].any()
    assert json.loads(pairs.read_text())["zoom"] == [0.5, 2]


@pytest.mark.parametrize(
    ("name", "table", "more_than"),
    [
        ("naip_changes.toml", place_boxes.SURE, 300),
        ("naip_changes.toml", place_boxes.UNSURE, 200),
        ("naip_changes.toml", place_boxes.HELD_OUT, 0),
    ],
)
def test_every_place_with_boxes_has_some_inside_its_image(name, table, more_than):
    boxes = place_boxes.read_boxes(place_boxes.NAIP_CHANGES.with_name(name), table)
    assert len(boxes) > more_than
    for its in boxes.values():
        assert its
        for left, top, right, bottom in its:
            assert 0 <= left < right <= 256
            assert 0 <= top < bottom <= 256


def test_places_that_are_held_out_are_in_no_table_to_train_on():
    for table in (place_boxes.SURE, place_boxes.UNSURE, place_boxes.HELD_OUT):
        ends = {
            place.endswith(HELD_OUT_PLACES.strip("*"))
            for place in place_boxes.read_boxes(place_boxes.NAIP_CHANGES, table)
        }
        assert ends == {table == place_boxes.HELD_OUT}
