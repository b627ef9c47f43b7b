"""Fit the calibration of change logits: temperature and bias by maximum likelihood, threshold by F-beta."""

import numpy as np

from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.scores.change_curve import ChangeCounts, ChangeCurve, Floats

HIGHEST_LOGIT, LOGIT_STEPS = 16.0, 3200
MOST_ROUNDS = 100
SMALLEST_SLOPE, LARGEST_SLOPE = 1e-2, 1e2  # beyond them the likelihood has no maximum, or none worth having


def logit_counts() -> ChangeCounts:
    """Return counts of 0, by logit."""
    return ChangeCounts(-HIGHEST_LOGIT, HIGHEST_LOGIT, LOGIT_STEPS)


def calibrated_curve(counts: ChangeCounts, decision: ChangeDecision) -> ChangeCurve:
    """Return pixels that were counted by their logits by the probability that a decision gives them."""
    return ChangeCurve(_sigmoid(counts.values / decision.temperature + decision.bias), counts.counts.copy())


def fit_decision(counts: ChangeCounts, fitted_on: str, beta: float = 1.0) -> ChangeDecision:
    """Return the decision under which labels are most likely, and the F-beta of changed pixels is best.

    beta: 1 for F1; below it, precision counts more than recall.

    Raises ValueError where nothing has changed, or everything, or where higher logits do not mean change.
    """
    if (counts.counts.sum(axis=1) == 0).any():
        raise ValueError("both changed and unchanged pixels are needed, but one kind is missing")
    slope, bias = _maximum_likelihood(counts.values, *counts.counts)
    if not SMALLEST_SLOPE <= slope <= LARGEST_SLOPE:
        raise ValueError(
            f"no temperature fits (its inverse came to {slope:.3g}): the logits do not discriminate change"
        )
    fitted = ChangeDecision(0.5, round(1 / slope, 6), round(bias, 6), fitted_on)
    threshold = float(np.clip(calibrated_curve(counts, fitted).best_f_beta(beta)[0], 1e-3, 1 - 1e-3))
    return ChangeDecision(round(threshold, 4), fitted.temperature, fitted.bias, fitted_on)


def _maximum_likelihood(logits: Floats, unchanged: Floats, changed: Floats) -> tuple[float, float]:
    """Return (slope, bias) of the logistic regression of weighted counts, by damped Newton steps in double."""
    design = np.stack([logits, np.ones_like(logits)])
    total, found = unchanged + changed, np.array([1.0, 0.0])
    loss = _loss(found @ design, unchanged, changed)
    for _ in range(MOST_ROUNDS):
        probability = _sigmoid(found @ design)
        gradient = design @ (total * probability - changed)
        curvature = (design * (total * probability * (1 - probability))) @ design.T
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        size = 1.0
        while (lower := _loss((found - size * step) @ design, unchanged, changed)) > loss and size > 1e-6:
            size /= 2
        found = found - size * step
        if loss - lower <= 1e-12 * abs(loss):
            break
        loss = lower
    return float(found[0]), float(found[1])


def _loss(logits: Floats, unchanged: Floats, changed: Floats) -> float:
    """Return minus the log-likelihood."""
    return float((changed * np.logaddexp(0, -logits) + unchanged * np.logaddexp(0, logits)).sum())


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -logits)), np.float64)
