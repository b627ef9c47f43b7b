"""Margins give the scores of confusion matrices, one or many; intervals by resampling keep what they promise."""

import numpy as np
import pytest

from lsafnet import ChangeMetrics
from lsafnet.scores import bootstrap, pair_counts
from lsafnet.scores.bootstrap import percentile_interval, resampled_scores
from lsafnet.scores.confusion import HEADLINES, margins_of, scores_of


def maps_with_errors(seed, count, side=16, classes=4):
    """Return (2, count, side, side) labels of squares, and predictions in which a varying share is wrong."""
    rng = np.random.default_rng(seed)
    changed = np.kron(rng.integers(0, 2, (count, side // 4, side // 4)), np.ones((4, 4), int))
    labels = rng.integers(1, classes, (2, count, 1, 1)) * changed
    wrong = rng.random((count, side, side)) < rng.uniform(0.05, 0.4, (count, 1, 1))
    guesses = rng.integers(1, classes, (2, count, side, side)) * rng.integers(0, 2, (count, side, side))
    return labels, np.where(wrong, guesses, labels)


def units_of(labels, predictions, classes=4):
    metrics = ChangeMetrics(classes)
    each = zip(*predictions, *labels, strict=True)
    units = np.stack([margins_of(metrics.update(*maps).numpy()) for maps in each])
    return units, metrics.compute()


def test_margins_of_units_add_up_to_the_scores_of_all():
    units, scores = units_of(*maps_with_errors(0, 12))
    together = scores_of(units.sum(axis=0))
    for name in (*HEADLINES, "iou_changed", "iou_unchanged"):
        assert float(together[name]) == pytest.approx(scores[name], rel=1e-12)


def test_many_margins_are_scored_as_each_alone():
    units, _ = units_of(*maps_with_errors(1, 5))
    together = scores_of(units)
    for index, unit in enumerate(units):
        assert {n: v[index] for n, v in together.items()} == {n: float(v) for n, v in scores_of(unit).items()}


def test_intervals_hold_the_score_and_shrink_with_more_units():
    widths = []
    for count in (10, 40, 160):
        units, scores = units_of(*maps_with_errors(2, count))
        resamples = resampled_scores(units, 1000, seed=0)
        ends = {name: percentile_interval(resamples[name]) for name in HEADLINES}
        assert all(low < scores[name] < high for name, (low, high) in ends.items())
        widths.append(ends["f_scd"][1] - ends["f_scd"][0])
    assert widths[0] > 1.5 * widths[1] > 1.5**2 * widths[2]


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    _, truth = units_of(*maps_with_errors(3, 3000))
    covered = 0
    for seed in range(60):
        units, _ = units_of(*maps_with_errors(100 + seed, 40, side=8))
        low, high = percentile_interval(resampled_scores(units, 300, seed)["oa"])
        covered += low <= truth["oa"] <= high
    assert covered >= 50  # 57 are expected


def test_the_seed_decides_and_the_share_held_in_memory_does_not(monkeypatch):
    units, _ = units_of(*maps_with_errors(4, 20))
    first, other = resampled_scores(units, 50, seed=1), resampled_scores(units, 50, seed=2)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 60)
    again = resampled_scores(units, 50, seed=1)
    for name in HEADLINES:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["miou"] != other["miou"]).any()


@pytest.mark.parametrize("largest", [1 << 20, 0])
def test_the_confusion_of_transitions_is_counted_alike_in_a_table_and_as_pairs(monkeypatch, largest):
    monkeypatch.setattr(pair_counts, "LARGEST_TABLE", largest)
    labels, predictions = maps_with_errors(5, 6)
    metrics = ChangeMetrics(4)
    for index in range(6):
        metrics.update(*predictions[:, index], *labels[:, index])
    codes = [np.where(m[0] > 0, 1 + (m[0] - 1) * 3 + m[1] - 1, 0).ravel() for m in (predictions, labels)]
    expected = np.zeros((10, 10), int)
    np.add.at(expected, tuple(codes), 1)
    table = metrics.transition_table()
    found = np.zeros((10, 10), int)
    found[table.predicted, table.labelled] = table.pixels
    np.testing.assert_array_equal(found, expected)
    whole = ChangeMetrics(4)
    whole.update(*predictions, *labels)
    assert whole.compute() == metrics.compute()


def test_hundreds_of_classes_take_the_memory_of_what_occurs():
    metrics = ChangeMetrics(256)
    one, other = np.array([[255, 1, 0]]), np.array([[254, 2, 0]])
    metrics.update(one, other, one, other)
    assert len(metrics.transition_table().pixels) == 3
    assert {row["iou"] for row in metrics.compute()["transitions"]} == {1}
