import numpy as np
import pytest

from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.scores.calibration import calibrated_curve, fit_decision, logit_counts
from lsafnet.scores.change_curve import ChangeCounts


def counted(values, changed, weights=None, **grid):
    counts = ChangeCounts(**grid)
    counts.add(np.array(values), np.array(changed, bool), None if weights is None else np.array(weights))
    return counts.curve()


def test_average_precision_is_the_mean_precision_over_changed_pixels():
    curve = counted([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0])
    assert curve.average_precision() == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_the_best_threshold_lies_between_two_levels():
    curve = counted([0.9, 0.3, 0.2], [1, 1, 0])
    threshold, f1 = curve.best_f1()
    assert f1 == 1
    assert 0.2 < threshold < 0.3
    assert curve.f1_at(threshold) == 1
    assert curve.f1_at(0.5) == pytest.approx(2 / 3)
    assert curve.f1_at(0.95) == 0


def test_the_calibration_error_is_the_mean_gap_between_probability_and_share():
    curve = counted([0.25] * 4 + [0.95] * 2, [1, 1, 1, 0, 1, 1])
    rows = curve.reliability()
    assert [(row.low, row.pixels, row.changed) for row in rows] == [(0.2, 4, 0.75), (0.9, 2, 1.0)]
    assert curve.calibration_error() == pytest.approx((4 * 0.5 + 2 * 0.05) / 6)


def test_weights_count_pixels_more_than_once():
    assert counted([0.9, 0.1], [1, 0], [3.0, 1.0]).counts.sum() == 4


def test_nothing_has_no_scores():
    curve = ChangeCounts().curve()
    assert (curve.average_precision(), curve.calibration_error(), curve.reliability()) == (0, 0, ())


def drawn(temperature, bias, pixels=200_000):
    """Count logits of which as many have changed as sigmoid(logit / temperature + bias) says."""
    rng = np.random.default_rng(7)
    logits = rng.normal(-2, 3, pixels)
    counts = logit_counts()
    counts.add(logits, rng.random(pixels) < 1 / (1 + np.exp(-(logits / temperature + bias))))
    return counts


@pytest.mark.parametrize(("temperature", "bias"), [(2.0, 1.0), (0.6, -0.8), (1.0, 0.0)])
def test_the_fit_finds_the_temperature_and_bias_that_labels_were_drawn_with(temperature, bias):
    counts = drawn(temperature, bias)
    fitted = fit_decision(counts, "draws")
    assert fitted.temperature == pytest.approx(temperature, rel=0.03)
    assert fitted.bias == pytest.approx(bias, abs=0.04)
    assert fitted.fitted_on == "draws"
    assert calibrated_curve(counts, fitted).calibration_error() < 0.01


def test_the_fitted_threshold_gives_the_best_f1():
    counts = drawn(2.0, 1.0)
    fitted = fit_decision(counts, "draws")
    curve = calibrated_curve(counts, fitted)
    assert curve.f1_at(fitted.threshold) == pytest.approx(curve.best_f1()[1], abs=1e-3)
    assert curve.best_f1()[1] > curve.f1_at(0.9)


def test_what_cannot_be_fitted_is_said():
    counts = logit_counts()
    counts.add(np.array([1.0, 2.0]), np.array([True, True]))
    with pytest.raises(ValueError, match="one kind is missing"):
        fit_decision(counts, "")
    counts.add(np.array([3.0, 4.0, 5.0]), np.array([False, False, False]))
    with pytest.raises(ValueError, match="no temperature fits"):
        fit_decision(counts, "")


@pytest.mark.parametrize(
    "wrong", [{"threshold": 1.0}, {"threshold": 0.0}, {"temperature": 0.0}, {"bias": float("nan")}]
)
def test_a_decision_that_exists_is_right(wrong):
    from lsafnet.checkpoint.info import CheckpointError

    with pytest.raises(CheckpointError):
        ChangeDecision(**wrong)


@pytest.mark.parametrize("beta", [0.5, 0.7, 1.0, 2.0])
def test_the_best_f_beta_is_that_of_precision_and_recall(beta):
    rng = np.random.default_rng(5)
    changed = rng.random(4000) < 0.3
    counts = ChangeCounts()
    counts.add(np.clip(rng.normal(np.where(changed, 0.6, 0.4), 0.15), 0, 1), changed)
    curve = counts.curve()

    def f_beta(threshold):
        unchanged_above, right = curve.counts[:, curve.levels > threshold].sum(axis=1)
        precision, recall = right / max(right + unchanged_above, 1), right / changed.sum()
        return (1 + beta**2) * precision * recall / max(beta**2 * precision + recall, 1e-9)

    threshold, best = curve.best_f_beta(beta)
    assert best == pytest.approx(f_beta(threshold))
    assert best == pytest.approx(max(map(f_beta, (curve.levels[1:] + curve.levels[:-1]) / 2)))


def test_a_lower_beta_gives_a_higher_threshold_and_leaves_the_calibration():
    rng = np.random.default_rng(6)
    counts, changed = logit_counts(), rng.random(20_000) < 0.2
    counts.add(rng.normal(np.where(changed, 1.0, -1.0), 1.5), changed)
    plain, careful = fit_decision(counts, "x"), fit_decision(counts, "x", beta=0.5)
    assert careful.threshold > plain.threshold + 0.05
    assert (careful.temperature, careful.bias) == (plain.temperature, plain.bias)
