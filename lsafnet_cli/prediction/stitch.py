"""Stitch: overlapping tiles of probabilities become finished patches of class codes.

They are blended and decided on the device; class codes are copied to the host while later tiles are blended.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsafnet_cli.prediction.blend import Blender, Finished
from lsafnet_cli.prediction.decide import Decision as Decision
from lsafnet_cli.prediction.infer import TileScores
from lsafnet_cli.prediction.tile import TilePlan

PATCHES_ON_THEIR_WAY = 4  # from a CUDA device to the host
Layers = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Patch:
    """A finished part of the map: its first pixel, and (rows, cols) of each layer with nodata set.

    `unanswered` (rows, cols) is True where both dates have data and the network gave no finite value; None if it
    always did.
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
class ComingPatch:
    """A patch whose layers are being copied from the device to the host, and where its scores are finite."""

    top: int
    left: int
    layers: dict[str, Tensor]
    finite: Tensor
    valid: NDArray[np.bool_] | None
    arrived: torch.cuda.Event | None

    def wait(self, decision: Decision) -> Patch:
        """Return the patch, with nodata where there is no data or the network gave no finite value."""
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


def send_patch(finished: Finished, decision: Decision) -> ComingPatch:
    """Decide the classes of finished probabilities on the device and start copying them to the host."""
    layers = decision.decide(finished.scores)
    finite = finished.scores.sum(0).isfinite()
    arrived = None
    if finished.scores.is_cuda:
        layers = {name: _start_copy(layer) for name, layer in layers.items()}
        finite = _start_copy(finite)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        # of this device: the current one may be another, whose stream would tell nothing of these copies
        arrived.record(torch.cuda.current_stream(finished.scores.device))
    return ComingPatch(finished.top, finished.left, layers, finite, finished.valid, arrived)


def _start_copy(layer: Tensor) -> Tensor:
    host = torch.empty(layer.shape, dtype=layer.dtype, pin_memory=True)
    return host.copy_(layer, non_blocking=True)


def blended(scores: Iterator[TileScores], plan: TilePlan, score_count: int) -> Iterator[Finished]:
    """Yield the finished probabilities of a scene; pixels outside all tiles have no data and are not among them."""
    first = next(scores, None)
    if first is not None:
        yield from Blender(plan, score_count, first.scores.device).blend(chain([first], scores))


def stitch_tiles(scores: Iterator[TileScores], plan: TilePlan, decision: Decision) -> Iterator[Patch]:
    """Yield the finished patches of a scene; pixels outside all tiles have no data and are not among them."""
    coming: deque[ComingPatch] = deque()
    for finished in blended(scores, plan, decision.score_count):
        with torch.inference_mode():
            coming.append(send_patch(finished, decision))
        while len(coming) > (PATCHES_ON_THEIR_WAY if finished.scores.is_cuda else 0):
            yield coming.popleft().wait(decision)
    while coming:
        yield coming.popleft().wait(decision)
