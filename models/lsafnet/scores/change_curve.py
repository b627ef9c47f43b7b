"""How well the probability of change ranks pixels, and how far it can be taken at its word.

Average precision and F1 come from how many pixels of each probability have changed; so does the expected
calibration error: Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
GROUPS = 10  # of equal width, in a reliability table


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Pixels whose probability lies in [low, high): how many, what it is in the mean, what share has changed."""

    low: float
    high: float
    pixels: int
    probability: float
    changed: float


@dataclass(frozen=True, slots=True)
class ChangeCurve:
    """Pixels by their probability of change: rising `levels` (n,), and how many are unchanged and changed (2, n)."""

    levels: Floats
    counts: Floats

    def _f_beta(self, beta: float = 1.0) -> Floats:
        """Return F-beta of calling the pixels of each level and of higher ones changed, and, last, of none."""
        found, right = self._from_level_on()
        whole = found + beta**2 * self.counts[1].sum()
        f_beta = np.divide((1 + beta**2) * right, whole, out=np.zeros_like(whole), where=whole > 0)
        return np.append(f_beta, 0.0)

    def _from_level_on(self) -> tuple[Floats, Floats]:
        """Return, for each level, how many pixels of it and of higher ones there are, and how many have changed."""
        unchanged, changed = self.counts[:, ::-1].cumsum(axis=1)[:, ::-1]
        return unchanged + changed, changed

    def f1_at(self, threshold: float) -> float:
        """Return the F1 of the levels above a threshold; 0 of nothing."""
        return float(self._f_beta()[np.searchsorted(self.levels, threshold, side="right")])

    def best_f1(self) -> tuple[float, float]:
        """Return (threshold, F1) of the best threshold, which lies in the middle between two levels."""
        return self.best_f_beta(1.0)

    def best_f_beta(self, beta: float) -> tuple[float, float]:
        """Return (threshold, F-beta) of the best threshold, as `best_f1`.

        F-beta is the harmonic mean of precision and recall, with recall weighing beta**2 times as much (van
        Rijsbergen, "Information retrieval", 1979).
        """
        f_beta = self._f_beta(beta)[1:-1]
        best = int(f_beta.argmax())
        return float(self.levels[best : best + 2].mean()), float(f_beta[best])

    def average_precision(self) -> float:
        """Return the area under the precision-recall curve, in steps; 0 where nothing has changed."""
        found, right = self._from_level_on()
        total = self.counts[1].sum()
        precision = np.divide(right, found, out=np.zeros_like(found), where=found > 0)
        return float((precision * self.counts[1]).sum() / total) if total else 0.0

    def reliability(self, groups: int = GROUPS) -> tuple[ReliabilityRow, ...]:
        """Return the rows of a reliability table; groups without a pixel are left out."""
        group = np.minimum(self.levels * groups, groups - 1).astype(int)
        pixels = self.counts.sum(axis=0)
        totals, changed, summed = (
            np.bincount(group, values, groups) for values in (pixels, self.counts[1], pixels * self.levels)
        )
        return tuple(
            ReliabilityRow(
                n / groups,
                (n + 1) / groups,
                round(totals[n]),
                float(summed[n] / totals[n]),
                float(changed[n] / totals[n]),
            )
            for n in range(groups)
            if totals[n] > 0
        )

    def calibration_error(self, groups: int = GROUPS) -> float:
        """Return the expected calibration error: |probability - share changed|, the mean over pixels; 0 of none."""
        rows = self.reliability(groups)
        pixels = sum(row.pixels for row in rows)
        return float(sum(row.pixels * abs(row.probability - row.changed) for row in rows) / max(pixels, 1))


class ChangeCounts:
    """Counts unchanged and changed pixels by a number each has, in `steps` equal steps from low to high.

    Memory does not grow with the number of pixels. The numbers are probabilities of change, or their logits.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0, steps: int = 1000) -> None:
        self.values = np.linspace(low, high, steps + 1)
        self.counts = np.zeros((2, steps + 1))

    def add(
        self,
        values: npt.NDArray[Any],
        changed: npt.NDArray[np.bool_],
        weights: npt.NDArray[Any] | None = None,
    ) -> None:
        """Count pixels, each `weights` times: numbers beyond the ends count as the ends."""
        low, high, steps = self.values[0], self.values[-1], len(self.values) - 1
        level = np.rint((np.clip(values, low, high) - low) / (high - low) * steps).astype(np.int64)
        index = (level + changed * np.int64(steps + 1)).ravel()
        given = None if weights is None else weights.ravel()
        self.counts += np.bincount(index, given, self.counts.size).reshape(self.counts.shape)

    def curve(self) -> ChangeCurve:
        """Return the counts as a curve, where the numbers are probabilities."""
        return ChangeCurve(self.values, self.counts.copy())
