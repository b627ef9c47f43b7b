"""How often each predicted number met each labelled number, for few numbers or for many."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]
LARGEST_TABLE = 1 << 20  # cells; with more possible pairs only those that occur are kept


class PairTable(NamedTuple):
    """The pairs of numbers that occur, sorted: (pairs,) predicted and labelled numbers and their pixels."""

    predicted: Ints
    labelled: Ints
    pixels: Ints


class PairCounts:
    """Counts pairs of numbers 0..count-1 on a device.

    Up to 1,024 numbers in a table of count x count cells; beyond that memory follows the pairs that occur.
    """

    def __init__(self, count: int, device: torch.device | str = "cpu") -> None:
        self.count, self._device = count, device
        self._dense = count * count <= LARGEST_TABLE
        cells = count * count if self._dense else 0
        self._pixels = torch.zeros(cells, dtype=torch.int64, device=device)
        self._pairs = torch.zeros(0, dtype=torch.int64, device=device)

    def add(self, predicted: Tensor, labelled: Tensor) -> None:
        """Count (pixels,) int64 numbers."""
        pairs = predicted * self.count + labelled
        if self._dense:
            self._pixels += torch.bincount(pairs, minlength=len(self._pixels))
            return
        found, pixels = torch.unique(pairs, return_counts=True)
        self._pairs, place = torch.unique(torch.cat([self._pairs, found]), return_inverse=True)
        merged = torch.zeros(len(self._pairs), dtype=torch.int64, device=self._device)
        self._pixels = merged.index_add_(0, place, torch.cat([self._pixels, pixels]))

    def table(self) -> PairTable:
        """Return what has been counted."""
        pixels = self._pixels.cpu().numpy()
        pairs = np.flatnonzero(pixels) if self._dense else self._pairs.cpu().numpy()
        predicted, labelled = np.divmod(pairs.astype(np.int64), self.count)
        return PairTable(predicted, labelled, pixels[pairs] if self._dense else pixels)
