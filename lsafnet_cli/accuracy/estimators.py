"""Estimates from a stratified random sample: accuracies and areas, with standard errors.

Stehman, "Estimating area and map accuracy for stratified random sampling when the strata are different from the
map classes", International Journal of Remote Sensing 35 (2014). Where the strata are the map's classes these are
the estimates of Olofsson et al., "Good practices for estimating area and assessing accuracy of land change",
Remote Sensing of Environment 148 (2014), equations 1 to 11.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.geometry.arrays import FloatArray, IntArray

Z95 = 1.96  # of the standard errors on either side make a 95 % interval, as in both papers


@dataclass(frozen=True, slots=True)
class StratifiedSample:
    """Points (n,) by stratum, class in the map and class in the reference, all numbers from 0.

    weight: (strata,) ground or pixels of each. pixels: (strata,), for the correction where much of a stratum was
    looked at. class_count: how many classes there are.
    """

    stratum: IntArray
    mapped: IntArray
    reference: IntArray
    weight: FloatArray
    pixels: IntArray
    class_count: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Values and their standard errors, of any shape; NaN where there is nothing to say."""

    value: FloatArray
    error: FloatArray

    @property
    def low(self) -> FloatArray:
        """Lower ends of the 95 % intervals, not below 0."""
        return np.maximum(self.value - Z95 * self.error, 0)

    @property
    def high(self) -> FloatArray:
        """Upper ends of the 95 % intervals, not above 1."""
        return np.minimum(self.value + Z95 * self.error, 1)


@dataclass(frozen=True, slots=True)
class Estimates:
    """What a sample says: all as shares of the ground of its strata.

    matrix: (classes, classes), rows the map, columns the reference. area: (classes,) of the reference.
    """

    matrix: FloatArray
    overall: Estimate
    users: Estimate
    producers: Estimate
    area: Estimate


def estimate(sample: StratifiedSample) -> Estimates:
    """Return all estimates. A stratum with one point, unless it has but one pixel, leaves errors unknown (NaN)."""
    classes = np.arange(sample.class_count)
    mapped = (sample.mapped[:, None] == classes).astype(np.float64)
    reference = (sample.reference[:, None] == classes).astype(np.float64)
    right = mapped * reference
    means = _Means(sample)
    cells = mapped[:, :, None] * reference[:, None, :]
    return Estimates(
        matrix=means.of(cells.reshape(len(mapped), -1)).reshape(sample.class_count, -1),
        overall=_scalar(means.estimate(right.sum(axis=1, keepdims=True))),
        users=means.ratio(right, mapped),
        producers=means.ratio(right, reference),
        area=means.estimate(reference),
    )


def _scalar(found: Estimate) -> Estimate:
    return Estimate(found.value[0], found.error[0])


class _Means:
    """Means over all strata of what was seen at the points, (n, k), and their errors (Stehman 2014, eq. 3, 25-29)."""

    def __init__(self, sample: StratifiedSample) -> None:
        self._stratum, strata = sample.stratum, len(sample.weight)
        self._counts = np.bincount(sample.stratum, minlength=strata).astype(np.float64)
        seen = self._counts > 0
        weight = np.where(seen, sample.weight, 0.0)
        self._share = weight / weight.sum()
        self._rest = np.clip(1 - self._counts / sample.pixels, 0, 1)  # 0 where every pixel was looked at

    def of(self, values: FloatArray) -> FloatArray:
        """Return (k,) means."""
        return np.asarray(self._share @ self._by_stratum(values))

    def estimate(self, values: FloatArray) -> Estimate:
        """Return (k,) means and their errors."""
        return Estimate(self.of(values), np.sqrt(self._variance(values)))

    def ratio(self, part: FloatArray, whole: FloatArray) -> Estimate:
        """Return (k,) ratios of two means, and their errors; NaN where the whole is nothing."""
        below = self.of(whole)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self.of(part) / below
            residual = part - value * whole
            error = np.sqrt(self._variance(residual)) / below
        return Estimate(value, error)

    def _by_stratum(self, values: FloatArray) -> FloatArray:
        sums = np.zeros((len(self._counts), values.shape[1]))
        np.add.at(sums, self._stratum, values)
        return np.asarray(sums / np.maximum(self._counts, 1)[:, None])

    def _variance(self, values: FloatArray) -> FloatArray:
        """Return (k,) sums over the strata of W^2 (1 - n / N) s^2 / n."""
        spread = self._by_stratum((values - self._by_stratum(values)[self._stratum]) ** 2)
        factor: NDArray[np.float64] = np.zeros(len(self._counts))
        open_strata = (self._share > 0) & (self._rest > 0)
        with np.errstate(divide="ignore"):
            factor[open_strata] = (self._share**2 * self._rest / (self._counts - 1))[open_strata]
        factor[np.isinf(factor)] = np.nan
        return np.asarray(factor @ spread)
