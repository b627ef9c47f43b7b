"""Painters of flat covers: crops, meadows, soil, paving, roads and water."""

from __future__ import annotations

import numpy as np

from scene_canvas import GROUND, VEGETATION, WATER, Bools, Canvas, Colour, Grid, tinted, varied
from scene_frame import Area, Rect, everywhere

# per crop: colour in spring, summer, late summer (ripe or stubble), autumn; and how strongly rows show
CROPS: tuple[tuple[tuple[tuple[float, float, float], ...], float], ...] = (
    (((88, 118, 56), (150, 150, 84), (190, 170, 108), (104, 126, 66)), 0.06),  # cereal
    (((176, 172, 52), (104, 128, 62), (146, 134, 88), (92, 116, 58)), 0.04),  # rape
    (((124, 126, 78), (62, 96, 44), (84, 104, 50), (136, 128, 78)), 0.16),  # maize
    (((96, 120, 62), (66, 108, 50), (60, 102, 46), (78, 104, 54)), 0.12),  # beet
    (((126, 130, 86), (94, 112, 60), (92, 106, 56), (124, 112, 62)), 0.30),  # vine
)
SOILS = ((136, 108, 80), (118, 92, 68), (150, 130, 104), (128, 96, 66), (112, 100, 86))
PAVINGS = ((98, 98, 100), (122, 121, 119), (148, 146, 141), (170, 166, 158), (112, 108, 104))


def stripes(along: Grid, period_px: float, phase: float) -> Grid:
    """Return a triangle wave in -1..1; no sine, so that every machine draws the same."""
    turn = along * np.float32(1 / period_px) + np.float32(phase)
    wave: Grid = np.abs((turn - np.floor(turn)) * 4 - 2) - 1
    return wave


def paint_crop(canvas: Canvas, rect: Rect, where: Bools, area: Area, rng: np.random.Generator) -> None:
    """A crop in rows with the tracks of the tractor; green, ripe or stubble, it is vegetation."""
    colours, row_strength = CROPS[rng.integers(len(CROPS))]
    rgb = varied(rng, colours[canvas.season.index], 0.09)
    along, across = _field_axes(canvas, rect, area, rng)
    rows = stripes(across, float(rng.uniform(3.0, 7.0)), float(rng.random()))
    noise = canvas.noise
    texture = (
        1 + row_strength * rng.uniform(0.5, 1.2) * rows + 0.05 * noise.fine[area] + 0.05 * noise.mid[area]
    )
    texture += 0.04 * noise.coarse[area] + 0.07 * noise.broad[area]
    spacing = float(rng.uniform(30, 56))
    tracks = np.abs(across - spacing * np.floor(across / spacing) - spacing / 2)
    tracks = np.minimum(np.abs(tracks - 1.9), 4)
    texture *= np.where(tracks < 0.8, np.float32(rng.uniform(0.8, 1.1)), np.float32(1))
    headland = np.minimum(along - along.min(), along.max() - along) < 14
    texture = np.where(headland & (rng.random() < 0.5), 1 + 0.06 * noise.mid[area], texture)
    height = 0.3 + 0.06 * noise.mid[area] + 0.6 * row_strength * rows
    canvas.paint(area, where, VEGETATION, tinted(rgb, texture), height.astype(np.float32))


def paint_meadow(canvas: Canvas, rect: Rect, where: Bools, area: Area, rng: np.random.Generator) -> None:
    """Grass, drier or lusher with the season, patchy or mown in stripes."""
    dry, lush = varied(rng, (152, 142, 98), 0.07), varied(rng, (88, 118, 60), 0.08)
    patchy, mown = float(rng.uniform(0.03, 0.2)), rng.random() < 0.25
    noise = canvas.noise
    share = canvas.season.lush + patchy * (noise.broad[area] + 0.7 * noise.coarse[area])
    share = np.clip(share, 0, 1).astype(np.float32)
    texture = 1 + 0.055 * noise.fine[area] + float(rng.uniform(0.03, 0.08)) * noise.mid[area]
    _, across = _field_axes(canvas, rect, area, rng)
    if mown:
        texture = texture + 0.05 * stripes(across, float(rng.uniform(9, 16)), 0.0)
    colour = tinted(dry, (texture * (1 - share)).astype(np.float32))
    colour += tinted(lush, (texture * share).astype(np.float32))
    canvas.paint(area, where, VEGETATION, colour, (0.15 + 0.03 * noise.mid[area]).astype(np.float32))


def paint_soil(canvas: Canvas, rect: Rect, where: Bools, area: Area, rng: np.random.Generator) -> None:
    """Ploughed soil without plants: furrows, clods, wet and dry patches. Ground."""
    rgb = varied(rng, SOILS[rng.integers(len(SOILS))], 0.1)
    wet = 0.9 if canvas.season.index in (0, 3) else 1.05
    _, across = _field_axes(canvas, rect, area, rng)
    furrows = stripes(across, float(rng.uniform(3.5, 9)), float(rng.random()))
    noise = canvas.noise
    texture = 1 + float(rng.uniform(0.01, 0.07)) * furrows + 0.05 * noise.fine[area] + 0.03 * noise.mid[area]
    texture = wet * (texture + 0.08 * noise.broad[area] + 0.03 * noise.coarse[area])
    canvas.paint(
        area,
        where,
        GROUND,
        tinted(rgb, texture),
        (0.04 * noise.mid[area] + 0.1 * furrows * (rng.random() < 0.4)).astype(np.float32),
    )


def paint_dirt(canvas: Canvas, _rect: Rect, where: Bools, area: Area, rng: np.random.Generator) -> None:
    """A building site or a cleared lot: raw earth and gravel, ruts, heaps. Ground."""
    rgb = varied(rng, SOILS[rng.integers(len(SOILS))], 0.1) * np.float32(1.2)
    pale = varied(rng, (190, 182, 166), 0.05)
    noise = canvas.noise
    gravel = np.clip(
        rng.uniform(-0.2, 0.8) + 0.22 * noise.coarse[area] + rng.uniform(0.1, 0.4) * noise.broad[area], 0, 1
    ).astype(np.float32)
    texture = 1 + 0.05 * noise.fine[area] + 0.06 * noise.mid[area]
    ruts = stripes(canvas.frame.u[area] + 9 * noise.broad[area], float(rng.uniform(14, 40)), 0.3) > 0.8
    texture = np.where(ruts, texture * 0.88, texture).astype(np.float32)
    heaps = np.maximum(noise.coarse[area] - np.float32(rng.uniform(1.4, 2.4)), 0) * 2
    colour = tinted(rgb, texture * (1 - gravel)) + tinted(pale, texture * gravel)
    canvas.paint(area, where, GROUND, colour, (heaps + 0.04 * noise.mid[area]).astype(np.float32))


def paint_paving(
    canvas: Canvas, where: Bools, area: Area, rng: np.random.Generator, rgb: Colour | None = None
) -> Colour:
    """Asphalt, concrete or gravel with patches and stains; returns the colour taken. Ground."""
    if rgb is None:
        rgb = varied(rng, PAVINGS[rng.integers(len(PAVINGS))], 0.07)
    noise = canvas.noise
    texture = 1 + 0.025 * noise.fine[area] + 0.02 * noise.mid[area] + 0.025 * noise.coarse[area]
    texture = texture + 0.03 * noise.broad[area]
    patches = (noise.broad[area] + 0.3 * noise.coarse[area]) > np.float32(rng.uniform(1.2, 2.2))
    texture = np.where(patches, texture * np.float32(rng.uniform(0.84, 1.1)), texture)
    canvas.paint(area, where, GROUND, tinted(rgb, texture), 0.0)
    return rgb


def paint_road(canvas: Canvas, rect: Rect, rgb: Colour, paved: bool) -> None:
    """A road or a track along the longer side of a rectangle, with kerbs and lines, or two ruts."""
    area = canvas.frame.area_of(rect)
    if area is None:
        return
    where = canvas.frame.inside(rect, area)
    along_u = rect.sides[0] >= rect.sides[1]
    across, along = (canvas.frame.v, canvas.frame.u) if along_u else (canvas.frame.u, canvas.frame.v)
    middle, width = rect.centre[1 if along_u else 0], min(rect.sides)
    offset = np.abs(across[area] - np.float32(middle))
    noise = canvas.noise
    texture = 1 + 0.03 * noise.fine[area] + 0.03 * noise.coarse[area]
    if not paved:
        texture = (
            texture * np.where(np.abs(offset - width / 4) < width / 7, 1.06, 0.94) + 0.05 * noise.mid[area]
        )
    elif width > 11:
        dashes = (offset < 0.5) & (stripes(along[area], 24, 0.0) > 0)
        texture = np.where(dashes, np.float32(1.45), texture)
    if paved and width > 15:
        texture = np.where(offset > width / 2 - 3, texture * np.float32(1.22), texture)
    canvas.paint(area, where, GROUND, tinted(rgb, texture.astype(np.float32)), 0.0)
    canvas.wooded[area] &= ~where


def paint_water(canvas: Canvas, wet: Bools, rgb: Colour, ripple: float) -> None:
    """Open water: darker than most, smooth, with a slow change of colour and some ripples."""
    rows, cols = np.flatnonzero(wet.any(1)), np.flatnonzero(wet.any(0))
    if not rows.size:
        return
    area = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    noise = canvas.noise
    texture = 1 + 0.06 * noise.broad[area] + ripple * (noise.mid[area] + 0.5 * noise.fine[area])
    canvas.paint(area, wet[area], WATER, tinted(rgb, texture.astype(np.float32)), 0.0)


def paint_mud(canvas: Canvas, dry: Bools, rgb: Colour) -> None:
    """The bed that water left: wet, smooth mud with paler cracks. Ground."""
    noise = canvas.noise
    texture = 1 + 0.04 * noise.coarse + 0.06 * noise.broad + 0.03 * noise.fine + 0.03 * noise.mid
    canvas.paint(everywhere(canvas.frame.side), dry, GROUND, tinted(rgb, texture), 0.0)


def _field_axes(canvas: Canvas, rect: Rect, area: Area, rng: np.random.Generator) -> tuple[Grid, Grid]:
    """Return (along, across) px of a field: worked along its longer side, seldom along the shorter."""
    along_u = (rect.sides[0] >= rect.sides[1]) != (rng.random() < 0.2)
    u, v = canvas.frame.u[area], canvas.frame.v[area]
    return (u, v) if along_u else (v, u)
