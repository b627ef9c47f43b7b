"""Rivers and lakes as depth fields whose level may rise or fall between the dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scene_canvas import Bools, Colour, Grid, Noise, varied
from scene_frame import Frame

WATERS = ((40, 56, 52), (52, 72, 76), (70, 80, 60), (58, 92, 98), (34, 46, 62), (84, 92, 80))


@dataclass(frozen=True, slots=True)
class Waters:
    """Where water stands at each date, the bed left dry after, the banks to keep clear, and the colour."""

    wet_before: Bools
    wet_after: Bools
    kept_clear: Bools
    rgb: Colour
    ripple: float


def draw_waters(rng: np.random.Generator, frame: Frame, noise: Noise) -> Waters:
    """Draw rivers and lakes, none in about half of the small scenes."""
    side = frame.side
    wet_before, wet_after = np.zeros((side, side), bool), np.zeros((side, side), bool)
    kept_clear = np.zeros((side, side), bool)
    places = (side / 288) ** 2
    lakes = min(6, int(rng.poisson(0.22 * places)))
    rivers = int(rng.random() < min(0.7, 0.28 * places))
    shaking = 2.5 * noise.coarse + 7 * noise.broad + 0.5 * noise.mid
    for index in range(rivers + lakes):
        depth = (_river(rng, side) if index < rivers else _lake(rng, side)) + shaking
        before, after = _levels(rng)
        wet_before |= depth > before
        wet_after |= depth > after
        kept_clear |= depth > min(before, after) - 5
    rgb = varied(rng, WATERS[rng.integers(len(WATERS))], 0.12)
    return Waters(wet_before, wet_after, kept_clear, rgb, float(rng.choice([0.01, 0.04, 0.09])))


def _levels(rng: np.random.Generator) -> tuple[float, float]:
    """Return the depth, px from the mean bank, where the water ends at each date."""
    change = float(rng.uniform(6, 24)) * float(rng.choice([1, -1, 0], p=[0.36, 0.34, 0.3]))
    return max(0.0, -change), max(0.0, change)


def _river(rng: np.random.Generator, side: int) -> Grid:
    """Return depth, px inside the bank, of a river that crosses the picture in bends."""
    turn, offset = float(rng.uniform(0, np.pi)), float(rng.normal(0, side / 5))
    lengths, phases = rng.uniform(220, 900, 3), rng.uniform(0, 2 * np.pi, 3)
    swings = lengths * rng.uniform(0.02, 0.09, 3)
    half_width = float(rng.uniform(14, 44))
    y, x = np.meshgrid(np.arange(side) - side / 2, np.arange(side) - side / 2, indexing="ij")
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    bend, slope = np.full_like(along, offset), np.zeros_like(along)
    for length, phase, swing in zip(lengths, phases, swings, strict=True):
        bend += swing * np.sin(2 * np.pi * along / length + phase)
        slope += swing * 2 * np.pi / length * np.cos(2 * np.pi * along / length + phase)
    depth: Grid = (half_width - np.abs(across - bend) / np.sqrt(1 + slope**2)).astype(np.float32)
    return depth


def _lake(rng: np.random.Generator, side: int) -> Grid:
    """Return depth, px inside the shore, of an oval lake with lobes."""
    row, col = rng.uniform(0, side, 2)
    radius, flat = float(rng.choice([rng.uniform(30, 70), rng.uniform(70, 190)])), float(rng.uniform(0.55, 1))
    turn, phases = float(rng.uniform(0, np.pi)), rng.uniform(0, 2 * np.pi, 2)
    y, x = np.meshgrid(np.arange(side) - row, np.arange(side) - col, indexing="ij")
    along, across = np.cos(turn) * x + np.sin(turn) * y, (np.cos(turn) * y - np.sin(turn) * x) / flat
    bearing = np.arctan2(across, along)
    lobes = 1 + 0.12 * np.cos(2 * bearing + phases[0]) + 0.08 * np.cos(3 * bearing + phases[1])
    depth: Grid = ((radius * lobes - np.sqrt(along**2 + across**2)) * np.sqrt(flat)).astype(np.float32)
    return depth
