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
    scores = tally.scores(baseline=False)
    outside, within = "false alarms outside real changes", "called changed in boxes of real changes"
    assert scores == {"false alarms": 0.2, outside: 0.2, within: 0.2}
    found[:4] = True
    tally = score_checkpoints.Tally(board_sets.UNCHANGED)
    tally.add_change(pair, found.astype(np.float32), found)
    assert tally.scores(baseline=False) == {"false alarms": 0.6, outside: 0.2, within: 1.0}
    pair.valid[5:] = False  # nobody could say whether this changed
    tally = score_checkpoints.Tally(board_sets.UNCHANGED)
    tally.add_change(pair, found.astype(np.float32), found)
    scores = tally.scores(baseline=False)
    assert (scores["false alarms"], scores[within]) == (0.6, 1.0)


def test_the_boxes_of_real_changes_are_those_of_the_places(tmp_path, monkeypatch):
    images, boxes = tmp_path / "eval" / "naip_california" / "images", tmp_path / "boxes.toml"
    images.mkdir(parents=True)
    boxes.write_text(
        "[boxes]\nclaremont_57 = [[130, 165, 165, 256]]\n[unsure]\nclaremont_57 = [[150, 200, 256, 256]]\n"
    )
    monkeypatch.setattr(board_sets, "REAL_CHANGES", boxes)
    for place in ("claremont_57", "claremont_1"):
        for year in board_sets.FALSE_ALARM_YEARS:
            Image.fromarray(np.zeros((256, 256, 3), np.uint8)).save(images / f"{place}_{year}.jpg")
    sets = {one.name: one for one in board_sets.read_board(tmp_path, tmp_path)}
    first, second = sets["NAIP California"].pairs
    assert (first.name, second.name) == ("claremont_1", "claremont_57")
    assert not first.changed.any()
    assert second.changed[165:, 130:165].all()
    assert second.changed.sum() == 91 * 35
    assert first.valid.all()
    assert not second.valid[200:, 165:].any()
    assert (~second.valid).sum() == 56 * 91  # what surely changed counts


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
