"""Stitch: overlapping tiles of probabilities become finished patches of class codes, blended on the device.

A pixel is finished by the last tile that touches it. In row-major order that is the tile whose owned rows
and columns hold it, so only two strips wait: the columns right of the current tile, and the rows below the
current tile row. Class codes leave the device while later tiles are still being blended there.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsafnet_cli.files.layers import PERCENT_NODATA
from lsafnet_cli.legend.classes import Legend, transition_codes
from lsafnet_cli.prediction.infer import TileScores
from lsafnet_cli.prediction.tile import Tile, TilePlan

PATCHES_ON_THEIR_WAY = 4  # from a CUDA device to the host
Layers = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Patch:
    """A finished piece of the map: its first pixel, and (rows, cols) of each layer with nodata set.

    `unanswered` (rows, cols) is True where both dates were measured and the network gave no finite number; None
    where it always did.
    """

    top: int
    left: int
    layers: Layers
    unanswered: NDArray[np.bool_] | None = None

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

    @property
    def score_count(self) -> int:
        """How many probabilities a pixel has."""
        return 1 + 2 * self.legend.class_count if self.legend.semantic else 1

    def decide(self, scores: Tensor) -> dict[str, Tensor]:
        """Return the layers of (scores, rows, cols) blended probabilities, without nodata."""
        changed = scores[0] > self.threshold
        count = self.legend.class_count
        number = torch.uint8 if self.legend.dtype == "uint8" else torch.int32
        if self.legend.semantic:
            before, after = _best(scores[1 : count + 1], number), _best(scores[count + 1 :], number)
        else:
            before = after = torch.ones_like(changed, dtype=number)
        layers = {"codes": transition_codes(before, after, changed, count)}
        made = {
            "probability": lambda: (scores[0] * 100).round_().to(torch.uint8),
            "before": lambda: before,
            "after": lambda: after,
            "from": lambda: before * changed,
            "to": lambda: after * changed,
        }
        return layers | {name: made[name]() for name in self.layers}

    def nodata(self, layer: str) -> int:
        """Return the number that stands for "no data" in a layer."""
        return self.legend.nodata if layer == "codes" else PERCENT_NODATA

    def dtype(self, layer: str) -> str:
        """Return the numpy dtype of a layer."""
        return self.legend.dtype if layer == "codes" else "uint8"


def _best(scores: Tensor, number: torch.dtype) -> Tensor:
    """Return 1 + argmax over the first axis; of equal scores the first wins."""
    best, winner = scores[0], torch.ones(scores.shape[1:], dtype=number, device=scores.device)
    for index, score in enumerate(scores[1:], start=2):
        winner.masked_fill_(score > best, index)
        best = torch.maximum(score, best)
    return winner


class Blender:
    """Adds tiles up in the plan's order; what a tile finishes leaves at once.

    `below` holds, over the full width, the rows that the next tile row goes on with; `right` the columns that
    the next tile of the row goes on with.
    """

    def __init__(self, plan: TilePlan, score_count: int, device: torch.device) -> None:
        self._plan = plan
        self._row_spans, self._col_spans = plan.row_spans, plan.col_spans
        self._row_weights = torch.from_numpy(plan.row_weights).to(device)
        self._col_weights = torch.from_numpy(plan.col_weights).to(device)
        self._below = torch.zeros((score_count, plan.rows_below, plan.width), device=device)
        self._right: Tensor | None = None
        self._next_col = 0

    def add(self, tile: Tile, scores: Tensor) -> Tensor:
        """Blend (scores, size, size) in, in place; return the (scores, rows, cols) that the tile owns."""
        plan = self._plan
        scores *= self._row_weights[tile.row][:, None] * self._col_weights[tile.col]
        block = scores[:, : plan.bottom(tile.row) - tile.top, : plan.right(tile.col) - tile.left]
        if tile.col == self._next_col and self._right is not None:
            block[:, :, : self._right.shape[2]] += self._right[:, : block.shape[1]]
        owned_cols = self._col_spans[tile.col][1] - tile.left
        self._right, self._next_col = block[:, :, owned_cols:], tile.col + 1
        return self._take_below(block[:, :, :owned_cols], tile)

    def _take_below(self, block: Tensor, tile: Tile) -> Tensor:
        """Add what earlier tile rows left for these columns, leave the rest for later ones.

        After a tile row that was skipped the strip holds old numbers; they fall on pixels without data.
        """
        owned_rows = self._row_spans[tile.row][1] - tile.top
        waiting = self._below[:, :, tile.left : tile.left + block.shape[2]]
        touched = self._plan.bottom(tile.row - 1) - tile.top if tile.row else 0
        block[:, :touched] += waiting[:, :touched]
        waiting[:, : block.shape[1] - owned_rows] = block[:, owned_rows:]
        return block[:, :owned_rows]


@dataclass(frozen=True, slots=True)
class ComingPatch:
    """A patch whose layers are on their way from the device to the host, and where its scores are finite."""

    top: int
    left: int
    layers: dict[str, Tensor]
    finite: Tensor
    valid: NDArray[np.bool_] | None
    arrived: torch.cuda.Event | None

    def wait(self, decision: Decision) -> Patch:
        """Return the patch, with nodata where nothing was measured or the network gave no finite number."""
        if self.arrived is not None:
            self.arrived.synchronize()
        layers = {
            name: tensor.numpy().astype(decision.dtype(name), copy=False)
            for name, tensor in self.layers.items()
        }
        finite = self.finite.numpy()
        unanswered = None if finite.all() else ~finite
        if unanswered is not None and self.valid is not None:
            unanswered &= self.valid
        for missing in (None if self.valid is None else ~self.valid, unanswered):
            for name, layer in layers.items() if missing is not None else ():
                layer[missing] = decision.nodata(name)
        return Patch(self.top, self.left, layers, unanswered)


def send_patch(scored: TileScores, finished: Tensor, decision: Decision) -> ComingPatch:
    """Decide the classes of finished probabilities on the device and start their way to the host."""
    layers = decision.decide(finished)
    finite = finished.sum(0).isfinite()
    arrived = None
    if finished.is_cuda:
        layers = {name: _start_copy(layer) for name, layer in layers.items()}
        finite = _start_copy(finite)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
    rows, cols = finished.shape[1:]
    tile = scored.tile
    valid = None if scored.valid is None else scored.valid[:rows, :cols]
    return ComingPatch(tile.top, tile.left, layers, finite, valid, arrived)


def _start_copy(layer: Tensor) -> Tensor:
    host = torch.empty(layer.shape, dtype=layer.dtype, pin_memory=True)
    return host.copy_(layer, non_blocking=True)


def stitch_tiles(scores: Iterator[TileScores], plan: TilePlan, decision: Decision) -> Iterator[Patch]:
    """Yield the finished patches of a scene; what no tile touched has no data and is not among them."""
    blender: Blender | None = None
    coming: deque[ComingPatch] = deque()
    for scored in scores:
        with torch.inference_mode():
            blender = blender or Blender(plan, decision.score_count, scored.scores.device)
            finished = blender.add(scored.tile, scored.scores)
            coming.append(send_patch(scored, finished, decision))
        while len(coming) > (PATCHES_ON_THEIR_WAY if scored.scores.is_cuda else 0):
            yield coming.popleft().wait(decision)
    while coming:
        yield coming.popleft().wait(decision)
