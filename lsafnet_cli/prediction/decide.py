"""Decide: blended probabilities become transition codes and the other layers of a map, on the device.

A GPU gets few operations for many pixels: the launch of each costs as much as a layer of a small network. A processor
gets many for as few pixels as its caches hold, and pairs of classes only where something has changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lsafnet_cli.files.layers import CODES, PERCENT_NODATA, TRANSITION, is_of_codes
from lsafnet_cli.legend.classes import Legend, transition_codes
from lsafnet_cli.options import DIFFER, KEEP

TABLE_BYTES = 64 << 20  # of the products of all pairs of classes; larger ones are processed by rows
HOST_TABLE_BYTES = 2 << 20  # what its caches hold
FEW_CHANGES = 0.15  # share of changed pixels up to which picking them out costs less than it saves


@dataclass(frozen=True, slots=True)
class Decision:
    """Decision rule: changed above `threshold`; `layers` are produced besides codes.

    same_class: "differ" takes the most probable pair of different classes, since changed pixels have another class;
    "keep" takes the most probable class of each date independently, as in the scores of published networks.
    """

    legend: Legend
    threshold: float = 0.5
    layers: tuple[str, ...] = ()
    same_class: str = DIFFER

    @property
    def score_count(self) -> int:
        """Number of probabilities of a pixel."""
        return 1 + 2 * self.legend.class_count if self.legend.semantic else 1

    def decide(self, scores: Tensor) -> dict[str, Tensor]:
        """Return the layers of (scores, rows, cols) blended probabilities, without nodata."""
        changed = scores[0] > self.threshold
        if TRANSITION not in self.layers and self.legend.semantic and on_host(scores) and are_few(changed):
            transition = torch.zeros(scores.shape[1:], dtype=self._number)
            transition[changed] = self._transition(scores[:, changed][..., None])[:, 0]
            made = {CODES: transition}
        else:
            transition = self._transition(scores)
            made = {CODES: transition * changed}
        for layer in self.layers:
            made[layer] = self._layer(layer, scores, transition, made[CODES])
        return made

    def _layer(self, layer: str, scores: Tensor, transition: Tensor, codes: Tensor) -> Tensor:
        count = self.legend.class_count
        match layer:
            case "probability":
                return (scores[0] * 100).round_().to(torch.uint8)
            case "before":
                return _best(scores[1 : count + 1])
            case "after":
                return _best(scores[count + 1 :])
            case "from":
                return ((codes + (count - 1)) // count).to(torch.uint8)
            case "to":
                return ((codes + (count - 1)) % count + 1).to(torch.uint8) * (codes > 0)
        return transition

    def _transition(self, scores: Tensor) -> Tensor:
        """Return the code of the most probable transition of each pixel, uint8 or int32."""
        count, number = self.legend.class_count, self._number
        if not self.legend.semantic:
            return torch.ones(scores.shape[1:], dtype=number, device=scores.device)
        before, after = scores[1 : count + 1], scores[count + 1 :]
        if self.same_class == KEEP or count == 1:
            code: Tensor = transition_codes(_best(before).to(number), _best(after).to(number), 1, count)
            return code
        codes = [_best_pair(*part, number) for part in _in_parts(before, after)]
        return codes[0] if len(codes) == 1 else torch.cat(codes)

    @property
    def _number(self) -> torch.dtype:
        return torch.uint8 if self.legend.dtype == "uint8" else torch.int32

    def nodata(self, layer: str) -> int:
        """Return the no-data value of a layer."""
        return self.legend.nodata if is_of_codes(layer) else PERCENT_NODATA

    def dtype(self, layer: str) -> str:
        """Return the numpy dtype of a layer."""
        return self.legend.dtype if is_of_codes(layer) else "uint8"


def on_host(scores: Tensor) -> bool:
    """Return whether probabilities are in the processor's memory."""
    return scores.device.type == "cpu"


def are_few(changed: Tensor) -> bool:
    """Return whether few pixels of (rows, cols) have changed; waits for the device."""
    return int(changed.count_nonzero()) <= FEW_CHANGES * changed.numel()


def _in_parts(before: Tensor, after: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield rows of both dates in parts for which the products of pairs are not too large."""
    classes, rows, cols = before.shape
    table = HOST_TABLE_BYTES if on_host(before) else TABLE_BYTES
    step = max(1, table // (4 * classes**2 * cols))
    for first in range(0, max(rows, 1), step):
        yield before[:, first : first + step], after[:, first : first + step]


def _best_pair(before: Tensor, after: Tensor, number: torch.dtype) -> Tensor:
    """Return the code 1 + from * classes + to of the greatest product of different classes, (rows, cols)."""
    classes = len(before)
    products = before[:, None] * after[None]
    products.diagonal(dim1=0, dim2=1).fill_(-1.0)
    return _numbered(products.flatten(0, 1)).amax(0).bitwise_and_(_low_bits(classes**2)).to(number)


def _best(scores: Tensor) -> Tensor:
    """Return 1 + argmax over the first axis, uint8."""
    return _numbered(scores.clone()).amax(0).bitwise_and_(_low_bits(len(scores))).to(torch.uint8)


def _numbered(scores: Tensor) -> Tensor:
    """Return (n, rows, cols) float32 as integers of the same order, with 1 .. n in their last bits.

    The largest and its index are found by one plain maximum, without an argmax. Scores that differ by less
    than those bits, 1 / 2**17 of them with 36 pairs, count as equal; of equal ones the last wins. Scores are
    changed in place.
    """
    low = _low_bits(len(scores))
    numbers = torch.arange(1, len(scores) + 1, dtype=torch.int32, device=scores.device)
    return scores.view(torch.int32).bitwise_and_(~low).bitwise_or_(numbers[:, None, None])


def _low_bits(count: int) -> int:
    return (1 << count.bit_length()) - 1
