"""The shift between the dates, measured on tiles during a run."""

from collections.abc import Iterable, Iterator

import numpy as np

from lsafnet_cli.prediction.tile_rows import TilePixels
from lsafnet_cli.scenes.registration import WINDOW_PX, Registration, Shift, measure_shift, summarize_shifts

SAMPLED_TILES = (4, 16)  # at least, at most


class ShiftSampler:
    """Measures the shift between the dates on some of the tiles of a run, without further reading."""

    def __init__(self, tile_count: int) -> None:
        wanted = int(np.clip(tile_count // 8, *SAMPLED_TILES))
        self._chosen = {int(n) for n in np.linspace(0, max(tile_count - 1, 0), wanted)}
        self._seen = 0
        self._found: list[Shift | None] = []

    def watch(self, tiles: Iterable[TilePixels]) -> Iterator[TilePixels]:
        """Yield the tiles unchanged."""
        for tile in tiles:
            if self._seen in self._chosen:
                self._found.append(_measure_middle(tile))
            self._seen += 1
            yield tile

    def summarize(self) -> Registration:
        """Return the shift found so far."""
        return summarize_shifts(self._found)


def _measure_middle(tile: TilePixels) -> Shift | None:
    first = [max(0, (side - WINDOW_PX) // 2) for side in tile.valid.shape]
    middle = np.s_[..., first[0] : first[0] + WINDOW_PX, first[1] : first[1] + WINDOW_PX]
    return measure_shift(tile.before[middle], tile.after[middle], tile.valid[middle])
