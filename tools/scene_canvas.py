"""One date of a scene while it is painted: land cover, colour, height, and the noise that gives grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scene_frame import Area, Frame

WATER, GROUND, VEGETATION, BUILDING = 1, 2, 3, 4

Grid = NDArray[np.float32]
Bools = NDArray[np.bool_]
Colour = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Noise:
    """Four (side, side) float32 fields of unit spread, from single pixels to slow changes over 40 px."""

    fine: Grid
    mid: Grid
    coarse: Grid
    broad: Grid

    def mixed_with(self, other: Noise) -> Noise:
        """Return fields of unit spread that half follow this noise and half the other; broad is kept."""
        half = np.float32(np.sqrt(0.5))
        fine, mid, coarse = (
            (mine + theirs) * half
            for mine, theirs in ((self.fine, other.fine), (self.mid, other.mid), (self.coarse, other.coarse))
        )
        return Noise(fine, mid, coarse, self.broad)


def smooth_noise(rng: np.random.Generator, side: int, scale_px: int) -> Grid:
    """Return (side, side) noise of unit spread that changes over about scale_px pixels."""
    cells = side // scale_px + 4
    lattice = rng.standard_normal((cells, cells))
    field = lattice.repeat(scale_px, 0)
    for _ in range(2):
        field = ndimage.uniform_filter1d(field, scale_px, 0)
    field = field[scale_px : scale_px + side].repeat(scale_px, 1)
    for _ in range(2):
        field = ndimage.uniform_filter1d(field, scale_px, 1)
    field = field[:, scale_px : scale_px + side]
    scaled: Grid = (field * 1.8).astype(np.float32)
    return scaled


def draw_noise(rng: np.random.Generator, side: int) -> Noise:
    fine = rng.standard_normal((side, side), dtype=np.float32)
    return Noise(fine, smooth_noise(rng, side, 2), smooth_noise(rng, side, 8), smooth_noise(rng, side, 40))


@dataclass(frozen=True, slots=True)
class Season:
    """The time of year: index 0 spring to 3 autumn, grass from 0 dry to 1 lush, leaf fall from 0 to 1."""

    index: int
    lush: float
    leaf_fall: float


def draw_season(rng: np.random.Generator, index: int) -> Season:
    lush = np.clip((0.85, 0.65, 0.35, 0.55)[index] + rng.uniform(-0.25, 0.25), 0.05, 1.0)
    return Season(index, float(lush), float(rng.uniform(0.2, 0.8)) if index == 3 else 0.0)


@dataclass(frozen=True, slots=True)
class Canvas:
    """What lies on the ground at one date; all arrays are changed in place by the painters.

    label (side, side) uint8; colour (3, side, side) float32, 0..255 in full sun on flat ground;
    height (side, side) float32, m above ground; wooded (side, side) bool, where wood trees stand;
    kept_clear (side, side) bool, where no house or tree may stand (water and its banks).
    """

    frame: Frame
    noise: Noise
    season: Season
    after: bool
    label: NDArray[np.uint8]
    colour: Grid
    height: Grid
    wooded: Bools
    kept_clear: Bools

    def paint(
        self, area: Area, where: Bools, label: int | None, colour: Grid, height: Grid | float = 0.0
    ) -> None:
        """Cover the pixels of an area: colour broadcasts to (3, rows, cols); no label keeps the old one."""
        if label is not None:
            self.label[area][where] = label
        np.copyto(self.colour[(slice(None), *area)], colour, where=where)
        np.copyto(self.height[area], np.float32(height) if isinstance(height, float) else height, where=where)

    def is_clear(self, col: float, row: float) -> bool:
        """Say whether an object may stand at a point; points outside the picture may."""
        side = self.frame.side
        if not (0 <= col < side and 0 <= row < side):
            return True
        return not self.kept_clear[int(row), int(col)]

    def is_rooted(self, col: float, row: float) -> bool:
        """Say whether a tree may stand at a point: on clear land, not on a roof; points outside may."""
        side = self.frame.side
        if not (0 <= col < side and 0 <= row < side):
            return True
        place = int(row), int(col)
        return not self.kept_clear[place] and self.label[place] in (GROUND, VEGETATION)


def blank_canvas(frame: Frame, noise: Noise, season: Season, after: bool, kept_clear: Bools) -> Canvas:
    shape = (frame.side, frame.side)
    colour = np.full((3, *shape), 110, np.float32)
    label = np.full(shape, GROUND, np.uint8)
    height, wooded = np.zeros(shape, np.float32), np.zeros(shape, bool)
    return Canvas(frame, noise, season, after, label, colour, height, wooded, kept_clear)


def tinted(rgb: tuple[float, float, float] | Colour, texture: Grid) -> Grid:
    """Return a (3, rows, cols) colour: rgb times a (rows, cols) texture around 1."""
    return np.asarray(rgb, np.float32)[:, None, None] * texture


def varied(rng: np.random.Generator, rgb: tuple[float, float, float], spread: float = 0.08) -> Colour:
    """Return rgb with its brightness, and a little its hue, drawn anew."""
    return (np.array(rgb) * rng.normal(1, spread) * rng.normal(1, spread / 3, 3)).astype(np.float32)
