"""Partial labels completed by a checkpoint's land cover, for self-training."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from rasterio.windows import Window

import complete_labels
from lsafnet import ChangeLogits, load_checkpoint, save_checkpoint
from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.opening import open_data_set

from .training_sets import class_entries

WATER, GROUND, VEGETATION, BUILDING = 1, 2, 3, 4
SETS = LabelSets(5, ((WATER, GROUND, VEGETATION),))
NOT_BUILDING = 5


@pytest.mark.parametrize(
    ("label", "probabilities", "expected"),
    [
        (NOT_BUILDING, (0.0, 0.3, 0.1, 0.6), GROUND),  # 0.75 of what is allowed
        (NOT_BUILDING, (0.2, 0.3, 0.3, 0.2), NOT_BUILDING),  # sure of nothing
        (BUILDING, (0.9, 0.1, 0.0, 0.0), BUILDING),  # what a person said stays
        (0, (0.7, 0.1, 0.1, 0.1), WATER),  # all classes are allowed where nothing was said
        (0, (0.4, 0.4, 0.1, 0.1), 0),
    ],
)
def test_a_label_becomes_the_most_probable_class_it_allows_where_that_is_sure_enough(
    label, probabilities, expected
):
    given = np.array(probabilities, np.float32)[:, None, None]
    done = complete_labels.completed(np.array([[label]], np.uint8), SETS, given, 0.6)
    assert done.tolist() == [[expected]]


class OneAnswer:
    """Gives every place the same probabilities, and notes how many images it was shown together."""

    def __init__(self, *probabilities):
        self.answer, self.shown = np.array(probabilities, np.float32), []

    def probabilities(self, images):
        self.shown.append(len(images))
        return np.broadcast_to(self.answer[:, None, None], (4, *images[0].shape[1:]))


def write_partial(folder, stems, **more):
    """Write images of 8 x 8 px, half building and half not, and the description of the data set."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    label = np.repeat(np.array([[1, 2]], np.uint8), 4, axis=1).repeat(8, axis=0)
    for stem in stems:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "images" / f"{stem}.png")
        Image.fromarray(label).save(folder / "labels" / f"{stem}.png")
    said = {
        "folder": str(folder),
        "classes": class_entries(),
        "numbers": {"0": None, "1": "building", "2": ["water", "ground", "vegetation"]},
        **more,
    }
    file = folder.parent / f"{folder.name}.json"
    file.write_text(json.dumps(said))
    return file


def test_the_completed_data_set_opens_with_the_classes_that_were_given(tmp_path):
    file = write_partial(tmp_path / "roofs", ["a", "b"])
    (tmp_path / "out").mkdir()
    made = complete_labels.complete(file, OneAnswer(0.05, 0.05, 0.8, 0.1), tmp_path / "out", 0.6)
    data_set = open_data_set(made)
    _, label, valid = data_set.items("all")[0].read_all(Window(0, 0, 8, 8))
    assert valid.all()
    assert (label[:, :4] == BUILDING).all()
    assert (label[:, 4:] == VEGETATION).all()
    assert data_set.label_sets == open_data_set(file).label_sets


def test_all_dates_of_an_unchanged_place_are_seen_together_and_labelled_alike(tmp_path):
    stems = ["park_2016", "park_2018", "square_2016", "square_2020"]
    file = write_partial(tmp_path / "still", stems, kind="unchanged pairs")
    (tmp_path / "out").mkdir()
    teacher = OneAnswer(0.1, 0.7, 0.1, 0.1)
    complete_labels.complete(file, teacher, tmp_path / "out", 0.6)
    assert teacher.shown == [2, 2]
    for stem in stems:
        label = np.asarray(Image.open(tmp_path / "out" / "still" / "labels" / f"{stem}.png"))
        assert np.unique(label).tolist() == [GROUND, BUILDING]


def season(before, after, most_px=6):
    """Return which of 2 x 6 pixels of two dates were turned by the season."""
    labels = [np.array(label, np.uint8) for label in (before, after)]
    found = complete_labels.turned_by_season(labels, SETS, {GROUND, VEGETATION}, most_px)
    return found.astype(int).tolist()


def test_completed_buildings_end_before_their_borders_and_given_ones_stay():
    ground_or_building = 6
    label = np.full((20, 20), ground_or_building, np.uint8)
    label[:, :4] = BUILDING  # said by a person, and beside what is completed
    done = np.full((20, 20), GROUND, np.uint8)
    done[:, :12] = BUILDING
    found = complete_labels.without_edges(done, label, BUILDING, 3)
    assert found[0].tolist() == [BUILDING] * 9 + [ground_or_building] * 3 + [GROUND] * 8
    assert (found == found[0]).all()  # the edge of an image is no border
    assert complete_labels.without_edges(done, label, BUILDING, 0).tolist() == done.tolist()


def test_small_regions_whose_dates_exclude_each_other_are_of_the_season():
    dry = [[2, 2, 2, 4, 4, 0], [2, 2, 2, 4, 3, 0]]
    green = [[3, 3, 2, 4, 4, 3], [3, 3, 2, 3, 5, 2]]
    # a lawn; not a building that went, nor what was unknown or allows the same
    assert season(dry, green) == [[1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]]


def test_large_regions_may_have_changed_and_stay():
    dry, green = np.full((2, 6), GROUND), np.full((2, 6), VEGETATION)
    assert np.sum(season(dry, green, most_px=11)) == 0
    assert np.sum(season(dry, green, most_px=12)) == 12


def test_dates_turned_by_the_season_get_both_classes(tmp_path):
    description = write_partial(tmp_path / "raw", ["town_1_2016", "town_1_2018"], kind="unchanged pairs")
    said = json.loads(description.read_text())
    said["numbers"] = {"1": "vegetation", "2": ["water", "ground", "building"]}
    description.write_text(json.dumps(said))
    second = tmp_path / "raw" / "labels" / "town_1_2018.png"
    Image.fromarray(3 - np.asarray(Image.open(second))).save(second)  # green where the other is dry
    new = complete_labels.complete(description, OneAnswer(0, 1, 0, 0), tmp_path / "done", 0.6)
    numbers = json.loads(new.read_text())["numbers"]
    labels = [
        np.asarray(Image.open(file)) for file in sorted((tmp_path / "done" / "raw" / "labels").iterdir())
    ]
    assert all(
        numbers[str(number)] == ["ground", "vegetation"] for label in labels for number in np.unique(label)
    )
    assert open_data_set(new).label_sets.sets[-1] == (GROUND, VEGETATION)


class Saying(torch.nn.Module):
    """Gives the same logits of five classes everywhere, at both dates."""

    def __init__(self, *classes: float) -> None:
        super().__init__()
        self.classes = torch.tensor(classes, dtype=torch.float32)[None, :, None, None]

    def forward(self, before, after):
        assert before.shape == after.shape
        date = self.classes.expand(len(before), -1, *before.shape[-2:])
        return ChangeLogits(before[:, :1], date, date)


def test_several_teachers_weigh_the_same(tiny_checkpoint):
    info = load_checkpoint(tiny_checkpoint).info
    images = [np.zeros((3, 40, 50), np.float32)] * 2
    water, building = Saying(9, 30, 0, 0, 0), Saying(9, 0, 0, 0, 30)
    found = complete_labels.Teacher([water, building], info, (1,)).probabilities(images)
    np.testing.assert_allclose(found[:, 3, 4], (0.5, 0, 0, 0.5), atol=1e-4)
    assert found.shape == (4, 40, 50)


def test_teachers_of_other_classes_are_refused(tiny_checkpoint, tmp_path):
    loaded = load_checkpoint(tiny_checkpoint)
    other = tuple(replace(entry, color="#123456") for entry in loaded.info.classes)
    save_checkpoint(tmp_path / "other.safetensors", loaded.network, replace(loaded.info, classes=other))
    networks, info = complete_labels.load_teachers([tiny_checkpoint, tiny_checkpoint])
    assert len(networks) == 2
    assert info == loaded.info
    with pytest.raises(SystemExit, match=r"other\.safetensors"):
        complete_labels.load_teachers([tiny_checkpoint, tmp_path / "other.safetensors"])
