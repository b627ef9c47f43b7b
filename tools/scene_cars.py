"""Cars of the day: they differ between the dates and keep the label of what they stand on."""

from __future__ import annotations

import numpy as np

from scene_buildings import Footprint, foot_at
from scene_canvas import GROUND, Canvas, tinted, varied
from scene_frame import Rect

CARS = (
    (36, 38, 42),
    (214, 214, 216),
    (130, 132, 136),
    (150, 34, 34),
    (40, 62, 110),
    (236, 236, 236),
    (84, 86, 90),
)


def paint_car(canvas: Canvas, foot: Footprint, rng: np.random.Generator) -> None:
    """A car or van: body and darker glass; it keeps the label of what it stands on."""
    axes = foot.axes(canvas.frame.side)
    rgb = varied(rng, CARS[rng.integers(len(CARS))], 0.06)
    if axes is None:
        return
    area, along, across = axes
    where = (np.abs(along) < foot.half_along) & (np.abs(across) < foot.half_across)
    where &= (canvas.height[area] < 1) & (canvas.label[area] == GROUND)
    glass = (np.abs(np.abs(along) - foot.half_along * 0.4) < 0.7) & (np.abs(across) < foot.half_across - 0.6)
    texture = np.where(glass, np.float32(0.45), np.float32(1.05))
    canvas.paint(area, where, None, tinted(rgb, texture), 1.5)


def park_cars(canvas: Canvas, rect: Rect, rng: np.random.Generator, fullness: float) -> None:
    """Mark bays 5 px wide and 11 px deep in one or two rows, and fill some with cars of that day."""
    area = canvas.frame.area_of(rect)
    if area is None:
        return
    seed = int(rng.integers(2**30))
    u = canvas.frame.u[area] - np.float32(rect.u0)
    line = (np.abs(u - 5.4 * np.round(u / 5.4)) < 0.45) & canvas.frame.inside(rect, area)
    line &= canvas.height[area] < 0.1
    canvas.paint(area, line, None, canvas.colour[(slice(None), *area)] * np.float32(0.4) + 118, 0.0)
    cars = np.random.default_rng([seed, int(canvas.after)])
    rows = [rect.v0 + 5.5] if rect.sides[1] < 20 else [rect.v0 + 5.5, rect.v0 + 16.5]
    for v in rows:
        for u0 in np.arange(rect.u0 + 2.7, rect.u1 - 2.7, 5.4):
            if cars.random() < fullness:
                paint_car(canvas, foot_at(canvas, float(u0), v, 1.9, float(cars.uniform(4, 4.8))), cars)


def strew_cars(canvas: Canvas, rect: Rect, count: int, rng: np.random.Generator) -> None:
    """Strew cars and lorries of that day over a yard."""
    cars = np.random.default_rng([int(rng.integers(2**30)), int(canvas.after)])
    for _ in range(count):
        u, v = float(cars.uniform(rect.u0, rect.u1)), float(cars.uniform(rect.v0, rect.v1))
        half = float(cars.choice([4.4, 4.4, 8.0]))
        half_width, turn = 1.9 if half < 5 else 2.6, float(cars.normal(0, 0.4))
        paint_car(canvas, foot_at(canvas, u, v, half, half_width, turn), cars)


def paint_road_cars(canvas: Canvas, rect: Rect, rng: np.random.Generator) -> None:
    """Put cars of that day on both lanes of a road, about one in 90 px."""
    along_u = rect.sides[0] >= rect.sides[1]
    length, width = max(rect.sides), min(rect.sides)
    for _ in range(int(rng.poisson(length / 90))):
        at, lane = float(rng.uniform(0, length)), float(rng.choice([-1, 1])) * width / 4
        u, v = (rect.u0 + at, rect.centre[1] + lane) if along_u else (rect.centre[0] + lane, rect.v0 + at)
        half = float(rng.choice([4.3, 4.3, 4.3, 7.0]))
        sides = (half, 1.8) if along_u else (1.8, half)
        paint_car(canvas, foot_at(canvas, u, v, *sides), rng)
