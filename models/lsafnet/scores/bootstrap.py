"""Confidence intervals of scores by resampling the units in which pixels were counted.

Efron and Tibshirani, "An introduction to the bootstrap", 1993: the percentile interval, chapter 13.
"""

import numpy as np

from lsafnet.scores.confusion import HEADLINES, Floats, scores_of

LEVEL = 0.95
DRAWS_AT_ONCE = 1 << 20  # weights held in memory, of as many resamples as that makes


def resampled_scores(units: Floats, resamples: int, seed: int) -> dict[str, Floats]:
    """Return (resamples,) values of each of HEADLINES over units drawn with replacement, as many as there are.

    units: (units, 2 + 2 K) margins, as `margins_of` returns them. The same seed and number of units draw the same
    units, so that the differences of two networks' values over the same units are resampled differences.
    """
    scores = scores_of(draw_units(units, resamples, seed))
    return {name: scores[name] for name in HEADLINES}


def draw_units(units: Floats, resamples: int, seed: int) -> Floats:
    """Return (resamples, numbers) sums over as many units as there are, drawn with replacement."""
    rng, count = np.random.default_rng(seed), len(units)
    at_once = max(1, DRAWS_AT_ONCE // count)
    found = []
    for first in range(0, resamples, at_once):
        weights = rng.multinomial(count, np.full(count, 1 / count), min(at_once, resamples - first))
        found.append(weights.astype(np.float64) @ units)
    return np.concatenate(found)


def percentile_interval(values: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Return the ends between which the middle `level` of the values lies."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
