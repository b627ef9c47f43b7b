"""Roofs and water that were drawn on images: what surely is of the class, what is not, and on which dates."""

import json

import numpy as np
import pytest
from PIL import Image
from rasterio.windows import Window

import board_sets
import drawn_classes
import shipped_data
from drawn_classes import (
    CLAREMONT_ROOFS,
    DRONE_ROOFS,
    NAIP_ROOFS,
    NAIP_WATER,
    Margins,
    draw,
    read_drawn,
    write_drawn_images,
    write_drawn_labels,
)
from joined_tiles import JOINED, MOST_PX
from lsafnet_cli.data_sets.opening import open_data_set

from .training_sets import write_places

WATER, GROUND, VEGETATION, BUILDING = 1, 2, 3, 4
DRAWN = {
    "town_1_2020": {
        "roofs": [[16, 16, 64, 16, 64, 64, 16, 64]],
        "unknown": [[80, 0, 128, 0, 128, 32, 80, 32]],
    }
}


@pytest.fixture
def drawn(tmp_path):
    """One square roof from pixel 4 to 16 of both axes, and what is unknown in the top right corner."""
    file = tmp_path / "roofs.json"
    file.write_text(json.dumps(DRAWN))
    return read_drawn(file)


def town(tmp_path):
    """Write two places at two dates, 32 x 32 px: unknown, vegetation, and not vegetation from left to right."""
    label = np.zeros((32, 32), np.uint8)
    label[:, 8:20], label[:, 20:] = 1, 2
    names = ("town_1_2016", "town_1_2020", "town_2_2016", "town_2_2020")
    return write_places(tmp_path / "still", names, label, zoom=[0.5, 2])


def classes_of(file, name):
    """Return (rows, cols, K) which classes the labels of an image of a data set allow."""
    data_set = open_data_set(file)
    dates = [date for item in data_set.items("all") for date in getattr(item, "dates", (item,))]
    (date,) = [one for one in dates if str(one.path).rpartition("/")[2].startswith(name)]
    return data_set.label_sets.members[date.read()[1]]


def test_a_roof_is_sure_within_its_line_and_nothing_is_beside_it(drawn):
    roof, none = draw(drawn["town_1_2020"], (32, 32), Margins(1, 2))
    assert np.argwhere(roof).min() == 5
    assert np.argwhere(roof).max() == 14
    assert roof.sum() == 100
    assert not none[2:18, 2:18].any()  # the roof and two pixels around it
    assert not none[:8, 20:].any()  # unknown
    assert none.sum() == 32 * 32 - 16 * 16 - 8 * 12


def test_a_roof_at_the_border_is_sure_up_to_there_and_unknown_wins_over_a_roof():
    whole, part = drawn_classes.polygons_of([[0, 0, 64, 0, 64, 64, 0, 64], [0, 0, 16, 0, 16, 64, 0, 64]])
    roof, none = draw(drawn_classes.Drawn((whole,), (part,)), (16, 16), Margins(1, 2))
    assert roof[:, 4:].all()
    assert not roof[:, :4].any()
    assert not none.any()


def test_a_drawing_that_is_scored_counts_up_to_its_line_but_not_where_it_is_unknown(drawn):
    building, known = drawn_classes.scored(drawn["town_1_2020"], (32, 32))
    assert building.sum() == 12 * 12
    assert building[4:16, 4:16].all()
    assert (~known).sum() == 8 * 12
    assert not known[:8, 20:].any()


def test_an_image_without_roofs_is_surely_no_building_everywhere():
    roof, none = draw(drawn_classes.Drawn((), ()), (4, 6), Margins(1, 2))
    assert not roof.any()
    assert none.all()


def test_what_was_drawn_goes_into_the_labels_of_all_dates_of_the_place_alone(tmp_path, drawn):
    file = town(tmp_path)
    new = write_drawn_labels(file, drawn, {"town_1": [[0, 0, 32, 10]]}, tmp_path / "out")
    now = classes_of(new, "town_1_2020")
    assert (now[8, 8] == [False, False, False, False, True]).all()  # vegetation, and a roof was drawn there
    assert now[24, 2].tolist() == [False, True, True, True, False]  # unknown: all but building
    assert now[24, 30].tolist() == [False, True, True, False, False]  # not vegetation, nor building
    assert now[2, 30].tolist() == [False, True, True, False, True]  # in the unknown corner
    assert now[24, 10].tolist() == [False, False, False, True, False]
    other, was = classes_of(new, "town_1_2016"), classes_of(file, "town_1_2016")
    assert (other[12, 8] == now[8, 8]).all()
    assert (other[5] == was[5]).all()  # in the box that changed
    assert (other[12, 5] == was[12, 5]).all()  # within two pixels of the line
    for name in ("town_2_2016", "town_2_2020"):
        assert (classes_of(new, name) == classes_of(file, name)).all()


def test_water_that_was_drawn_leaves_what_was_drawn_of_roofs(tmp_path, drawn):
    roofs = write_drawn_labels(town(tmp_path), drawn, {}, tmp_path / "roofs")
    (tmp_path / "water.json").write_text(
        json.dumps({"town_1_2020": {"water": [[96, 64, 128, 64, 128, 128, 96, 128]], "unknown": []}})
    )
    water = read_drawn(tmp_path / "water.json")
    new = write_drawn_labels(roofs, water, {}, tmp_path / "both", "water")
    now = classes_of(new, "town_1_2020")
    assert now[20, 28].tolist() == [False, True, False, False, False]
    assert now[8, 8].tolist() == [False, False, False, False, True]  # the roof
    assert now[24, 2].tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]  # neither was drawn where nothing was known
    assert now[2, 30].tolist() == [False, False, True, False, True]  # maybe a roof, surely no water
    other = classes_of(new, "town_1_2016")
    assert (other[24, 28] == now[20, 28]).all()
    assert (classes_of(new, "town_2_2016") == classes_of(roofs, "town_2_2016")).all()


def test_labels_of_joined_tiles_are_corrected_by_their_set_and_name(tmp_path, drawn):
    for name in ("village", "town"):
        (tmp_path / name / "labels").mkdir(parents=True)
        Image.fromarray(np.full((32, 32), 2, np.uint8)).save(tmp_path / name / "labels" / "joined.png")
    (one,) = drawn.values()
    drawn_classes.correct_labels(tmp_path / "village" / "labels", {"village/joined": one}, 1)
    drawn_classes.correct_labels(tmp_path / "town" / "labels", {"village/joined": one}, 1)
    label = np.asarray(Image.open(tmp_path / "village" / "labels" / "joined.png"))
    assert (label == 1).sum() == 12 * 12
    assert (label[:8, 20:] == 0).all()
    assert (label == 2).sum() == 32 * 32 - 12 * 12 - 8 * 12
    assert (np.asarray(Image.open(tmp_path / "town" / "labels" / "joined.png")) == 2).all()


def test_images_on_which_roofs_were_drawn_are_a_data_set_of_their_own(tmp_path, drawn):
    file = write_drawn_images(town(tmp_path), drawn, tmp_path / "out" / "roofs", zoom=(0.35, 1.2))
    data_set = open_data_set(file)
    (item,) = data_set.items("all")
    _, label, valid = item.read_all(Window(0, 0, 32, 32))
    assert str(item.path).endswith("town_1_2020.jpg")
    assert valid.all()
    assert (label[:, 8:20] == VEGETATION).all()
    assert json.loads(file.read_text())["zoom"] == [0.35, 1.2]


def test_roofs_to_train_on_are_of_no_place_that_is_held_out_and_others_of_claremont_alone():
    trained, tested = read_drawn(NAIP_ROOFS), read_drawn(CLAREMONT_ROOFS)
    assert len(trained) > 100
    assert sum(len(one.areas) for one in trained.values()) > 3000
    assert not any(
        name.rpartition("_")[0].endswith(board_sets.HELD_OUT_PLACES.strip("*")) for name in trained
    )
    assert not any(name.startswith("claremont") for name in trained)
    assert len(tested) >= 20
    assert all(name.startswith("claremont") for name in tested)
    for one in (*trained.values(), *tested.values()):
        for polygon in (*one.areas, *one.unknown):
            assert polygon.is_valid
            assert polygon.area > 0
            assert min(polygon.bounds) >= 0
            assert max(polygon.bounds) <= 256


def test_water_is_of_the_images_with_roofs_and_drone_images_are_known_by_their_joined_tiles():
    water, drones = read_drawn(NAIP_WATER), read_drawn(DRONE_ROOFS)
    assert set(water) == set(read_drawn(NAIP_ROOFS))
    assert sum(len(one.areas) for one in water.values()) > 500
    assert {name.split("/")[0] for name in drones} <= set(shipped_data.TILES)
    assert all(name.split("/")[1].startswith(JOINED) for name in drones)
    for drawn, side in ((water, 256), (drones, MOST_PX)):
        for one in drawn.values():
            for polygon in (*one.areas, *one.unknown):
                assert polygon.is_valid
                assert polygon.area > 0
                assert min(polygon.bounds) >= 0
                assert max(polygon.bounds) <= side
