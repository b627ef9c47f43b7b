"""Allocation of points to the strata of a sample (Olofsson et al. 2014, section 5; Cochran 1977, chapter 5)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lsafnet_cli.accuracy.strata import Stratum
from lsafnet_cli.errors import OptionError
from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.legend.classes import UNCHANGED

ALLOCATIONS = ("equal", "proportional", "neyman", "optimal")
PER_STRATUM = 50  # smallest number that the paper recommends for rare classes
LEAST_POINTS = 2  # of a stratum: a single point gives no spread
EXPECTED_UNCHANGED, EXPECTED_CHANGE = 0.95, 0.7  # default user's accuracies


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Size of a sample and its allocation.

    Either `total`, or as many as give the overall accuracy `standard_error`, or `per_stratum` in each. With one
    of the former `per_stratum` is the least number of each. `expected` has user's accuracies by stratum.
    """

    total: int | None = None
    standard_error: float | None = None
    per_stratum: int | None = None
    allocation: str = "equal"
    expected: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.allocation not in ALLOCATIONS:
            raise OptionError(f"`allocation` {self.allocation}: choose from {', '.join(ALLOCATIONS)}")
        if self.total is not None and self.standard_error is not None:
            raise OptionError("`total` and `standard_error` both set the number of points: give one of them")
        if self.total is None and self.standard_error is None and self.allocation != "equal":
            raise OptionError(f"`allocation` {self.allocation}: give the number of points in `total`")
        for option, value in (("total", self.total), ("per_stratum", self.per_stratum)):
            if value is not None and value < LEAST_POINTS:
                raise OptionError(f"`{option}` {value}: give {LEAST_POINTS} or more")
        if self.standard_error is not None and not 0 < self.standard_error < 0.5:
            raise OptionError(f"`standard_error` {self.standard_error}: give a number between 0 and 0.5")
        for name, share in (self.expected or {}).items():
            if not 0 < share < 1:
                raise OptionError(f"`expected` {name}={share}: an accuracy must be between 0 and 1")


def parse_expected(texts: Sequence[str]) -> dict[str, float]:
    """Read "water to ground=0.7". Raises OptionError for anything else."""
    expected = {}
    for text in texts:
        name, _, share = text.rpartition("=")
        try:
            expected[name.strip()] = float(share)
        except ValueError:
            expected[""] = 0.0
        if not name.strip() or "" in expected:
            raise OptionError(f'`expected` {text}: write STRATUM=ACCURACY, as "unchanged=0.95"')
    return expected


def allocate(strata: Sequence[Stratum], size: SampleSize) -> IntArray:
    """Return (strata,) numbers of points; no stratum gets more than its pixels.

    Raises OptionError for expectations of strata that are not there, and for a total that is too small.
    """
    pixels = np.array([one.pixels for one in strata])
    accuracy = expected_accuracies(strata, size.expected or {})
    weight = _weights(strata)
    total = size.total
    if size.standard_error is not None:
        total = total_for(weight, accuracy, size.standard_error)
    if total is None:
        return np.asarray(np.minimum(size.per_stratum or PER_STRATUM, pixels))
    floor = np.minimum(size.per_stratum or LEAST_POINTS, pixels)
    if total < floor.sum():
        raise OptionError(
            f"`total` {total}: {len(strata)} strata need at least {int(floor.sum())} points; merge rare ones with "
            "`rare_percent` or `by` change"
        )
    return _shared_out(total, _wishes(weight, accuracy, size.allocation), floor, pixels)


def expected_accuracies(strata: Sequence[Stratum], expected: Mapping[str, float]) -> FloatArray:
    """Return (strata,) user's accuracies that are expected. Raises OptionError for names of no stratum."""
    names = [one.name for one in strata]
    for name in expected:
        if name not in names:
            raise OptionError(f"`expected` {name}: is no stratum; there are {', '.join(names)}")
    usual = (EXPECTED_UNCHANGED if UNCHANGED in one.codes else EXPECTED_CHANGE for one in strata)
    return np.array([expected.get(name, share) for name, share in zip(names, usual, strict=True)])


def total_for(weight: FloatArray, accuracy: FloatArray, standard_error: float) -> int:
    """Return n = (sum of W_i S_i / S(O))^2, S_i^2 = U_i (1 - U_i): Olofsson et al. 2014, equation 13."""
    spread = float((weight * np.sqrt(accuracy * (1 - accuracy))).sum())
    return math.ceil(round((spread / standard_error) ** 2, 6))


def _weights(strata: Sequence[Stratum]) -> FloatArray:
    weight = np.array([one.weight for one in strata])
    return np.asarray(weight / weight.sum())


def _wishes(weight: FloatArray, accuracy: FloatArray, allocation: str) -> FloatArray:
    """Return (strata,) numbers to which the points of a sample are to be proportional.

    Neyman's make the variance of the overall accuracy least. "optimal" makes that plus the variance of the mean
    user's accuracy least, a compromise in the sense of Wagner and Stehman 2015.
    """
    variance = accuracy * (1 - accuracy)
    return {
        "equal": np.ones(len(weight)),
        "proportional": weight,
        "neyman": weight * np.sqrt(variance),
        "optimal": np.sqrt(variance * (weight**2 + 1 / len(weight) ** 2)),
    }[allocation]


def _shared_out(total: int, wishes: FloatArray, floor: IntArray, most: IntArray) -> IntArray:
    """Return whole numbers between floor and most that add up to total, as near to the wishes as may be."""
    total = min(total, int(most.sum()))
    low, high = 0.0, float(total) / wishes[wishes > 0].min()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * wishes, floor, most).sum() < total else (low, middle)
    exact = np.clip(high * wishes, floor, most)
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    for index in order[: max(total - int(counts.sum()), 0)]:
        counts[index] += 1
    return np.asarray(counts)
