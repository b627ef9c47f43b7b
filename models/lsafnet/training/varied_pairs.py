"""Pairs drawn with wide variety from places of any kind: one date, two dates, or two where nothing changed.

What is drawn are places of one size (`Place`); here regions of another place are pasted in, what that says of change
is worked out (`lsafnet.label_sets`), and both dates are seen under looks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lsafnet.label_sets import CHANGED, LabelSets
from lsafnet.training.augment import LookOptions
from lsafnet.training.examples import Bools, Example
from lsafnet.training.single_date import (
    Place,
    SingleDateOptions,
    Truth,
    draw_regions,
    pasted_truth,
    photograph,
    recolored,
)

VARIED = SingleDateOptions(
    two_places=0.35,
    pasted=0.5,
    unchanged=0.15,
    zoom=(0.5, 1.8),
    shift_px=3,
    recolor=0.4,
    displaced=0.5,
    boxes=0.3,
    coarse_pair=0.2,
    look=LookOptions(
        1.6, haze=0.3, season=0.15, blur=0.3, noise=0.3, jpeg=0.4, coarse=0.4, coarsest=0.25, leafless=0.15
    ),
)
"""How places of one date, and scenes whose two dates are drawn, are varied."""
PLAIN = replace(
    VARIED, recolor=0, displaced=0.3, look=LookOptions(0.8, season=0.15, noise=0.2, jpeg=0.3, coarsest=0.25)
)
"""How a share of pairs is seen: nearly as it is."""
MATCHED = 0.5  # how often what is pasted in takes the colours of the place around it
REAL_STRENGTH = 0.55  # real dates differ in light and air already


@dataclass(frozen=True, slots=True)
class Dates:
    """One place at two dates: where its pixels count, where it changed, and where that is known (`Example`)."""

    before: Place
    after: Place
    valid: Bools
    changed: Bools
    known: Bools


def one_date_pair(
    dates: Dates,
    other: Place,
    size_px: int,
    rng: np.random.Generator,
    options: SingleDateOptions,
    sets: LabelSets,
) -> Example:
    """Return a pair of two places, of one with regions of the other pasted in, or of one place twice.

    Ground without a label has not changed where it is of one place, and is not valid where it is of another.
    """
    place, other = dates.before, matched(other, dates.before, rng)
    shares = np.array([options.two_places, options.pasted, options.unchanged])
    kind = rng.choice(3, p=shares / shares.sum())
    if rng.random() < options.recolor:
        [place] = recolored([place], rng, options)
    foreign = np.zeros(place.label.shape, bool)
    after = place
    if kind == 0:
        after, foreign = other, ~foreign
    elif kind == 1:
        foreign = region_to_paste(other, rng, options)
        after = paste(place, other, foreign, rng)
    said = pasted_truth(place.label, after.label, foreign, sets)
    truth = replace(said, valid=dates.valid & (~foreign | said.valid))
    return photograph(place, after, size_px, rng, options, truth)


def unchanged_pair(
    dates: Dates,
    other: Place,
    size_px: int,
    rng: np.random.Generator,
    options: SingleDateOptions,
    sets: LabelSets,
) -> Example:
    """Return two real dates of a place where nothing changed but, in a share of pairs, regions pasted into one.

    Where the sets of classes of both dates share nothing, whether it changed is not known.
    """
    look = replace(options.look, strength=options.look.strength * REAL_STRENGTH)
    options = replace(options, look=look)
    before, after = _recolored_dates(dates, rng, options)
    other = matched(other, after, rng)
    foreign = np.zeros(before.label.shape, bool)
    unsure = sets.comparison[before.label, after.label] == CHANGED
    if rng.random() < options.pasted_real:
        foreign = region_to_paste(other, rng, options)
        after = paste(after, other, foreign, rng)
    said = pasted_truth(before.label, after.label, foreign, sets)
    truth = Truth(said.changed, np.where(foreign, said.known, ~unsure), dates.valid & (~foreign | said.valid))
    return photograph(before, after, size_px, rng, options, truth)


def labelled_pair(
    dates: Dates, size_px: int, rng: np.random.Generator, options: SingleDateOptions
) -> Example:
    """Return two dates whose labels say what changed."""
    truth = Truth(dates.changed, dates.known, dates.valid)
    before, after = _recolored_dates(dates, rng, options)
    return photograph(before, after, size_px, rng, options, truth)


def _recolored_dates(
    dates: Dates, rng: np.random.Generator, options: SingleDateOptions
) -> tuple[Place, Place]:
    """Return both dates, in a share of pairs with other soils, roofs and plants, the same ones at both."""
    before, after = dates.before, dates.after
    if rng.random() < options.recolor:
        before, after = recolored([before, after], rng, options)
    return before, after


def region_to_paste(other: Place, rng: np.random.Generator, options: SingleDateOptions) -> Bools:
    """Return where (side, side) regions of a place are taken from: along its labels' borders, or rectangles."""
    share = float(rng.uniform(0.05, 0.5))
    if rng.random() >= options.boxes and (other.label > 0).any():
        return draw_regions(other.label, share, rng)
    side = len(other.label)
    where = np.zeros_like(other.label, bool)
    for _ in range(int(rng.integers(1, 4))):
        rows, cols = (max(4, round(side * x)) for x in rng.uniform(0.08, 0.55, 2))
        top, left = rng.integers(side - rows + 1), rng.integers(side - cols + 1)
        where[top : top + rows, left : left + cols] = True
    return where


def matched(other: Place, place: Place, rng: np.random.Generator) -> Place:
    """Return a place, half the time with each band's mean and spread of another."""
    if rng.random() >= MATCHED:
        return other
    mean, wanted_mean = (one.image.mean(axis=(1, 2), keepdims=True) for one in (other, place))
    spread, wanted_spread = (one.image.std(axis=(1, 2), keepdims=True) for one in (other, place))
    gain = (wanted_spread / spread.clip(1)).clip(0.5, 2)
    return Place((other.image - mean) * gain + wanted_mean, other.label)


def paste(place: Place, other: Place, where: Bools, rng: np.random.Generator) -> Place:
    """Return a place with another's pixels and labels where `where` is True, softly at its border."""
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(where.astype(np.float32), rng.uniform(0.3, 1.2))
    weight = np.where(where, soft.clip(0.6), soft).astype(np.float32)
    image = place.image + weight * (other.image - place.image)
    return Place(image, np.where(where, other.label, place.label))
