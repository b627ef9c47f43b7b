"""`lsafnet dataset check` counts what is there, and names what would spoil a training."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lsafnet_cli.app import main
from lsafnet_cli.data_sets.check import check_data_set
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.errors import InputError
from lsafnet_cli.observer import Observer

from .conftest import write_raster
from .training_sets import write_pairs, write_second, write_singles


def check(folder):
    return check_data_set(open_data_set(folder), Observer())


def test_a_second_folder_is_counted_by_class(tmp_path):
    facts = check(write_second(tmp_path)).to_dict()
    split = facts["splits"]["all"]
    assert facts["layout"] == "second"
    assert (split["items"], split["sizes"], split["changed_share"]) == (2, {"16x16": 2}, 0.5)
    assert split["class_shares"]["before"]["water"] == split["class_shares"]["after"]["building"] == 0.5
    assert split["disagreeing"] == {}
    assert facts["normalization"]["before"]["mean"] == [40.0] * 3
    assert facts["normalization"]["after"]["mean"] == [90.0] * 3


def test_labels_that_disagree_on_what_is_unchanged_are_counted(tmp_path):
    folder = write_second(tmp_path)
    label = np.asarray(Image.open(folder / "label2" / "01.png")).copy()
    label[0, :3] = 255  # a class before, unchanged after
    Image.fromarray(label).save(folder / "label2" / "01.png")
    assert check(folder).splits["all"].disagreeing == {"01": 3}


def test_a_colour_that_is_no_class_is_named_with_its_file_and_count(tmp_path, capsys):
    folder = write_second(tmp_path)
    label = np.asarray(Image.open(folder / "label1" / "02.png")).copy()
    label[2, :5] = (1, 2, 3)
    Image.fromarray(label).save(folder / "label1" / "02.png")
    facts = check(folder)
    (line,) = facts.splits["all"].unreadable
    assert all(words in line for words in ("02.png", "#010203", "5 pixels"))
    assert not facts.sound
    with pytest.raises(SystemExit) as left:
        main(["dataset", "check", str(folder), "--json", "--quiet"])
    assert left.value.code == InputError.exit_code
    assert json.loads(capsys.readouterr().out)["sound"] is False


def test_lists_of_files_are_splits(tmp_path):
    folder = write_second(tmp_path)
    (folder / "train_list.txt").write_text("01.png\n", encoding="utf-8")
    (folder / "test_list.txt").write_text("02.png\n", encoding="utf-8")
    assert {name: facts.items for name, facts in check(folder).splits.items()} == {"train": 1, "test": 1}


def test_a_list_that_names_what_is_not_there_says_the_line(tmp_path):
    folder = write_second(tmp_path)
    (folder / "train_list.txt").write_text("01.png\n77.png\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2 names 77"):
        open_data_set(folder)


def test_pixels_without_data_are_not_counted(tmp_path):
    folder = write_pairs(tmp_path, train=1, val=1)
    pixels = np.full((3, 48, 48), 9, np.uint8)
    pixels[:, :10] = 0
    write_raster(folder / "train" / "before" / "scene0.tif", pixels, nodata=0)
    facts = check(folder).splits["train"]
    assert facts.invalid_pixels == 10 * 48
    assert facts.valid_pixels == 38 * 48


def test_images_of_one_date_are_known_as_such(tmp_path):
    facts = check(write_singles(tmp_path))
    assert facts.labels_of == "one date"
    assert facts.splits["train"].invalid_pixels == 4 * 4 * 64  # unknown labels


@pytest.mark.parametrize(
    ("missing", "found"), [("label_after", "laid out"), ("label_after/scene0.tif", "scene0")]
)
def test_what_is_missing_is_named(tmp_path, missing, found):
    folder = write_pairs(tmp_path)
    for split in ("train", "val"):
        path = folder / split / missing
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with pytest.raises(InputError, match=found):
        open_data_set(folder)
