"""Buildings as solids: their height gives shade, shadow and lean; the label is the footprint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scene_canvas import BUILDING, Canvas, Colour, Grid, tinted, varied
from scene_frame import Area, area_between

TILED = (
    (172, 92, 66),
    (150, 82, 62),
    (186, 112, 84),
    (118, 86, 70),
    (92, 84, 80),
    (78, 80, 86),
    (122, 120, 120),
)
FLAT = ((146, 144, 140), (112, 112, 112), (172, 170, 164), (206, 206, 204), (92, 94, 98), (128, 120, 108))
METAL = ((188, 190, 192), (152, 156, 160), (214, 214, 212), (120, 126, 132), (142, 100, 86), (110, 130, 148))


@dataclass(frozen=True, slots=True)
class Footprint:
    """A rectangle on the ground: centre (col, row), heading, half sides along and across it, px."""

    col: float
    row: float
    heading: float
    half_along: float
    half_across: float

    def axes(self, side: int) -> tuple[Area, Grid, Grid] | None:
        """Return the area around it and each pixel's (along, across) px from its centre."""
        reach = float(np.sqrt(self.half_along**2 + self.half_across**2))
        area = area_between(side, self.col - reach, self.row - reach, self.col + reach, self.row + reach)
        if area is None:
            return None
        rows, cols = np.ogrid[area]
        x, y = cols - self.col, rows - self.row
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        return area, (cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32)

    def moved(self, along: float, across: float, half_along: float, half_across: float) -> Footprint:
        """Return another footprint with the same heading, its centre moved along and across."""
        cos, sin = float(np.cos(self.heading)), float(np.sin(self.heading))
        col, row = self.col + cos * along - sin * across, self.row + sin * along + cos * across
        return Footprint(col, row, self.heading, half_along, half_across)


def foot_at(canvas: Canvas, u: float, v: float, half_u: float, half_v: float, turn: float = 0.0) -> Footprint:
    """Return a footprint at a street point, its long side along u or, if v is longer, along v."""
    col, row, heading = canvas.frame.locate_one(u, v)
    if half_v > half_u:
        return Footprint(col, row, heading + turn + np.pi / 2, half_v, half_u)
    return Footprint(col, row, heading + turn, half_u, half_v)


def paint_gabled(
    canvas: Canvas, foot: Footprint, eaves_m: float, rgb: Colour, rng: np.random.Generator, hipped: bool
) -> None:
    """A pitched roof with its ridge along the footprint; hipped ends where asked, chimney, perhaps panels."""
    axes = foot.axes(canvas.frame.side)
    pitch, courses = np.float32(rng.uniform(0.25, 0.45)), float(rng.uniform(1.6, 3.0))
    panels, chimney = rng.random() < 0.18, rng.uniform(-0.6, 0.6)
    if axes is None:
        return
    area, along, across = axes
    rise = foot.half_across - np.abs(across)
    if hipped:
        rise = np.minimum(rise, foot.half_along - np.abs(along))
    noise = canvas.noise
    lines = np.abs(across / courses - np.round(across / courses))
    texture = (
        0.95 + 0.08 * lines + 0.035 * noise.fine[area] + 0.035 * noise.mid[area] + 0.03 * noise.coarse[area]
    )
    colour = tinted(rgb, texture)
    if panels:
        on = (across > foot.half_across * 0.2) & (across < foot.half_across * 0.85)
        on &= np.abs(along) < foot.half_along * 0.6
        colour = np.where(on, tinted((44, 52, 76), 0.9 + 0.3 * lines), colour)
    where = (np.abs(along) < foot.half_along) & (np.abs(across) < foot.half_across)
    where &= eaves_m + rise * pitch > canvas.height[area]
    canvas.paint(area, where, BUILDING, colour, (eaves_m + rise * pitch).astype(np.float32))
    if foot.half_along > 9:
        stack = foot.moved(chimney * foot.half_along, 1.5, 1.3, 1.3)
        _paint_box(
            canvas, stack, eaves_m + foot.half_across * float(pitch) + 1, np.array((130, 100, 90), np.float32)
        )


def paint_flat(
    canvas: Canvas, foot: Footprint, height_m: float, rgb: Colour, rng: np.random.Generator
) -> None:
    """A flat roof: parapet, seams, and boxes of plant on top."""
    axes = foot.axes(canvas.frame.side)
    seam, boxes = float(rng.uniform(7, 20)), int(rng.integers(0, 6))
    spots = rng.uniform(-0.7, 0.7, (boxes, 2))
    parapet_shade, box_rgb = np.float32(rng.uniform(0.8, 1.35)), varied(rng, (176, 176, 174), 0.15)
    if axes is None:
        return
    area, along, across = axes
    inset = np.minimum(foot.half_along - np.abs(along), foot.half_across - np.abs(across))
    noise = canvas.noise
    texture = 1 + 0.03 * noise.fine[area] + 0.03 * noise.mid[area] + 0.06 * noise.coarse[area]
    texture = np.where(
        np.abs(along - seam * np.round(along / seam)) < 0.5, texture * np.float32(0.92), texture
    )
    texture = np.where(inset < 1.4, parapet_shade, texture)
    canvas.paint(
        area, inset > 0, BUILDING, tinted(rgb, texture), np.where(inset < 1.4, height_m + 0.6, height_m)
    )
    for spot_along, spot_across in spots:
        half = rng.uniform(1.2, min(5.0, 0.25 * foot.half_across + 1), 2)
        box = foot.moved(spot_along * foot.half_along, spot_across * foot.half_across, *half)
        _paint_box(canvas, box, height_m + float(rng.uniform(1, 2.5)), box_rgb)


def paint_hall(
    canvas: Canvas, foot: Footprint, height_m: float, rgb: Colour, rng: np.random.Generator
) -> None:
    """A large hall: low pitch or saw-tooth bays, metal ribs, rows of skylights, rust and dirt."""
    axes = foot.axes(canvas.frame.side)
    bays, pitch = int(rng.integers(1, 4)), np.float32(rng.uniform(0.02, 0.12))
    ribs, lights = float(rng.uniform(2.2, 5)), rng.random() < 0.6
    spacing = float(rng.uniform(14, 26))
    if axes is None:
        return
    area, along, across = axes
    bay = np.float32(2 * foot.half_across / bays)
    within = across + np.float32(foot.half_across)
    from_ridge = np.abs(within - bay * (np.floor(within / bay) + np.float32(0.5)))
    noise = canvas.noise
    seams = np.abs(along / ribs - np.round(along / ribs))
    texture = (
        0.96 + 0.12 * seams + 0.02 * noise.fine[area] + 0.05 * noise.coarse[area] + 0.04 * noise.broad[area]
    )
    colour = tinted(rgb, texture)
    if lights:
        on = np.abs(along - spacing * np.round(along / spacing)) < 1.6
        on &= (from_ridge > bay * 0.12) & (from_ridge < bay * 0.38)
        colour = np.where(on, tinted((222, 228, 230), texture), colour)
    where = (np.abs(along) < foot.half_along) & (np.abs(across) < foot.half_across)
    height = height_m + (bay / 2 - from_ridge) * pitch
    canvas.paint(area, where, BUILDING, colour, height.astype(np.float32))


def paint_tank(canvas: Canvas, foot: Footprint, height_m: float, rgb: Colour) -> None:
    """A round tank or silo with a shallow cone on top."""
    axes = foot.axes(canvas.frame.side)
    if axes is None:
        return
    area, along, across = axes
    reach = np.sqrt(along**2 + across**2)
    texture = 1 + 0.03 * canvas.noise.fine[area] + 0.04 * canvas.noise.coarse[area]
    height = height_m + (foot.half_along - reach) * np.float32(0.2)
    canvas.paint(area, reach < foot.half_along, BUILDING, tinted(rgb, texture), height.astype(np.float32))


def _paint_box(canvas: Canvas, foot: Footprint, top_m: float, rgb: Colour) -> None:
    """A box that stands on a roof, where there is roof below it."""
    axes = foot.axes(canvas.frame.side)
    if axes is None:
        return
    area, along, across = axes
    where = (np.abs(along) < foot.half_along) & (np.abs(across) < foot.half_across)
    where &= canvas.label[area] == BUILDING
    canvas.paint(area, where, None, rgb[:, None, None], top_m)
