"""Tiles of a web map joined to larger images: their places, their gaps, and what is kept for validation."""

import numpy as np
import pytest
from PIL import Image

import joined_tiles
from joined_tiles import blocks_of, join_tiles, tiles_of


def write_tiles(folder, places, size_px=8):
    """Write a tile of one value for each (col, row): 10, 20 ... in images, 1, 2 ... in labels."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for number, (col, row) in enumerate(places, 1):
        image = np.full((size_px, size_px, 3), 10 * number, np.uint8)
        Image.fromarray(image).save(folder / "images" / f"OAM-{col}-{row}-20.png")
        label = np.full((size_px, size_px), number, np.uint8)
        Image.fromarray(label).save(folder / "labels" / f"OAM-{col}-{row}-20.png")


def test_tiles_that_adjoin_lie_side_by_side_north_up_and_gaps_are_unknown(tmp_path):
    write_tiles(tmp_path / "in", [(5, 7), (6, 7), (6, 8)])
    join_tiles(tmp_path / "in", tmp_path / "out", "none")
    (file,) = (tmp_path / "out" / "labels").iterdir()
    label = np.asarray(Image.open(file))
    assert label[::8, ::8].tolist() == [[1, 2], [0, 3]]
    assert label.shape == (16, 16)
    image = np.asarray(Image.open(tmp_path / "out" / "images" / f"{file.stem}.jpg")).astype(int)
    assert np.abs(image[4::8, 4::8, 0] - [[10, 20], [0, 30]]).max() <= 2


def test_tiles_kept_for_validation_stay_by_themselves_and_are_unknown_in_the_joined_image(tmp_path):
    write_tiles(tmp_path / "in", [(5, 7), (6, 7), (9, 7)])
    join_tiles(tmp_path / "in", tmp_path / "out", "OAM-[69]-*")
    labels = {file.stem: np.asarray(Image.open(file)) for file in (tmp_path / "out" / "labels").iterdir()}
    assert sorted(labels) == ["OAM-6-7-20", "OAM-9-7-20", "joined-OAM-5-7-20"]
    assert labels["joined-OAM-5-7-20"][::8, ::8].tolist() == [[1, 0]]
    assert (labels["OAM-6-7-20"] == 2).all()


def test_blocks_have_at_most_so_many_tiles_and_all_tiles_are_in_one(tmp_path):
    tiles = tiles_of(f"OAM-{col}-{row}-20" for col in range(100, 105) for row in range(200, 203))
    blocks = list(blocks_of(tiles, 2))
    assert sorted(len(block) for block in blocks) == [1, 2, 2, 2, 4, 4]
    assert sorted(one.stem for block in blocks for one in block) == sorted(one.stem for one in tiles)


def test_large_tiles_are_joined_to_fewer(tmp_path, monkeypatch):
    monkeypatch.setattr(joined_tiles, "MOST_PX", 16)
    write_tiles(tmp_path / "in", [(col, 7) for col in range(4)])
    join_tiles(tmp_path / "in", tmp_path / "out", "none")
    shapes = [np.asarray(Image.open(file)).shape for file in (tmp_path / "out" / "labels").iterdir()]
    assert shapes == [(8, 16), (8, 16)]


def test_a_name_that_is_no_tile_is_rejected():
    with pytest.raises(ValueError, match="a_tree: is not named"):
        tiles_of(["OAM-1-2-20", "a_tree"])
