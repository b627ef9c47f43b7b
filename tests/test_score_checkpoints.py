"""The board: what it counts, and how it prints it."""

import json

import numpy as np
from PIL import Image

import board_sets
import score_checkpoints
import score_scales
from board_sets import BoardPair


def test_checkpoints_of_one_file_name_have_columns_of_their_own():
    board = {"F1": {"a/best.safetensors": 0.5, "b/best.safetensors": 0.25, "baseline": None}}
    columns = ["baseline", "a/best.safetensors", "b/best.safetensors"]
    lines = score_checkpoints.markdown(board, columns, ["baseline", "best", "best"]).splitlines()
    assert lines[0] == "| | baseline | best | best |"
    assert lines[2] == "| F1 | - | 0.500 | 0.250 |"


def test_false_alarms_are_counted_everywhere_and_where_nothing_was_built(tmp_path):
    changed = np.zeros((10, 10), bool)
    changed[:5] = True  # something was built here
    found = np.zeros((10, 10), bool)
    found[4:6] = True  # 10 px here, 10 px beyond
    label = np.zeros((10, 10), np.uint8)
    pair = BoardPair("place", tmp_path, tmp_path, label, label, changed, np.ones((10, 10), bool))
    tally = score_checkpoints.Tally(board_sets.UNCHANGED)
    tally.add_change(pair, found.astype(np.float32), found)
    outside, found_there = "false alarms outside real changes", "real changes found"

    def rows(tally):
        scores = tally.scores(baseline=True)
        return scores["false alarms"], scores[outside], scores[found_there], scores["F1"]

    assert rows(tally) == (0.2, 0.2, 0.2, 20 / 70)
    found[:4] = True
    tally = score_checkpoints.Tally(board_sets.UNCHANGED)
    tally.add_change(pair, found.astype(np.float32), found)
    assert rows(tally) == (0.6, 0.2, 1.0, 100 / 110)
    pair.valid[5:] = False  # nobody could say whether this changed
    tally = score_checkpoints.Tally(board_sets.UNCHANGED)
    tally.add_change(pair, found.astype(np.float32), found)
    assert rows(tally) == (0.6, 0.0, 1.0, 1.0)


def test_the_real_changes_of_claremont_are_what_was_outlined_there(tmp_path, monkeypatch):
    images, outlines = tmp_path / "eval" / "naip_california" / "images", tmp_path / "outlines.json"
    images.mkdir(parents=True)
    square = [80, 80, 160, 80, 160, 160, 80, 160]  # pixels 20 to 40 of both axes
    one = {"changes": [["vegetation", "building", square]], "unknown": [[400, 0, 1024, 0, 1024, 40, 400, 40]]}
    outlines.write_text(json.dumps({"claremont_57": one}))
    monkeypatch.setattr(board_sets, "CLAREMONT_OUTLINES", outlines)
    for place in ("claremont_57", "claremont_1"):
        for year in board_sets.FALSE_ALARM_YEARS:
            Image.fromarray(np.zeros((256, 256, 3), np.uint8)).save(images / f"{place}_{year}.jpg")
    sets = {one.name: one for one in board_sets.read_board(tmp_path, tmp_path)}
    first, second = sets["NAIP California"].pairs
    assert (first.name, second.name) == ("claremont_1", "claremont_57")
    assert not first.changed.any()
    assert first.valid.all()
    assert np.argwhere(second.changed).min() == 21
    assert np.argwhere(second.changed).max() == 38
    assert second.changed.sum() == 18 * 18
    assert set(second.label_before[second.changed]) == {board_sets.CLASSES.index("vegetation") + 1}
    assert set(second.label_after[second.changed]) == {board_sets.BUILDING_NUMBER}
    assert not second.valid[:10, 100:].any()
    assert not second.valid[19, 25:35].any()  # beside the line
    assert second.valid[16, 25:35].all()
    assert second.valid[second.changed].all()
    assert 24 * 24 - 18 * 18 - 16 < (~second.valid).sum() - 10 * 156 <= 24 * 24 - 18 * 18  # round corners


def test_roofs_drawn_on_claremont_are_a_set_of_buildings_beside_the_four_of_the_mean(tmp_path, monkeypatch):
    images, drawn = tmp_path / "eval" / "naip_california" / "images", tmp_path / "roofs.json"
    images.mkdir(parents=True)
    Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save(images / "claremont_1_2020.jpg")
    roof, unknown = [8, 8, 40, 8, 40, 40, 8, 40], [0, 0, 96, 0, 96, 12, 0, 12]
    one = {"roofs": [roof], "unknown": [unknown]}
    drawn.write_text(json.dumps({"claremont_1_2020": one, "claremont_2_2020": one}))
    monkeypatch.setattr(board_sets, "CLAREMONT_ROOFS", drawn)
    sets = {one.name: one for one in board_sets.read_board(tmp_path, tmp_path)}
    (pair,) = sets["Claremont"].pairs
    assert sets["Claremont"].kind == board_sets.BUILDING
    assert not pair.valid[:3].any()
    assert pair.valid[3:].all()
    assert (pair.label_before[3:10, 2:10] == board_sets.BUILDING_NUMBER).all()
    assert ((pair.label_before == board_sets.BUILDING_NUMBER) & pair.valid).sum() == 7 * 8
    assert pair.after.read_bytes() == pair.before.read_bytes()
    board = {f"{name}: IoU of building": {"a": 0.25, "b": None} for name in board_sets.BUILDING_SETS}
    board["Claremont: IoU of building"] = {"a": 1.0, "b": 1.0}
    score_checkpoints._add_means(board)
    assert board["mean IoU of building"] == {"a": 0.25}


def test_a_reduced_pair_has_the_mean_of_its_pixels_and_the_nearest_of_its_labels(tmp_path):
    rng = np.random.default_rng(1)
    image = np.repeat(np.repeat(rng.integers(0, 256, (6, 8, 3)), 4, 0), 4, 1).astype(np.uint8)
    label = np.repeat(np.repeat(rng.integers(0, 5, (6, 8)), 4, 0), 4, 1).astype(np.uint8)
    files = [tmp_path / f"{date}.png" for date in "ab"]
    for file in files:
        Image.fromarray(image).save(file)
    pair = BoardPair("place", *files, label, label[::-1], label > 2, label > 0)
    (found,) = score_scales.reduced(
        board_sets.BoardSet("set", board_sets.SEMANTIC, (pair,)), 4, tmp_path
    ).pairs
    np.testing.assert_array_equal(found.label_before, label[2::4, 2::4])
    np.testing.assert_array_equal(found.label_after, label[::-1][2::4, 2::4])
    np.testing.assert_array_equal(found.changed, found.label_before > 2)
    np.testing.assert_array_equal(found.valid, found.label_before > 0)
    with Image.open(found.before) as seen:
        assert seen.size == (8, 6)
        assert np.abs(np.asarray(seen).astype(int) - image[2::4, 2::4]).mean() < 25
