"""From a painted canvas to a picture: sun and shadow, lean of high things, haze, blur, noise, tone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scene_canvas import Bools, Canvas, Grid
from scene_frame import PIXEL_M

LONGEST_SHADOW_PX = 64.0


@dataclass(frozen=True, slots=True)
class Look:
    """How one date was pictured.

    sun: towards the sun in (rows, cols), a unit vector; slope: tangent of its elevation; sky: share of
    light in full shadow; lean: px per m of height in (rows, cols); shift: px in (rows, cols);
    haze 0..1; white: gain per band; contrast: strength of the tone curve; blur px; grain in grey values.
    """

    sun: tuple[float, float]
    slope: float
    sky: float
    lean: tuple[float, float]
    shift: tuple[float, float]
    haze: float
    white: NDArray[np.float32]
    contrast: float
    blur_px: float
    grain: float


def draw_look(rng: np.random.Generator) -> Look:
    bearing, lean_bearing = rng.uniform(0, 2 * np.pi, 2)
    # the northern sun: shadows fall to the north, between west and east
    azimuth = np.pi / 2 + rng.uniform(-1.25, 1.25)
    lean = 0.11 * rng.random()
    return Look(
        sun=(float(np.sin(azimuth)), float(np.cos(azimuth))),
        slope=float(np.tan(np.radians(rng.uniform(30, 62)))),
        sky=float(rng.uniform(0.3, 0.5)),
        lean=(float(lean * np.sin(lean_bearing)), float(lean * np.cos(lean_bearing))),
        shift=(float(0.4 * np.sin(bearing)), float(0.4 * np.cos(bearing))),
        haze=float(rng.choice([rng.uniform(0, 0.08), rng.uniform(0.08, 0.3)])),
        white=(rng.uniform(0.82, 1.12) * rng.normal(1, 0.045, 3)).astype(np.float32),
        contrast=float(rng.uniform(-0.3, 1.0)),
        blur_px=float(rng.uniform(0.35, 0.8)),
        grain=float(rng.uniform(1.0, 5.0)),
    )


def take_picture(canvas: Canvas, look: Look, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the (3, side, side) uint8 picture of a canvas; no value is 0."""
    lit = sunlight(canvas.height, look)
    sky = np.float32(look.sky) * np.array([0.93, 1.0, 1.14], np.float32)[:, None, None]
    seen = canvas.colour * (sky + (1 - sky) * lit)
    seen = lean_over(seen, canvas.height, look)
    seen = ndimage.gaussian_filter(seen, (0, look.blur_px, look.blur_px), truncate=3)
    tone = np.clip(seen * np.float32(1 / 255), 0, 1.25)
    tone = tone + np.float32(look.contrast) * tone * (1 - tone) * (tone - np.float32(0.42))
    veil = np.array([0.72, 0.78, 0.86], np.float32)[:, None, None]
    thick = np.float32(look.haze) * np.clip(1 + 0.1 * canvas.noise.broad, 0, 2)
    tone = (tone * (1 - thick) + veil * thick) * look.white[:, None, None]
    grain = rng.standard_normal(tone.shape, dtype=np.float32) * np.float32(look.grain)
    picture: NDArray[np.uint8] = np.clip(np.rint(tone * 255 + grain), 1, 255).astype(np.uint8)
    return picture


def sunlight(height: Grid, look: Look) -> Grid:
    """Return (side, side) direct light: 1 on open flat ground, 0 in shadow, by the slope elsewhere."""
    fall_row, fall_col = _slope(height, 0), _slope(height, 1)
    facing = (look.slope - fall_row * look.sun[0] - fall_col * look.sun[1]) / np.sqrt(
        1 + fall_row**2 + fall_col**2
    )
    shade = np.clip(facing / np.float32(look.slope), 0, 1.45).astype(np.float32)
    lit: Grid = ndimage.uniform_filter((~in_shadow(height, look)).astype(np.float32), 2)
    lit *= shade
    return lit


def _slope(height: Grid, axis: int) -> Grid:
    """Return the rise per px of ground along an axis, m/m; walls (steps above 1.3 m) do not count."""
    step = np.diff(height, axis=axis, append=height.take([-1], axis))
    step[np.abs(step) > 1.3] = 0
    slope: Grid = (step + np.roll(step, 1, axis)) * np.float32(0.5 / PIXEL_M)
    return slope


def in_shadow(height: Grid, look: Look) -> Bools:
    """March from every pixel towards the sun; shadow where something rises above the ray."""
    side = height.shape[0]
    shadow = np.zeros(height.shape, bool)
    rise_per_px = look.slope * PIXEL_M
    reach = min(LONGEST_SHADOW_PX, float(height.max()) / rise_per_px)
    for distance in np.arange(1.0, reach, 1.25):
        d_row, d_col = round(distance * look.sun[0]), round(distance * look.sun[1])
        here, there = _overlap(side, d_row, d_col)
        shadow[here] |= height[there] > height[here] + np.float32(distance * rise_per_px)
    return shadow


def _overlap(side: int, d_row: int, d_col: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the pixels that have a neighbour at an offset, and those neighbours."""
    rows = slice(max(0, -d_row), side - max(0, d_row)), slice(max(0, d_row), side - max(0, -d_row))
    cols = slice(max(0, -d_col), side - max(0, d_col)), slice(max(0, d_col), side - max(0, -d_col))
    return (rows[0], cols[0]), (rows[1], cols[1])


def lean_over(seen: Grid, height: Grid, look: Look) -> Grid:
    """Move the picture by the shift and what is high by its lean, 2 px at most; higher hides the lower."""
    side = height.shape[0]
    per_m = float(np.hypot(*look.lean))
    moved = shifted(seen, look.shift)
    for offset_px in (0.5, 1.0, 1.5, 2.0):
        if per_m * float(height.max()) < offset_px:
            break
        step = [part / per_m * offset_px for part in look.lean]
        here, there = _overlap(side, round(-step[0]), round(-step[1]))
        leans = np.zeros(height.shape, bool)
        leans[here] = height[there] * per_m >= offset_px
        np.copyto(moved, shifted(seen, (look.shift[0] + step[0], look.shift[1] + step[1])), where=leans)
    return moved


def shifted(seen: Grid, by: tuple[float, float]) -> Grid:
    """Return (bands, rows, cols) moved by less than 3 px down and right, linear between pixels."""
    moved = seen
    for axis, distance in ((1, by[0]), (2, by[1])):
        whole = int(np.floor(distance))
        part = np.float32(distance - whole)
        near = np.roll(moved, whole, axis)
        moved = near * (1 - part) + np.roll(near, 1, axis) * part
    return moved
