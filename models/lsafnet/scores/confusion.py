"""The scores that a confusion matrix determines, for one matrix or for many at once.

mIoU, SeK: Yang et al., "Asymmetric Siamese networks for semantic change detection in aerial images", IEEE
TGRS 2022. F_scd: Ding et al., "Bi-temporal semantic reasoning for the semantic change detection in HR remote
sensing images", IEEE TGRS 2022.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
HEADLINES = ("miou", "oa", "sek", "f_scd")


def margins_of(confusion: npt.NDArray[Any]) -> Floats:
    """Return (..., 2 + 2 K) sums over (..., K, K) counts, rows predicted and columns labelled, class 0 unchanged.

    In this order: unchanged in both, right (the diagonal), predicted as each class, labelled as each class. The
    scores depend on nothing else, and the margins of several maps together are the sum of theirs.
    """
    counts = np.asarray(confusion, np.float64)
    both = np.stack([counts[..., 0, 0], np.trace(counts, axis1=-2, axis2=-1)], axis=-1)
    return np.concatenate([both, counts.sum(axis=-1), counts.sum(axis=-2)], axis=-1)


def scores_of(margins: Floats) -> dict[str, Floats]:
    """Return the scores of (..., 2 + 2 K) margins, (...) fractions each: HEADLINES, iou_changed, iou_unchanged.

    Scores of nothing at all are 0.
    """
    class_count = (margins.shape[-1] - 2) // 2
    both_unchanged, right = margins[..., 0], margins[..., 1]
    predicted, labelled = margins[..., 2 : 2 + class_count], margins[..., 2 + class_count :]
    total = predicted.sum(axis=-1)
    differ = predicted[..., 0] + labelled[..., 0] - 2 * both_unchanged
    both_changed = total - both_unchanged - differ
    unchanged = ratio(both_unchanged, both_unchanged + differ)
    changed = ratio(both_changed, both_changed + differ)
    found = 2 * total - predicted[..., 0] - labelled[..., 0]
    return {
        "miou": (unchanged + changed) / 2,
        "oa": ratio(right, total),
        "sek": _separated_kappa(both_unchanged, right, predicted, labelled) * np.exp(changed - 1),
        "f_scd": ratio(2 * (right - both_unchanged), found),
        "iou_changed": changed,
        "iou_unchanged": unchanged,
    }


def _separated_kappa(both_unchanged: Floats, right: Floats, predicted: Floats, labelled: Floats) -> Floats:
    """Return Cohen's kappa without the pixels that are unchanged in both."""
    total = predicted.sum(axis=-1) - both_unchanged
    observed = ratio(right - both_unchanged, total)
    alike = (predicted[..., 1:] * labelled[..., 1:]).sum(axis=-1)
    alike += (predicted[..., 0] - both_unchanged) * (labelled[..., 0] - both_unchanged)
    expected = ratio(alike, total * total)
    return ratio(observed - expected, 1 - expected)


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, 0 where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)


def class_scores(right: Floats, predicted: Floats, labelled: Floats) -> dict[str, Floats]:
    """Return precision, recall, f1 and iou from the pixels that are right, predicted and labelled; 0 of nothing."""
    return {
        "precision": ratio(right, predicted),
        "recall": ratio(right, labelled),
        "f1": ratio(2 * right, predicted + labelled),
        "iou": ratio(right, predicted + labelled - right),
    }
