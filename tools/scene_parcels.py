"""Painters of whole parcels: a cover, and what stands on it. The same seed draws the same parcel twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scene_buildings import (
    FLAT,
    METAL,
    TILED,
    Footprint,
    foot_at,
    paint_flat,
    paint_gabled,
    paint_hall,
    paint_tank,
)
from scene_canvas import WATER, Canvas, tinted, varied
from scene_cars import park_cars, strew_cars
from scene_frame import Rect
from scene_ground import paint_crop, paint_dirt, paint_meadow, paint_paving, paint_soil
from scene_trees import paint_tree

Rng = np.random.Generator


def paint_parcel(canvas: Canvas, rect: Rect, kind: str, seed: int) -> None:
    """Paint one parcel; season and guests (cars) come from the canvas, all else from the seed."""
    PAINTERS[kind](canvas, rect, np.random.default_rng(seed))


def stands(canvas: Canvas, rng: Rng, change: float = 0.04) -> bool:
    """Say whether a small object is there: most are at both dates, some are new after, some are gone."""
    chance = rng.random()
    return chance > change if canvas.after else chance < 1 - change


def is_buildable(canvas: Canvas, foot: Footprint) -> bool:
    """Say whether a footprint and a step around it stay clear of water, probed at 25 points."""
    steps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    along, across = foot.half_along + 3, foot.half_across + 3
    spots = [foot.moved(a * along, b * across, 1, 1) for a in steps for b in steps]
    return all(canvas.is_clear(spot.col, spot.row) for spot in spots)


def _cover(canvas: Canvas, rect: Rect, rng: Rng, paint: Callable[..., object]) -> None:
    area = canvas.frame.area_of(rect)
    if area is not None:
        paint(canvas, rect, canvas.frame.inside(rect, area), area, rng)


def _pave(canvas: Canvas, rect: Rect, rng: Rng, rgb: np.ndarray | None = None) -> None:
    area = canvas.frame.area_of(rect)
    if area is not None:
        paint_paving(canvas, canvas.frame.inside(rect, area), area, rng, rgb)


def _trees(canvas: Canvas, rect: Rect, count: int, rng: Rng, largest_px: float = 11) -> None:
    if min(rect.sides) <= 0:
        return
    for _ in range(count):
        u, v = rng.uniform(rect.u0, rect.u1), rng.uniform(rect.v0, rect.v1)
        radius, seed, there = rng.uniform(3, largest_px), int(rng.integers(2**31)), stands(canvas, rng)
        col, row, _ = canvas.frame.locate_one(u, v)
        if there:
            paint_tree(canvas, col, row, radius, np.random.default_rng(seed))


def paint_crop_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """A field, some with a row of trees along one edge."""
    _cover(canvas, rect, rng, paint_crop)
    if rng.random() < 0.2:
        _trees(canvas, Rect(rect.u0, rect.v0, rect.u1, rect.v0 + 5), int(rect.sides[0] / 16), rng, 8)


def paint_meadow_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    _cover(canvas, rect, rng, paint_meadow)
    size = rect.sides[0] * rect.sides[1]
    _trees(canvas, rect, int(rng.poisson(size * rng.choice([0, 0.0002, 0.0008]))), rng)
    area, copse = canvas.frame.area_of(rect), rng.random() < 0.3
    if area is not None and copse:
        canvas.wooded[area] |= canvas.frame.inside(rect.shrunk(5), area) & (canvas.noise.broad[area] > 0.9)


def paint_soil_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    _cover(canvas, rect, rng, paint_soil)


def paint_dirt_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    _cover(canvas, rect, rng, paint_dirt)
    strew_cars(canvas, rect, int(rng.poisson(1.5)), rng)


def paint_wood_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """Rough grass under wood trees; the edge of the wood frays."""
    _cover(canvas, rect, rng, paint_meadow)
    area = canvas.frame.area_of(rect)
    if area is None:
        return
    u, v = canvas.frame.u[area], canvas.frame.v[area]
    inwards = np.minimum(np.minimum(u - rect.u0, rect.u1 - u), np.minimum(v - rect.v0, rect.v1 - v))
    thin = float(rng.choice([-9.0, -1.2, -0.6]))
    canvas.wooded[area] |= (inwards > 4 + 4 * canvas.noise.broad[area]) & (canvas.noise.broad[area] > thin)


def paint_orchard_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """Trees in rows on grass."""
    _cover(canvas, rect, rng, paint_meadow)
    spacing, radius = float(rng.uniform(13, 18)), float(rng.uniform(3.5, 6))
    for u in np.arange(rect.u0 + 9, rect.u1 - 8, spacing):
        for v in np.arange(rect.v0 + 9, rect.v1 - 8, spacing):
            size, seed = radius * rng.uniform(0.8, 1.15), int(rng.integers(2**31))
            col, row, _ = canvas.frame.locate_one(float(u), float(v))
            paint_tree(canvas, col, row, size, np.random.default_rng(seed))


def paint_pond_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """A pond with reeds in grass."""
    _cover(canvas, rect, rng, paint_meadow)
    area = canvas.frame.area_of(rect)
    if area is None:
        return
    (mid_u, mid_v), (side_u, side_v) = rect.centre, rect.sides
    u, v = (canvas.frame.u[area] - mid_u) / (0.45 * side_u), (canvas.frame.v[area] - mid_v) / (0.45 * side_v)
    reach = u**2 + v**2 + 0.14 * canvas.noise.broad[area] + 0.04 * canvas.noise.coarse[area]
    rgb = varied(rng, ((58, 70, 54), (64, 84, 84), (44, 56, 62), (86, 92, 70))[rng.integers(4)], 0.1)
    texture = 1 + 0.06 * canvas.noise.broad[area] + 0.03 * canvas.noise.mid[area]
    canvas.paint(area, reach < 0.86, WATER, tinted(rgb, texture), 0.0)
    _trees(canvas, rect.shrunk(3), int(rng.integers(0, 4)), rng)


def paint_house_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """A house with its drive, lawn or paved yard, shed, and garden trees."""
    _cover(canvas, rect, rng, paint_meadow)
    side_u, side_v = rect.sides
    half_u = min(float(rng.uniform(9, 15)), 0.37 * side_u)
    half_v = min(float(rng.uniform(7.5, 12)), 0.37 * side_v)
    u = rect.centre[0] + float(rng.uniform(-0.1, 0.1)) * side_u
    v = rect.centre[1] + float(rng.uniform(-0.15, 0.15)) * side_v
    drive = varied(rng, ((150, 146, 140), (118, 116, 114), (164, 140, 122))[rng.integers(3)], 0.08)
    wide = float(rng.choice([5.0, 9.0, half_u]))
    _pave(canvas, Rect(u - half_u - 3, v - half_v - 3, u + half_u + 3, v + half_v + 4), rng, drive)
    _pave(canvas, Rect(u + half_u - wide, v, u + half_u, rect.v1), rng, drive)
    foot = foot_at(canvas, u, v, half_u, half_v, float(rng.normal(0, 0.03)))
    if is_buildable(canvas, foot):
        _house(canvas, foot, rng)
    shed = foot_at(canvas, rect.u0 + 8, rect.v0 + 8, float(rng.uniform(3, 6)), float(rng.uniform(3, 5)))
    if rng.random() < 0.5 and stands(canvas, rng, 0.1) and is_buildable(canvas, shed):
        paint_gabled(canvas, shed, 2.2, varied(rng, TILED[rng.integers(len(TILED))]), rng, False)
    _trees(canvas, rect.shrunk(4), int(rng.poisson(2.0)), rng, 8)


def paint_terrace_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """A row of terraced houses under one ridge, front paths to the street, gardens with sheds behind."""
    _cover(canvas, rect, rng, paint_meadow)
    (side_u, _), width = rect.sides, float(rng.uniform(11, 15))
    u, v = rect.centre[0], rect.v0 + 22
    _pave(canvas, Rect(rect.u0 + 3, rect.v0, rect.u1 - 3, v), rng)
    foot = foot_at(canvas, u, v, 0.45 * side_u, float(rng.uniform(9, 11.5)))
    rgb, eaves = varied(rng, TILED[rng.integers(len(TILED))], 0.1), float(rng.uniform(5, 8))
    if not is_buildable(canvas, foot):
        return
    if rng.random() < 0.75:
        paint_gabled(canvas, foot, eaves, rgb, rng, hipped=False)
    else:
        paint_flat(canvas, foot, eaves, varied(rng, FLAT[rng.integers(len(FLAT))]), rng)
    for at in np.arange(rect.u0 + 6, rect.u1 - 6, width):
        shed, seed = foot_at(canvas, float(at), rect.v1 - 7, 3.2, 2.6), int(rng.integers(2**31))
        if rng.random() < 0.5 and stands(canvas, rng) and is_buildable(canvas, shed):
            shed_rng = np.random.default_rng(seed)
            paint_gabled(canvas, shed, 2.2, varied(shed_rng, TILED[seed % len(TILED)]), shed_rng, False)
    _trees(canvas, Rect(rect.u0, v + 14, rect.u1, rect.v1), int(rng.poisson(3)), rng, 6)


def _house(canvas: Canvas, foot: Footprint, rng: Rng) -> None:
    rgb = varied(rng, TILED[rng.integers(len(TILED))], 0.1)
    eaves, style, wing = float(rng.uniform(3, 6.5)), rng.random(), rng.random() < 0.25
    if style < 0.16:
        paint_flat(canvas, foot, eaves, varied(rng, FLAT[rng.integers(len(FLAT))]), rng)
        return
    paint_gabled(canvas, foot, eaves, rgb, rng, hipped=style < 0.4)
    if wing:
        half = float(rng.uniform(4.5, 6))
        ell = foot.moved(foot.half_along - half, foot.half_across * 0.7, half, foot.half_across * 1.1)
        turned = Footprint(ell.col, ell.row, ell.heading + np.pi / 2, ell.half_across, ell.half_along)
        paint_gabled(canvas, turned, eaves, rgb, rng, hipped=False)


def paint_block_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """Flats: slabs, L-shapes or courts of three to seven storeys on lawn or paving, with cars and trees."""
    if rng.random() < 0.6:
        _cover(canvas, rect, rng, paint_meadow)
    else:
        _pave(canvas, rect, rng)
    side_u, side_v = rect.sides
    deep, height = float(rng.uniform(11, 15)), float(rng.uniform(8, 20))
    yard = Rect(rect.u0, rect.v1 - 22, rect.u1, rect.v1)
    _pave(canvas, yard, rng)
    slabs = [(rect.centre[0], rect.v0 + deep + 6, 0.42 * side_u, deep)]
    if rng.random() < 0.6:
        slabs.append((rect.u0 + deep + 0.08 * side_u, rect.centre[1] - 8, deep, 0.5 * side_v - 17))
    if rng.random() < 0.4:
        slabs.append((rect.u1 - deep - 0.08 * side_u, rect.centre[1] - 8, deep, 0.5 * side_v - 17))
    roofed, tiles = rng.random() < 0.4, varied(rng, TILED[rng.integers(len(TILED))], 0.1)
    flat = varied(rng, FLAT[rng.integers(len(FLAT))], 0.1)
    for u, v, half_u, half_v in slabs:
        foot, seed = foot_at(canvas, u, v, max(half_u, 8), max(half_v, 8)), int(rng.integers(2**31))
        if not is_buildable(canvas, foot):
            continue
        if roofed:
            paint_gabled(canvas, foot, height, tiles, np.random.default_rng(seed), hipped=True)
        else:
            paint_flat(canvas, foot, height, flat, np.random.default_rng(seed))
    park_cars(canvas, yard, rng, 0.6)
    _trees(canvas, rect.shrunk(4), int(rng.poisson(5)), rng)


def paint_hall_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """A hall in its yard: a market or a works, with tanks, lorries, cars, and a strip of green."""
    _pave(canvas, rect, rng)
    if rng.random() < 0.5:
        _cover(canvas, Rect(rect.u0, rect.v0, rect.u1, rect.v0 + 7), rng, paint_meadow)
    side_u, side_v = rect.sides
    fill_u, fill_v = rng.uniform(0.3, 0.44, 2)
    foot = foot_at(canvas, rect.centre[0] - 4, rect.centre[1] - 4, fill_u * side_u, fill_v * side_v)
    height, style = float(rng.uniform(5, 13)), rng.random()
    seed, rgb = int(rng.integers(2**31)), varied(rng, METAL[rng.integers(len(METAL))], 0.1)
    if is_buildable(canvas, foot):
        if style < 0.65:
            paint_hall(canvas, foot, height, rgb, np.random.default_rng(seed))
        else:
            flat = varied(rng, FLAT[rng.integers(len(FLAT))], 0.1)
            paint_flat(canvas, foot, height, flat, np.random.default_rng(seed))
        if rng.random() < 0.35:
            annex = foot.moved(foot.half_along * 0.5, foot.half_across + 7, foot.half_along * 0.4, 8)
            paint_flat(canvas, annex, height * 0.6, varied(rng, FLAT[rng.integers(len(FLAT))], 0.1), rng)
    if rng.random() < 0.25:
        for step in range(int(rng.integers(1, 4))):
            tank = foot_at(canvas, rect.u1 - 12, rect.v0 + 14 + 20 * step, 8, 8)
            paint_tank(canvas, tank, float(rng.uniform(4, 10)), varied(rng, (206, 206, 202), 0.08))
    park_cars(canvas, Rect(rect.u0 + 4, rect.v1 - 12, rect.u1 - 4, rect.v1), rng, 0.5)
    strew_cars(canvas, rect, int(rng.poisson(3)), rng)


def paint_parking_parcel(canvas: Canvas, rect: Rect, rng: Rng) -> None:
    """A car park: bays in double rows, lanes between, some trees."""
    _pave(canvas, rect, rng)
    fullness = float(rng.uniform(0.15, 0.8))
    planted = rng.random() < 0.5
    for v in np.arange(rect.v0 + 6, rect.v1 - 20, 34.0):
        bays = Rect(rect.u0 + 6, float(v), rect.u1 - 6, float(v) + 22)
        park_cars(canvas, bays, rng, fullness)
        if planted:
            _trees(canvas, Rect(bays.u0, bays.v0 + 10, bays.u1, bays.v0 + 12), int(rng.poisson(2.5)), rng, 7)


PAINTERS: dict[str, Callable[[Canvas, Rect, Rng], None]] = {
    "crop": paint_crop_parcel,
    "meadow": paint_meadow_parcel,
    "wood": paint_wood_parcel,
    "orchard": paint_orchard_parcel,
    "soil": paint_soil_parcel,
    "dirt": paint_dirt_parcel,
    "parking": paint_parking_parcel,
    "house": paint_house_parcel,
    "terrace": paint_terrace_parcel,
    "block": paint_block_parcel,
    "hall": paint_hall_parcel,
    "pond": paint_pond_parcel,
}
