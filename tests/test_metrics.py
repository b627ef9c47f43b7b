"""The scores equal what was recorded, and what a hand computes."""

import math

import numpy as np
import pytest
import torch

from lsafnet import ChangeMetrics

from .recordings import read_recording

MAPS = ("pred_before", "pred_after", "label_before", "label_after")

# Four pixels: unchanged; 1 to 2, found; 1 to 2, found as 1 to 1; unchanged, taken for 2 to 1.
PRED_BEFORE, PRED_AFTER = np.array([[0, 1, 1, 2]]), np.array([[0, 2, 1, 1]])
LABEL_BEFORE, LABEL_AFTER = np.array([[0, 1, 1, 0]]), np.array([[0, 2, 2, 0]])


def by_hand() -> ChangeMetrics:
    metrics = ChangeMetrics(3)
    metrics.update(PRED_BEFORE, PRED_AFTER, LABEL_BEFORE, LABEL_AFTER)
    return metrics


def test_scores_equal_the_recorded_ones() -> None:
    recorded = read_recording("metrics")
    metrics = ChangeMetrics(recorded["num_classes"])
    metrics.update(*(np.array([[int(x) for x in row] for row in recorded[name]]) for name in MAPS))
    scores = metrics.compute()
    values = recorded["values"]
    assert {name: scores[name] for name in values} == pytest.approx(values, rel=1e-9)


def test_scores_are_what_a_hand_computes() -> None:
    scores = by_hand().compute()
    assert scores["iou_unchanged"] == pytest.approx(1 / 2)
    assert scores["iou_changed"] == pytest.approx(2 / 3)
    assert scores["miou"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores["oa"] == pytest.approx(5 / 8)
    assert scores["f_scd"] == pytest.approx(2 * 3 / (6 + 4))
    # Without the two pixels unchanged in both: 6 counted, 3 right; by chance (0*2 + 4*2 + 2*2) / 36.
    kappa = (1 / 2 - 1 / 3) / (1 - 1 / 3)
    assert scores["sek"] == pytest.approx(kappa * math.exp(2 / 3 - 1))


def test_missed_and_false_changes_count_in_the_chance_agreement_of_sek() -> None:
    metrics = by_hand()
    metrics.update(*(np.array([[x]]) for x in (0, 0, 2, 1)))  # a fifth pixel, from 2 to 1, is missed
    # Without what is unchanged in both: 8 counted, 3 right; predicted 2, 4, 2 and labelled 2, 3, 3 of each class.
    by_chance = (2 * 2 + 4 * 3 + 2 * 3) / 8**2
    kappa = (3 / 8 - by_chance) / (1 - by_chance)
    assert metrics.compute()["sek"] == pytest.approx(kappa * math.exp(1 / 2 - 1))


def test_each_transition_has_its_own_scores() -> None:
    scores = {(s["from_class"], s["to_class"]): s for s in by_hand().compute()["transitions"]}
    assert scores.keys() == {(1, 2), (1, 1), (2, 1)}
    assert scores[1, 2]["precision"] == 1
    assert scores[1, 2]["recall"] == 1 / 2
    assert scores[1, 2]["f1"] == pytest.approx(2 / 3)
    assert scores[1, 2]["pixels"] == 2
    assert scores[2, 1]["iou"] == 0


def test_each_class_has_its_scores_over_both_dates() -> None:
    first, second = by_hand().compute()["classes"]
    # class 1: labelled twice before; predicted twice before (both right) and twice after (both wrong)
    assert (first["class"], first["pixels"], first["predicted_pixels"]) == (1, 2, 4)
    assert (first["precision"], first["recall"], first["iou"]) == (1 / 2, 1, 1 / 2)
    # class 2: labelled twice after, of which one is found; predicted once before where nothing changed
    assert (second["precision"], second["recall"], second["iou"]) == (1 / 2, 1 / 2, 1 / 3)


def test_scores_do_not_depend_on_how_maps_are_split() -> None:
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 4, (4, 6, 8, 8))
    whole, parts = ChangeMetrics(4), ChangeMetrics(4)
    whole.update(*maps)
    for index in range(6):
        parts.update(*(torch.from_numpy(x[index]) for x in maps))
    assert whole.compute() == parts.compute()


def test_invalid_pixels_are_left_out() -> None:
    metrics = ChangeMetrics(3)
    metrics.update(PRED_BEFORE, PRED_AFTER, LABEL_BEFORE, LABEL_AFTER, valid=np.array([[1, 1, 0, 0]], bool))
    scores = metrics.compute()
    assert scores["miou"] == scores["f_scd"] == scores["oa"] == 1


def test_perfect_maps_score_one_and_no_maps_score_nothing() -> None:
    perfect = ChangeMetrics(3)
    perfect.update(LABEL_BEFORE, LABEL_AFTER, LABEL_BEFORE, LABEL_AFTER)
    for name in ("miou", "oa", "sek", "f_scd"):
        assert perfect.compute()[name] == pytest.approx(1)
    empty = ChangeMetrics(3).compute()
    assert empty["miou"] == empty["f_scd"] == 0
    assert empty["transitions"] == []


def test_a_class_outside_the_legend_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.2, not 0\.\.3"):
        ChangeMetrics(3).update(*(np.array([[0, 3]]) for _ in MAPS))
