"""Readers of the data sets that checkpoints are trained on and compared on, over folders made here."""

import numpy as np
import pytest
from PIL import Image

from dubai_tiles import EVALUATION, held_out_pairs, read_tiles
from second_tiles import read_second_pairs, second_classes

WHITE, WATER, LOW, TREE, GROUND, PLAYGROUND = (
    (255, 255, 255),
    (0, 0, 255),
    (0, 128, 0),
    (0, 255, 0),
    (128, 128, 128),
    (255, 0, 0),
)


def write_second(folder, before, after):
    """Write a pair of one row whose labels have these colours."""
    for name, colors in (("im1", before), ("im2", after), ("label1", before), ("label2", after)):
        (folder / name).mkdir(parents=True)
        Image.fromarray(np.array([colors], np.uint8)).save(folder / name / "a.png")


def write_dubai(folder):
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for stem in ("tile5_001", "tile6_001"):
        Image.fromarray(rng.integers(0, 255, (300, 310, 3)).astype(np.uint8)).save(
            folder / f"images/{stem}.jpg"
        )
        blocks = np.repeat(np.repeat(rng.integers(0, 6, (30, 31)), 10, 0), 10, 1).astype(np.uint8)
        Image.fromarray(blocks).save(folder / f"labels/{stem}.png")
    return folder


def test_a_change_that_vanishes_with_the_merging_of_classes_is_not_valid(tmp_path):
    write_second(
        tmp_path,
        [WHITE, LOW, WATER, GROUND, WHITE],
        [WHITE, TREE, GROUND, PLAYGROUND, WATER],
    )
    (pair,) = read_second_pairs(tmp_path)
    assert pair.valid[0].tolist() == [True, False, True, False, False]
    assert pair.changed[0].tolist() == [False, False, True, False, False]
    assert (pair.label_before[0, 2], pair.label_after[0, 2]) == (1, 2)


def test_colours_that_second_lacks_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="colours"):
        second_classes(np.full((1, 1, 3), 7, np.uint8))
    with pytest.raises(FileNotFoundError, match="holds neither"):
        read_second_pairs(tmp_path)
    with pytest.raises(FileNotFoundError, match="tiles \\[5\\]"):
        read_tiles(tmp_path, {5})


def test_tiles_are_read_apart_and_in_the_shipped_classes(tmp_path):
    found = read_tiles(write_dubai(tmp_path), {6})
    assert [image.shape for image in found.images] == [(3, 300, 310)]
    native = np.asarray(Image.open(tmp_path / "labels/tile6_001.png"))
    for number, shipped in enumerate((0, 4, 2, 2, 3, 1)):
        assert (found.labels[0][native == number] == shipped).all()


def test_held_out_pairs_are_the_same_each_time_and_of_the_held_out_tile_alone(tmp_path):
    first, again = (held_out_pairs(folder, 64) for folder in (write_dubai(tmp_path), tmp_path))
    assert all(np.array_equal(x, y) for x, y in zip(first[7], again[7], strict=True))
    (tmp_path / "images/tile6_001.jpg").unlink()
    without = held_out_pairs(tmp_path, 64)
    assert all(np.array_equal(x, y) for x, y in zip(first[40], without[40], strict=True))
    assert EVALUATION.recolor == 0
