"""Stitch: overlapping tiles of probabilities become finished patches of class codes, blended on the device.

A pixel is finished by the last tile that touches it. In row-major order that is the tile whose owned rows
and columns hold it, so only two strips wait: the columns right of the current tile, and the rows below the
current tile row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsafnet_cli.classes import Legend, transition_codes
from lsafnet_cli.stages.infer import TileScores
from lsafnet_cli.stages.tile import TilePlan

PERCENT_NODATA = 255
Layers = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Patch:
    """A finished piece of the map: its first pixel, and (rows, cols) of each layer with nodata set."""

    top: int
    left: int
    layers: Layers

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.layers["codes"].shape
        return rows, cols

    @property
    def pixel_count(self) -> int:
        """rows * cols."""
        return self.layers["codes"].size


@dataclass(frozen=True, slots=True)
class Decision:
    """How probabilities become classes: changed above `threshold`; `layers` names what is made besides codes."""

    legend: Legend
    threshold: float = 0.5
    layers: tuple[str, ...] = ()

    def decide(self, scores: Tensor) -> dict[str, Tensor]:
        """Return the layers of (scores, rows, cols) blended probabilities, without nodata."""
        changed = scores[0] > self.threshold
        count = self.legend.class_count
        if self.legend.semantic:
            before, after = _best(scores[1 : count + 1]), _best(scores[count + 1 :])
        else:
            before = after = torch.ones_like(changed, dtype=torch.int32)
        codes = transition_codes(before, after, changed, count)
        every = {
            "codes": codes,
            "probability": (scores[0] * 100).round().to(torch.uint8),
            "before": before,
            "after": after,
            "from": before * changed,
            "to": after * changed,
        }
        return {name: every[name] for name in ("codes", *self.layers)}

    def nodata(self, layer: str) -> int:
        """Return the number that stands for "no data" in a layer."""
        return self.legend.nodata if layer == "codes" else PERCENT_NODATA

    def dtype(self, layer: str) -> str:
        """Return the numpy dtype of a layer."""
        return self.legend.dtype if layer == "codes" else "uint8"


def _best(scores: Tensor) -> Tensor:
    """Return int32 1 + argmax over the first axis; of equal scores the first wins."""
    best, winner = scores[0], torch.ones(scores.shape[1:], dtype=torch.int32, device=scores.device)
    for number, score in enumerate(scores[1:], start=2):
        winner = torch.where(score > best, number, winner)
        best = torch.maximum(score, best)
    return winner


class Stitcher:
    """Blends tiles in the plan's order and yields patches as they are finished."""

    def __init__(self, plan: TilePlan, decision: Decision) -> None:
        self._plan, self._decision = plan, decision
        self._row_spans, self._col_spans = plan.row_spans, plan.col_spans
        self._below: Tensor | None = None
        self._right: Tensor | None = None
        self._next_col = 0

    def add(self, scored: TileScores) -> Patch:
        """Blend one tile in and return the patch it finishes."""
        tile, plan = scored.tile, self._plan
        rows, cols = plan.bottom(tile.row) - tile.top, plan.right(tile.col) - tile.left
        block = self._weighted(scored)[:, :rows, :cols]
        self._add_right(block, tile.col)
        owned_cols = self._col_spans[tile.col][1] - tile.left
        owned_rows = self._row_spans[tile.row][1] - tile.top
        self._keep_right(block[:, :, owned_cols:], tile.col)
        finished = self._take_below(block[:, :, :owned_cols], tile.row, tile.left, owned_rows)
        return self._patch(finished, scored.valid[:owned_rows, :owned_cols], tile.top, tile.left)

    def _weighted(self, scored: TileScores) -> Tensor:
        tile, device = scored.tile, scored.scores.device
        rows = torch.from_numpy(self._plan.row_weights[tile.row]).to(device)
        cols = torch.from_numpy(self._plan.col_weights[tile.col]).to(device)
        return scored.scores * (rows[:, None] * cols)

    def _add_right(self, block: Tensor, col: int) -> None:
        if col == self._next_col and col > 0 and self._right is not None:
            block[:, :, : self._right.shape[2]] += self._right[:, : block.shape[1]]

    def _keep_right(self, strip: Tensor, col: int) -> None:
        self._right = strip.clone()
        self._next_col = col + 1

    def _take_below(self, block: Tensor, row: int, left: int, owned_rows: int) -> Tensor:
        """Add what earlier tile rows left for these columns, leave the rest for later ones, return finished rows.

        After a tile row that was skipped the strip holds old numbers; they fall on pixels without data.
        """
        if self._below is None:
            below_rows = max(self._plan.size - (end - first) for first, end in self._row_spans)
            shape = (block.shape[0], max(below_rows, 0), self._plan.width)
            self._below = torch.zeros(shape, dtype=block.dtype, device=block.device)
        waiting = self._below[:, :, left : left + block.shape[2]]
        touched = self._plan.bottom(row - 1) - self._plan.row_starts[row] if row else 0
        block[:, :touched] += waiting[:, :touched]
        waiting[:, : block.shape[1] - owned_rows] = block[:, owned_rows:]
        return block[:, :owned_rows]

    def _patch(self, scores: Tensor, valid: NDArray[np.bool_], top: int, left: int) -> Patch:
        layers = {}
        for name, tensor in self._decision.decide(scores).items():
            layer = tensor.cpu().numpy().astype(self._decision.dtype(name))
            layer[~valid] = self._decision.nodata(name)
            layers[name] = layer
        return Patch(top, left, layers)


def stitch_tiles(scores: Iterator[TileScores], plan: TilePlan, decision: Decision) -> Iterator[Patch]:
    """Yield the finished patches of a scene; what no tile touched has no data and is not among them."""
    stitcher = Stitcher(plan, decision)
    with torch.inference_mode():
        yield from map(stitcher.add, scores)
