"""The decision of the shipped checkpoint: what its threshold is fitted on."""

import numpy as np
import pytest
from PIL import Image

import board_sets
import calibrate_shipped
from calibrate_shipped import STILL
from lsafnet.scores.calibration import logit_counts


def test_held_out_places_are_seen_at_their_first_and_last_date(tmp_path):
    images = tmp_path / "train" / "naip_california" / "images"
    images.mkdir(parents=True)
    for name in (
        "b_33_2016",
        "b_33_2018",
        "b_33_2020",
        "a_33_2018",
        "a_33_2020",
        "c_33_2020",
        "a_34_2018",
        "a_34_2020",
    ):
        Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(images / f"{name}.jpg")
    first, second = board_sets.held_out_places(tmp_path)
    assert (first.before.stem, first.after.stem) == ("a_33_2018", "a_33_2020")
    assert (second.before.stem, second.after.stem) == ("b_33_2016", "b_33_2020")
    assert (second.name, second.changed.shape) == ("b_33", (8, 12))
    assert second.valid.all()
    assert not second.changed.any()
    assert not list(board_sets.held_out_places(tmp_path / "elsewhere"))


def test_boxes_in_which_a_held_out_place_changed_do_not_count(tmp_path, monkeypatch):
    images, boxes = tmp_path / "train" / "naip_california" / "images", tmp_path / "boxes.toml"
    images.mkdir(parents=True)
    for name in ("a_33_2018", "a_33_2020"):
        Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(images / f"{name}.jpg")
    boxes.write_text("[held_out]\na_33 = [[2, 1, 5, 4]]\n")
    monkeypatch.setattr(board_sets, "NAIP_CHANGES", boxes)
    (pair,) = board_sets.held_out_places(tmp_path)
    assert not pair.changed.any()
    assert not pair.valid[1:4, 2:5].any()
    assert pair.valid.sum() == 8 * 12 - 9


@pytest.fixture
def counted():
    """Return counts of both halves: half of a source's pixels changed, with higher logits; those of STILL did not."""
    rng = np.random.default_rng(1)
    found = {source: (logit_counts(), logit_counts()) for source in (*calibrate_shipped.SOURCES, STILL)}
    for source, halves in found.items():
        for counts in halves:
            changed = (np.arange(20_000) % 2 == 0) & (source != STILL)
            counts.add(rng.normal(np.where(changed, 1.0, -1.0), 1.0), changed)
    return found


def test_places_without_change_raise_the_threshold_and_nothing_else(counted):
    fitted = calibrate_shipped.fitted_on(counted, 0, "half 1")
    without = calibrate_shipped.fitted_on(counted | {STILL: (logit_counts(), logit_counts())}, 0, "half 1")
    assert fitted.threshold > without.threshold + 0.02
    assert (fitted.temperature, fitted.bias) == (without.temperature, without.bias)


def test_the_report_says_how_much_of_unchanged_places_is_called_changed(counted):
    own = calibrate_shipped.fitted_on(counted, 0, "half 1")
    lines = list(calibrate_shipped.report(counted, own))
    still = [line for line in lines if STILL in line]
    assert len(still) == 4
    assert all(line.endswith("% called changed") for line in still)
    share = float(still[0].split()[-3].rstrip("%"))
    assert 2 < share < 16  # 16 % have a logit above 0, and the threshold is higher
    assert len([line for line in lines if "ECE" in line]) == 12
