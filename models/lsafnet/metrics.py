"""The scores of semantic change detection, from confusion counts that stay on the device."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lsafnet.scores.boundaries import boundary_counts
from lsafnet.scores.confusion import Floats, class_scores, margins_of, scores_of
from lsafnet.scores.pair_counts import PairCounts, PairTable

ClassMap: TypeAlias = Tensor | npt.NDArray[Any]
EVERYWHERE = (slice(None), slice(None))


class ChangeMetrics:
    """Counts over any number of maps; `compute` gives the scores of all of them together.

    Maps are integers 0..K-1, 0 where unchanged, of any one shape. Memory does not grow with their number.
    """

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        self.num_classes = num_classes
        self._confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=device)
        self._transitions = PairCounts((num_classes - 1) ** 2 + 1, device)
        self._boundaries: Tensor | None = None

    def update(
        self,
        pred_before: ClassMap,
        pred_after: ClassMap,
        label_before: ClassMap,
        label_after: ClassMap,
        valid: ClassMap | None = None,
    ) -> Tensor:
        """Count one or more maps, without pixels where `valid` is False; ValueError for unknown classes.

        Returns the (K, K) counts of these maps alone, of both dates together, rows predicted and columns labelled.
        """
        maps = map(self._on_device, (pred_before, pred_after, label_before, label_after))
        chosen = slice(None) if valid is None else self._on_device(valid).bool().flatten()
        before, after, true_before, true_after = (x.flatten()[chosen].long() for x in maps)
        for values in (before, after, true_before, true_after):
            self._check(values)
        counts = self._count_pairs(before, true_before) + self._count_pairs(after, true_after)
        self._confusion += counts
        self._transitions.add(self._codes(before, after), self._codes(true_before, true_after))
        return counts

    def update_boundaries(
        self,
        predicted: ClassMap,
        labelled: ClassMap,
        valid: ClassMap | None = None,
        tolerance_px: int = 2,
        inner: tuple[slice, slice] = EVERYWHERE,
    ) -> None:
        """Count the borders of the changed area, in (rows, cols) or (maps, rows, cols) of what changed.

        A border pixel is right where the other map has one within `tolerance_px` rows and cols. `inner` names the
        rows and cols that count, where the maps are parts of larger ones; see `lsafnet.scores.boundaries`.
        """
        given = valid if valid is not None else np.ones(predicted.shape, bool)
        maps = [self._on_device(x).bool() for x in (predicted, labelled, given)]
        mine, theirs, known = (x.reshape(-1, *x.shape[-2:]) for x in maps)
        counts = boundary_counts(mine, theirs, known, tolerance_px, inner)
        self._boundaries = counts if self._boundaries is None else self._boundaries + counts

    def _on_device(self, values: ClassMap) -> Tensor:
        return torch.as_tensor(values, device=self._confusion.device)

    def _check(self, values: Tensor) -> None:
        if values.numel() and (int(values.min()) < 0 or int(values.max()) >= self.num_classes):
            raise ValueError(
                f"classes must be 0..{self.num_classes - 1}, not {int(values.min())}..{int(values.max())}"
            )

    def _count_pairs(self, pred: Tensor, label: Tensor) -> Tensor:
        size = self.num_classes
        return torch.bincount(pred * size + label, minlength=size * size).view(size, size)

    def _codes(self, before: Tensor, after: Tensor) -> Tensor:
        """Return transition codes as in the change map, 0 where unchanged."""
        codes = 1 + (before - 1) * (self.num_classes - 1) + (after - 1)
        return torch.where((before > 0) & (after > 0), codes, 0)

    def transition_table(self) -> PairTable:
        """Return the confusion matrix of transition codes, unchanged (0) among them, as the pairs that occur."""
        return self._transitions.table()

    def compute(self) -> dict[str, Any]:
        """Return `miou`, `oa`, `sek`, `f_scd` (fractions), `iou_changed`, `iou_unchanged`, `classes`, `transitions`.

        `classes` has a dict for each class 1..K-1 over the semantic change maps of both dates: class, precision,
        recall, f1, iou, pixels (in the labels) and predicted_pixels. `transitions` has one for each transition
        that occurs: from_class, to_class and the same. Where boundaries were counted, `boundary_precision`,
        `boundary_recall` and `boundary_f1` are there too. Scores of nothing at all are 0.
        """
        confusion = self._confusion.cpu().numpy()  # rows: predicted, columns: labelled
        headlines = {name: float(value) for name, value in scores_of(margins_of(confusion)).items()}
        return {
            **headlines,
            **self._score_boundaries(),
            "classes": _rows({"class": np.arange(1, self.num_classes)}, *_sums_of(confusion)),
            "transitions": self._score_transitions(),
        }

    def _score_boundaries(self) -> dict[str, float]:
        if self._boundaries is None:
            return {}
        predicted, right, labelled, found = self._boundaries.tolist()
        precision = right / predicted if predicted else 0.0
        recall = found / labelled if labelled else 0.0
        both = precision + recall
        return {
            "boundary_precision": precision,
            "boundary_recall": recall,
            "boundary_f1": 2 * precision * recall / both if both else 0.0,
        }

    def _score_transitions(self) -> list[dict[str, float]]:
        pairs, count = self._transitions.table(), self._transitions.count
        alike = pairs.predicted == pairs.labelled
        right, predicted, labelled = (
            np.bincount(codes, pixels, count).astype(np.float64)
            for codes, pixels in (
                (pairs.predicted[alike], pairs.pixels[alike]),
                (pairs.predicted, pairs.pixels),
                (pairs.labelled, pairs.pixels),
            )
        )
        codes = 1 + np.flatnonzero(predicted[1:] + labelled[1:])
        from_class, to_class = np.divmod(codes - 1, self.num_classes - 1)
        names = {"from_class": from_class + 1, "to_class": to_class + 1}
        return _rows(names, right[codes], predicted[codes], labelled[codes])


def _sums_of(confusion: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return how many pixels of each class 1..K-1 are right, predicted and labelled."""
    counts = confusion.astype(np.float64)
    return counts.diagonal()[1:], counts.sum(axis=1)[1:], counts.sum(axis=0)[1:]


def _rows(
    names: dict[str, npt.NDArray[Any]], right: Floats, predicted: Floats, labelled: Floats
) -> list[dict[str, float]]:
    """Return one dict for each class or transition, from arrays of one length."""
    pixels = {"pixels": labelled.astype(np.int64), "predicted_pixels": predicted.astype(np.int64)}
    columns = {**names, **class_scores(right, predicted, labelled), **pixels}
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]
