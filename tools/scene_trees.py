"""Trees: crowns as domes with leaf clumps, alone, in orchards and in woods. Crowns are vegetation."""

from __future__ import annotations

import numpy as np

from scene_canvas import VEGETATION, Canvas, Colour, Grid, smooth_noise, tinted, varied
from scene_frame import area_between, everywhere

GREENS = ((62, 92, 46), (76, 104, 50), (54, 82, 48), (88, 108, 56), (46, 70, 44))
AUTUMN = ((150, 112, 52), (136, 84, 48), (158, 136, 62))
CELL_PX = 10  # spacing of wood trees: 5 m


def leaf_colour(canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Draw the colour of one crown; in autumn some have turned."""
    green = varied(rng, GREENS[rng.integers(len(GREENS))], 0.1)
    turned = varied(rng, AUTUMN[rng.integers(len(AUTUMN))], 0.1)
    share = canvas.season.leaf_fall if rng.random() < 0.6 else 0.0
    spring = np.float32(1.12 if canvas.season.index == 0 else 1.0)
    return (green * (1 - share) + turned * share).astype(np.float32) * spring


def paint_tree(canvas: Canvas, col: float, row: float, radius_px: float, rng: np.random.Generator) -> None:
    """One crown, seen where it stands higher than what is there."""
    rgb = leaf_colour(canvas, rng)
    area = area_between(canvas.frame.side, col - radius_px, row - radius_px, col + radius_px, row + radius_px)
    if area is None or not canvas.is_rooted(col, row):
        return
    rows, cols = np.ogrid[area]
    reach = ((rows - row) ** 2 + (cols - col) ** 2).astype(np.float32) / np.float32(radius_px**2)
    mid, fine = canvas.noise.mid[area], canvas.noise.fine[area]
    top = np.float32(1.4 + 0.75 * radius_px)
    dome = top * (1 - np.float32(0.75) * reach) + 0.45 * mid + 0.2 * fine
    where = (reach + 0.18 * mid < 1) & (dome > canvas.height[area])
    texture = 0.98 + 0.08 * mid + 0.07 * fine
    canvas.paint(area, where, VEGETATION, tinted(rgb, texture), dome)


def paint_wood(canvas: Canvas, seed: int) -> None:
    """All woods: one tree per cell of a shaken lattice, standing where its foot is wooded."""
    if not canvas.wooded.any():
        return
    trees = _draw_lattice(canvas, np.random.default_rng([seed, 7]))
    dome, rgb = _highest_crowns(canvas, trees)
    noise = canvas.noise
    dome = dome + np.where(dome > 0, 0.55 * noise.mid + 0.25 * noise.fine, 0)
    texture = 0.95 + 0.1 * noise.mid + 0.08 * noise.fine + 0.012 * np.clip(dome - 8, -8, 8)
    where = (dome > 0.8) & (dome > canvas.height)
    canvas.paint(
        everywhere(canvas.frame.side),
        where,
        VEGETATION,
        rgb * texture.astype(np.float32),
        dome.astype(np.float32),
    )


def _draw_lattice(canvas: Canvas, rng: np.random.Generator) -> dict[str, Grid]:
    """Return (cells, cells) float32 fields: row, col, squared radius, top m (0 where none stands), rgb."""
    side = canvas.frame.side
    cells = -(-side // CELL_PX)
    shape = (cells, cells)
    grid_rows, grid_cols = np.indices(shape, dtype=np.float32) * CELL_PX
    trees = {
        "row": grid_rows + rng.uniform(0, CELL_PX, shape).astype(np.float32),
        "col": grid_cols + rng.uniform(0, CELL_PX, shape).astype(np.float32),
        "radius2": rng.uniform(4.5, 9.5, shape).astype(np.float32) ** 2,
        "top": rng.uniform(6, 13, shape).astype(np.float32),
    }
    foot = np.minimum(trees["row"], side - 1).astype(int), np.minimum(trees["col"], side - 1).astype(int)
    trees["top"] *= canvas.wooded[foot] & (canvas.label[foot] == VEGETATION)
    stand = smooth_noise(rng, side, 48)[foot]
    trees["radius2"] = np.minimum(trees["radius2"] * (1 + np.float32(0.35) * np.clip(stand, -2, 2)), 99)
    kinds = np.array(GREENS, np.float32)[
        np.clip((stand + rng.normal(0, 0.7, shape)) * 1.2 + 2, 0, 4).astype(int)
    ]
    turned = np.array(AUTUMN, np.float32)[rng.integers(0, 3, shape)]
    share = (canvas.season.leaf_fall * (rng.random(shape) < 0.6)).astype(np.float32)[..., None]
    rgb = (kinds * (1 - share) + turned * share) * rng.normal(1, 0.09, (*shape, 1)).astype(np.float32)
    return trees | {name: rgb[..., band] for band, name in enumerate(("red", "green", "blue"))}


def _highest_crowns(canvas: Canvas, trees: dict[str, Grid]) -> tuple[Grid, Grid]:
    """Return the (side, side) height of the highest crown over each pixel and its (3, side, side) colour."""
    side = canvas.frame.side
    padded = {name: np.pad(values, 1) for name, values in trees.items()}
    rows, cols = np.ogrid[:side, :side]
    rows, cols = rows.astype(np.float32), cols.astype(np.float32)
    best, rgb = np.zeros((side, side), np.float32), np.zeros((3, side, side), np.float32)
    cells = trees["top"].shape[0]
    for d_row in range(3):
        for d_col in range(3):
            near = {
                name: values[d_row : d_row + cells, d_col : d_col + cells]
                .repeat(CELL_PX, 0)
                .repeat(CELL_PX, 1)[:side, :side]
                for name, values in padded.items()
            }
            reach2 = (near["row"] - rows) ** 2 + (near["col"] - cols) ** 2
            dome = near["top"] * (1 - np.float32(0.7) * reach2 / np.maximum(near["radius2"], 1))
            wins = (dome > best) & (reach2 < near["radius2"])
            np.copyto(best, dome, where=wins)
            np.copyto(rgb, np.stack([near["red"], near["green"], near["blue"]]), where=wins)
    return best, rgb
