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
from .training_sets import write_classes, write_pairs, write_second, write_singles


def check(folder):
    return check_data_set(open_data_set(folder), Observer())


def test_a_second_folder_is_counted_by_class(tmp_path):
    facts = check(write_second(tmp_path)).as_dict()
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
    ("missing", "found"), [("label_after", "no known layout"), ("label_after/scene0.tif", "scene0")]
)
def test_what_is_missing_is_named(tmp_path, missing, found):
    folder = write_pairs(tmp_path)
    for split in ("train", "val"):
        path = folder / split / missing
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with pytest.raises(InputError, match=found):
        open_data_set(folder)


def write_named(folder, names, **lists):
    """Write an image, which holds its own number, and a label for each name, and lists of names."""
    for number, name in enumerate(names):
        for kind, pixels in (("images", np.full((3, 8, 8), number)), ("labels", np.tile([1, 2], (1, 8, 4)))):
            (folder / kind).mkdir(exist_ok=True)
            write_raster(folder / kind / name, pixels.astype(np.uint8))
    write_classes(folder)
    for split, text in lists.items():
        (folder / f"{split}_list.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("names", "train", "val"),
    [
        (("site A 2019.tif", "site A 2021.tif", "site.tif"), "site A 2019.tif\nsite A 2021.tif\n", "site A 2021\n"),
        (("T32_2019.05.01.tif", "T32_2019.05.02.tif", "T32_2019.05.tif"), "T32_2019.05.01\nT32_2019.05.02.tif\n",
         "T32_2019.05.02\n"),
        (("a.tif", "b.tif", "c.tif"), "images/a.tif labels/a.tif\nb.tif\tsomething\n\n", "b\n"),
    ],
)  # fmt: skip
def test_lists_name_files_with_spaces_and_dots(tmp_path, names, train, val):
    splits = open_data_set(write_named(tmp_path, names, train=train, val=val)).splits
    plain = [name.removesuffix(".tif") for name in names]
    assert {split: [item.name for item in items] for split, items in splits.items()} == {
        "train": plain[:2], "val": plain[1:2],
    }  # fmt: skip
    assert [item.path.rsplit("/", 1)[1] for item in splits["train"]] == list(names[:2])


def test_a_name_in_a_list_that_no_file_has_is_refused_with_its_line(tmp_path):
    folder = write_named(tmp_path, ("site A.tif", "x.tif"), train="x.tif\nsite B.tif\n")
    with pytest.raises(InputError, match=r"line 2 names site B\.tif"):
        open_data_set(folder)


def test_two_files_of_one_name_are_refused(tmp_path):
    folder = write_named(tmp_path, ("x.TIF", "y.tif"))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "images" / "x.png")
    with pytest.raises(InputError, match=r"images: x\.TIF and x\.png have the same name"):
        open_data_set(folder)


@pytest.mark.parametrize(
    ("pixels", "named"), [((0, 1), "only the class water"), ((0, 255), "no class but 0")]
)
def test_masks_in_place_of_classes_raise_a_doubt_and_are_not_sound(tmp_path, pixels, named, capsys):
    folder = write_named(tmp_path, ("a.tif", "b.tif"))
    for path in (folder / "labels").iterdir():
        write_raster(path, np.tile(pixels, (1, 8, 4)).astype(np.uint8))
    facts = check(folder)
    assert (facts.sound, len(facts.doubts)) == (False, 1)
    assert f"the labels hold {named}, of 4" in facts.doubts[0]
    with pytest.raises(SystemExit) as left:
        main(["dataset", "check", str(folder), "--quiet"])
    assert left.value.code == InputError.exit_code
    assert "binary masks" in capsys.readouterr().out
