"""Training examples: labelled pairs of images as arrays, and the batches made of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lsafnet.checkpoint.info import BandStatistics, Normalization
from lsafnet.training.trainer import LabelledBatch

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


class Example(NamedTuple):
    """One labelled pair.

    before, after: (bands, rows, cols) float32 in the checkpoint's value range. label_before, label_after:
    (rows, cols) uint8, 1..K-1 the land cover, 0 where none is known, K and up a set of classes (see
    `lsafnet.label_sets`). changed: (rows, cols) bool. valid: (rows, cols) bool; where it is False the pixel counts
    nowhere. change_known: (rows, cols) bool, where `changed` is known among valid pixels; None for everywhere.
    """

    before: Floats
    after: Floats
    label_before: Labels
    label_after: Labels
    changed: Bools
    valid: Bools
    change_known: Bools | None = None


def stack_examples(examples: Sequence[Example], normalization: Normalization) -> LabelledBatch:
    """Return examples of one size as a batch, normalised, in channels-last layout. Invalid pixels get the mean."""
    valid = _stack(examples, "valid")
    before = _normalised(_stack(examples, "before"), valid, normalization.before)
    after = _normalised(_stack(examples, "after"), valid, normalization.after)
    label_before, label_after = (_stack(examples, name).long() for name in ("label_before", "label_after"))
    changed = _stack(examples, "changed")
    return LabelledBatch(before, after, label_before, label_after, changed, valid, _stack_known(examples))


def _stack_known(examples: Sequence[Example]) -> torch.Tensor | None:
    """Return where change is known, None where it is known for all examples everywhere."""
    if all(example.change_known is None for example in examples):
        return None
    known = [
        np.ones_like(example.valid) if example.change_known is None else example.change_known
        for example in examples
    ]
    return torch.from_numpy(np.stack(known))


def _normalised(images: torch.Tensor, valid: torch.Tensor, statistics: BandStatistics) -> torch.Tensor:
    mean, std = (torch.tensor(values).reshape(-1, 1, 1) for values in (statistics.mean, statistics.std))
    values = (images - mean) / std * valid[:, None]
    return values.contiguous(memory_format=torch.channels_last)


def _stack(examples: Sequence[Example], name: str) -> torch.Tensor:
    arrays: list[npt.NDArray[Any]] = [getattr(example, name) for example in examples]
    return torch.from_numpy(np.stack(arrays))
