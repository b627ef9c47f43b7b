"""The scores of semantic change detection, from confusion counts that stay on the device.

mIoU, SeK: Yang et al., "Asymmetric Siamese networks for semantic change detection in aerial images", IEEE
TGRS 2022. F_scd: Ding et al., "Bi-temporal semantic reasoning for the semantic change detection in HR remote
sensing images", IEEE TGRS 2022.
"""

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ClassMap: TypeAlias = Tensor | npt.NDArray[np.integer[Any]]
Counts: TypeAlias = npt.NDArray[np.float64]


class ChangeMetrics:
    """Counts over any number of maps; `compute` gives the scores of all of them together.

    Maps are integers 0..K-1, 0 where unchanged, of any one shape. Memory does not grow with their number.
    """

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        self.num_classes = num_classes
        transitions = (num_classes - 1) ** 2 + 1  # code 0 is "unchanged", as in the change map
        self._confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=device)
        self._transitions = torch.zeros(3, transitions, dtype=torch.int64, device=device)

    def update(
        self,
        pred_before: ClassMap,
        pred_after: ClassMap,
        label_before: ClassMap,
        label_after: ClassMap,
        valid: ClassMap | None = None,
    ) -> None:
        """Count one or more maps, without pixels where `valid` is False; ValueError for unknown classes."""
        device = self._confusion.device
        maps = [
            torch.as_tensor(x, device=device) for x in (pred_before, pred_after, label_before, label_after)
        ]
        chosen = slice(None) if valid is None else torch.as_tensor(valid, device=device).bool().flatten()
        before, after, true_before, true_after = (x.flatten()[chosen].long() for x in maps)
        for values in (before, after, true_before, true_after):
            self._check(values)
        self._confusion += self._count_pairs(before, true_before) + self._count_pairs(after, true_after)
        self._count_transitions(self._codes(before, after), self._codes(true_before, true_after))

    def _check(self, values: Tensor) -> None:
        if values.numel() and (int(values.min()) < 0 or int(values.max()) >= self.num_classes):
            raise ValueError(
                f"classes must be 0..{self.num_classes - 1}, not {int(values.min())}..{int(values.max())}"
            )

    def _count_pairs(self, pred: Tensor, label: Tensor) -> Tensor:
        size = self.num_classes
        return torch.bincount(pred * size + label, minlength=size * size).view(size, size)

    def _codes(self, before: Tensor, after: Tensor) -> Tensor:
        codes = 1 + (before - 1) * (self.num_classes - 1) + (after - 1)
        return torch.where((before > 0) & (after > 0), codes, 0)

    def _count_transitions(self, pred: Tensor, label: Tensor) -> None:
        for row, codes in enumerate((pred[pred == label], pred, label)):
            self._transitions[row] += torch.bincount(codes, minlength=self._transitions.shape[1])

    def compute(self) -> dict[str, Any]:
        """Return `miou`, `oa`, `sek`, `f_scd` (fractions), `iou_changed`, `iou_unchanged` and `transitions`.

        `transitions` has a dict for each transition that occurs: from_class, to_class, precision, recall,
        f1, iou and pixels (in the labels). Scores of nothing at all are 0.
        """
        confusion = self._confusion.cpu().numpy().astype(np.float64)  # rows: predicted, columns: labelled
        unchanged, changed = _binary_ious(confusion)
        return {
            "miou": (unchanged + changed) / 2,
            "oa": _ratio(confusion.trace(), confusion.sum()),
            "sek": _separated_kappa(confusion) * math.exp(changed - 1),
            "f_scd": _f_scd(confusion),
            "iou_changed": changed,
            "iou_unchanged": unchanged,
            "transitions": self._score_transitions(),
        }

    def _score_transitions(self) -> list[dict[str, float]]:
        right, predicted, labelled = self._transitions.cpu().numpy().astype(np.float64)
        occurring = np.flatnonzero(predicted + labelled)
        return [
            self._score_transition(int(code), right[code], predicted[code], labelled[code])
            for code in occurring
            if code > 0
        ]

    def _score_transition(
        self, code: int, right: float, predicted: float, labelled: float
    ) -> dict[str, float]:
        from_class, to_class = divmod(code - 1, self.num_classes - 1)
        return {
            "from_class": from_class + 1,
            "to_class": to_class + 1,
            "precision": _ratio(right, predicted),
            "recall": _ratio(right, labelled),
            "f1": _ratio(2 * right, predicted + labelled),
            "iou": _ratio(right, predicted + labelled - right),
            "pixels": int(labelled),
        }


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _binary_ious(confusion: Counts) -> tuple[float, float]:
    """Return the IoU of unchanged and of changed pixels."""
    both_unchanged, both_changed = confusion[0, 0], confusion[1:, 1:].sum()
    differ = confusion.sum() - both_unchanged - both_changed
    return _ratio(both_unchanged, both_unchanged + differ), _ratio(both_changed, both_changed + differ)


def _separated_kappa(confusion: Counts) -> float:
    """Return Cohen's kappa of `confusion` without the pixels that are unchanged in both."""
    counts = confusion.copy()
    counts[0, 0] = 0
    total = counts.sum()
    observed = _ratio(counts.trace(), total)
    expected = _ratio(float(counts.sum(axis=0) @ counts.sum(axis=1)), total * total)
    return _ratio(observed - expected, 1 - expected)


def _f_scd(confusion: Counts) -> float:
    """Return the harmonic mean of precision and recall of changed pixels given their right class."""
    right = confusion.trace() - confusion[0, 0]
    return _ratio(2 * right, confusion[1:].sum() + confusion[:, 1:].sum())
