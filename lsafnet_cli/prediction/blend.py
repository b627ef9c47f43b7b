"""Blend: weighted sums of overlapping tiles of probabilities, on the device, several tiles of a row at a time.

A pixel is finished by the last tile that covers it. In row-major order that is the tile whose owned rows and
columns contain it. Tiles that lie side by side share a canvas, so that what is done with finished pixels is
done once for all of them; below it only the rows wait that the next tile row shares, and right of it the
columns of the next canvas.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lsafnet_cli.geometry.windows import Float32Array
from lsafnet_cli.prediction.infer import TileScores
from lsafnet_cli.prediction.tile import Tile, TilePlan
from lsafnet_cli.scenes.validity import BoolArray

HOST_CANVAS_BYTES, DEVICE_CANVAS_BYTES = 36 << 20, 256 << 20


@dataclass(frozen=True, slots=True)
class Finished:
    """Pixels that no later tile covers: the first of them, (scores, rows, cols), and which have data.

    `scores` is a view that the next tiles overwrite. `valid` (rows, cols) is None where every pixel is.
    """

    top: int
    left: int
    scores: Tensor
    valid: BoolArray | None


class Blender:
    """Sums tiles in the plan's order; finished pixels are released when their canvas is full.

    Every pixel is summed in one order, tile row by tile row and from left to right, however wide a canvas is.
    """

    def __init__(self, plan: TilePlan, score_count: int, device: torch.device) -> None:
        self._plan = plan
        self._row_spans, self._col_spans = plan.row_spans, plan.col_spans
        self._weights = TileWeights(plan, device)
        most = DEVICE_CANVAS_BYTES if device.type == "cuda" else HOST_CANVAS_BYTES
        width = min(plan.width, max(plan.size, most // (4 * score_count * plan.size)))
        self._canvas = torch.zeros((score_count, plan.size, width), device=device)
        self._below = torch.zeros((score_count, plan.rows_below, plan.width), device=device)
        self._tiles: list[TileScores] = []
        self._carried: tuple[Tile, Tensor] | None = (
            None  # columns of the tile that comes next, begun by others
        )

    def blend(self, tiles: Iterable[TileScores]) -> Iterator[Finished]:
        """Yield all finished pixels of the tiles."""
        for scored in tiles:
            if self._tiles and not self._goes_on(scored.tile):
                yield self._finish()
            self._add(scored)
            if self._is_full(scored.tile):
                yield self._finish()
        if self._tiles:
            yield self._finish()

    def _goes_on(self, tile: Tile) -> bool:
        last = self._tiles[-1].tile
        return (tile.row, tile.col) == (last.row, last.col + 1)

    def _is_full(self, tile: Tile) -> bool:
        """Return whether the next tile to the right would not fit."""
        following = tile.col + 1
        if following == len(self._plan.col_starts):
            return True
        return self._plan.right(following) - self._tiles[0].tile.left > self._canvas.shape[2]

    @torch.inference_mode()
    def _add(self, scored: TileScores) -> None:
        tile, plan = scored.tile, self._plan
        if not self._tiles:
            self._begin(tile)
        self._tiles.append(scored)
        left = tile.left - self._tiles[0].tile.left
        rows, cols = plan.bottom(tile.row) - tile.top, plan.right(tile.col) - tile.left
        place = self._canvas[:, :rows, left : left + cols]
        place.addcmul_(scored.scores[:, :rows, :cols], self._weights.of(tile)[:rows, :cols])

    def _begin(self, tile: Tile) -> None:
        """Fill the canvas with the sums of earlier tiles for these rows and columns.

        After skipped tiles these may be outdated; then they are at pixels without data.
        """
        carried, self._carried = self._carried, None
        first = 0
        if carried is not None and carried[0] == tile:
            first = carried[1].shape[2]
            self._canvas[:, :, :first] = carried[1]
        end = min(self._canvas.shape[2], self._plan.width - tile.left)
        touched = self._plan.bottom(tile.row - 1) - tile.top if tile.row else 0
        self._canvas[:, touched:, first:end] = 0
        if touched > 0:
            waiting = self._below[:, :touched, tile.left + first : tile.left + end]
            self._canvas[:, :touched, first:end] = waiting

    @torch.inference_mode()
    def _finish(self) -> Finished:
        """Return the finished part of the canvas, and keep the rest for the tiles below and to the right."""
        tiles, self._tiles = self._tiles, []
        first, last = tiles[0].tile, tiles[-1].tile
        rows = self._row_spans[last.row][1] - last.top
        cols = self._col_spans[last.col][1] - first.left
        bottom, right = self._plan.bottom(last.row) - last.top, self._plan.right(last.col) - first.left
        self._below[:, : bottom - rows, first.left : first.left + cols] = self._canvas[:, rows:bottom, :cols]
        if right > cols:
            following = Tile(last.row, last.col + 1, last.top, first.left + cols)
            self._carried = following, self._canvas[:, :, cols:right].clone()
        return Finished(first.top, first.left, self._canvas[:, :rows, :cols], self._valid(tiles, rows))

    def _valid(self, tiles: list[TileScores], rows: int) -> BoolArray | None:
        if all(scored.valid is None for scored in tiles):
            return None
        parts = []
        for scored in tiles:
            cols = self._col_spans[scored.tile.col][1] - scored.tile.left
            parts.append(np.ones((rows, cols), bool) if scored.valid is None else scored.valid[:rows, :cols])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


class TileWeights:
    """Weights of the pixels of a tile, (size, size); interior tiles share one array."""

    def __init__(self, plan: TilePlan, device: torch.device) -> None:
        self._device = device
        self._rows, self._row_kind = _kinds(plan.row_weights)
        self._cols, self._col_kind = _kinds(plan.col_weights)
        self._made: dict[tuple[int, int], Tensor] = {}

    def of(self, tile: Tile) -> Tensor:
        """Return the weights of a tile."""
        kind = self._row_kind[tile.row], self._col_kind[tile.col]
        if kind not in self._made:
            weights = np.outer(self._rows[kind[0]], self._cols[kind[1]])
            self._made[kind] = torch.from_numpy(weights).to(self._device)
        return self._made[kind]


def _kinds(weights: Float32Array) -> tuple[Float32Array, list[int]]:
    """Return the different rows of (tiles, size) weights, and which of them each tile has."""
    different, kind = np.unique(weights, axis=0, return_inverse=True)
    return different, kind.ravel().tolist()
