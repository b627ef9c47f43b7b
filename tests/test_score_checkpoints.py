"""The board: what it counts, and how it prints it."""

import numpy as np
from PIL import Image

import board_sets
import score_checkpoints
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
    assert scores == {"false alarms": 0.2, "false alarms outside real changes": 0.2}
    found[:4] = True
    tally = score_checkpoints.Tally(board_sets.UNCHANGED)
    tally.add_change(pair, found.astype(np.float32), found)
    assert tally.scores(baseline=False) == {"false alarms": 0.6, "false alarms outside real changes": 0.2}


def test_the_boxes_of_real_changes_are_those_of_the_places(tmp_path):
    images = tmp_path / "eval" / "naip_california" / "images"
    images.mkdir(parents=True)
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
    assert second.valid.all()
