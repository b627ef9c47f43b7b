"""The training loss (Zhou et al., IEEE GRSL 2025, eq. 15-18)."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from lsafnet.label_sets import LabelSets
from lsafnet.logits import ChangeLogits, SupervisedLogits

Bce = Literal["plain", "balanced"]


class ChangeLoss:
    """L = BCE(change) + (CE(before) + CE(after)) / 2 + semantic consistency (eq. 18).

    `bce="plain"` is the paper's mean over pixels; "balanced" is the authors' released code, which averages
    changed and unchanged pixels apart: a quarter of the one mean plus three quarters of the other.
    `class_weights`, K numbers, make rare classes count for more in CE; the paper has none. With `label_sets`
    labels may be sets of classes: CE is then minus the logarithm of the summed probability of the set, and its
    weight the mean of its classes'.

    A network that returns `SupervisedLogits` learns by its own loss (Peng et al. 2021), whatever `bce` says:
    2 * (CE of each auxiliary map + 2 * CE of the map itself), summed over both dates, index 0 being a class.
    """

    def __init__(
        self,
        bce: Bce = "plain",
        class_weights: Sequence[float] | None = None,
        label_sets: LabelSets | None = None,
    ) -> None:
        if bce not in get_args(Bce):
            raise ValueError(f"bce must be one of {', '.join(get_args(Bce))}, not {bce!r}")
        self.bce = bce
        self.class_weights = (
            None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        )
        self._members: Tensor | None = None
        if label_sets is not None and label_sets.sets:
            self._members = torch.from_numpy(label_sets.members.copy())
            self._members[0] = torch.arange(label_sets.num_classes) == 0
            if self.class_weights is not None:
                members = self._members.float()
                self.class_weights = members @ self.class_weights / members.sum(dim=1)

    def __call__(
        self,
        logits: ChangeLogits | SupervisedLogits,
        label_before: Tensor,
        label_after: Tensor,
        *,
        changed: Tensor | None = None,
        valid: Tensor | None = None,
        change_known: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms `bce`, `ce_before`, `ce_after`, `consistency` and their `total`, scalars.

        Labels are (batch, rows, cols) integers; 0 is no target of `ChangeLogits`' semantic maps. `changed` (bool,
        same shape) is the change target; without it a pixel is changed where it has a label, as in SECOND.
        Give `changed=label_before != label_after` for labels that are land cover everywhere. Pixels where
        `valid` is False count nowhere, those where `change_known` is False neither in `bce` nor `consistency`.
        Networks without semantic maps have the term `bce` alone.
        """
        changed = (label_before > 0) if changed is None else changed
        valid = torch.ones_like(changed) if valid is None else valid
        decided = valid if change_known is None else valid & change_known
        if isinstance(logits, SupervisedLogits):
            return self._supervised(logits, label_before, label_after, changed, decided)
        terms = {"bce": self._bce(logits.change[:, 0], changed, decided)}
        total = terms["bce"]
        if logits.before is not None and logits.after is not None:
            terms["ce_before"] = self._cross_entropy(logits.before, label_before, valid & (label_before > 0))
            terms["ce_after"] = self._cross_entropy(logits.after, label_after, valid & (label_after > 0))
            terms["consistency"] = semantic_consistency(logits.before, logits.after, changed, decided)
            total = total + 0.5 * (terms["ce_before"] + terms["ce_after"]) + terms["consistency"]
        return {**terms, "total": total}

    def _bce(self, change: Tensor, changed: Tensor, valid: Tensor) -> Tensor:
        bce = F.binary_cross_entropy_with_logits(change, changed.to(change.dtype), reduction="none")
        if self.bce == "plain":
            return _mean_where(bce, valid)
        return 0.25 * _mean_where(bce, valid & changed) + 0.75 * _mean_where(bce, valid & ~changed)

    def _supervised(
        self,
        logits: SupervisedLogits,
        label_before: Tensor,
        label_after: Tensor,
        changed: Tensor,
        valid: Tensor,
    ) -> dict[str, Tensor]:
        """Return `ce_before`, `ce_after`, `ce_auxiliary` where there are such maps, and `total`.

        The target is 0 where nothing changed; a changed pixel without a class counts nowhere.
        """

        def entropy(date: Tensor, label: Tensor) -> Tensor:
            return self._cross_entropy(date, label * changed, valid & (~changed | (label > 0)))

        terms = {
            "ce_before": entropy(logits.before, label_before),
            "ce_after": entropy(logits.after, label_after),
        }
        total = 2 * (terms["ce_before"] + terms["ce_after"])
        if logits.auxiliary:
            maps = [entropy(b, label_before) + entropy(a, label_after) for b, a in logits.auxiliary]
            terms["ce_auxiliary"] = torch.stack(maps).sum()
            total = total + terms["ce_auxiliary"]
        return {**terms, "total": 2 * total}

    def _cross_entropy(self, logits: Tensor, label: Tensor, counted: Tensor) -> Tensor:
        """Return the mean over the pixels that are counted, each weighted by its class."""
        weights = counted.to(logits.dtype)
        if self.class_weights is not None:
            weights = weights * self.class_weights.to(logits)[label.long()]
        entropy = self._entropy(logits, label.long())
        return (entropy * weights).sum() / weights.sum().clamp(min=1e-6)

    def _entropy(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return (batch, rows, cols) minus the logarithm of the probability of the label's class or set."""
        if self._members is None:
            return F.cross_entropy(logits, label, reduction="none")
        allowed = self._members.to(logits.device)[label].permute(0, 3, 1, 2)
        return -logits.log_softmax(dim=1).masked_fill(~allowed, -torch.inf).logsumexp(dim=1)


def semantic_consistency(before: Tensor, after: Tensor, changed: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of 1 - cos where unchanged and max(0, cos) where changed (eq. 17).

    cos is the cosine similarity of both dates' probabilities of the real classes, 1..K-1. Eq. 17 prints the
    two cases the other way round; its text, its source and the released code agree on this.
    """
    similarity = F.cosine_similarity(before[:, 1:].softmax(dim=1), after[:, 1:].softmax(dim=1), dim=1)
    return _mean_where(torch.where(changed, similarity.clamp(min=0), 1 - similarity), valid)


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Return the mean of `values` where `where` is True, and 0 (not NaN) where that is nowhere."""
    return values.masked_fill(~where, 0).sum() / where.sum().clamp(min=1)
