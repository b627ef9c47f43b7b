"""Make seeded pairs of pictures with land cover labels, and write one of them as the sample files."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scene_canvas import Canvas, Noise, blank_canvas, draw_noise, draw_season, varied
from scene_cars import paint_road_cars
from scene_frame import Frame, draw_frame, everywhere
from scene_ground import SOILS, paint_mud, paint_road, paint_water
from scene_light import draw_look, take_picture
from scene_parcels import paint_parcel
from scene_plan import Parcel, Road, change_parcels, draw_land, draw_new_road
from scene_trees import paint_wood
from scene_water import Waters, draw_waters

COMMITTED_SEED = 20240
COMMITTED_SIZE = 1024
EDGE_PX = 16  # drawn around the scene and cut off, so that shadow and lean reach in from outside
CHANGED_SHARE = (0.07, 0.26)
TRIES = 12


@dataclass(frozen=True, slots=True)
class MadeScene:
    """Two pictures of one place and its land cover at both dates.

    before, after: (3, size, size) uint8 red, green, blue, never 0; label_before, label_after:
    (size, size) uint8, 1 water, 2 ground, 3 vegetation, 4 building. A pixel has changed exactly where
    the labels differ. Labels follow the footprint: leaning roofs, shadows and cars do not move them.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    label_before: NDArray[np.uint8]
    label_after: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that both dates of a scene are painted from."""

    seed: int
    frame: Frame
    noise: Noise
    waters: Waters
    parcels: list[Parcel]
    roads: list[Road]


@dataclass(frozen=True, slots=True)
class Progress:
    """Which of a plan's parcels, roads and waters are at a date what they are to be at the end."""

    parcels: tuple[bool, ...]
    roads: tuple[bool, ...]
    waters: bool

    @classmethod
    def whole(cls, plan: Plan, after: bool) -> Progress:
        """Return the progress of a date at which nothing has changed yet, or everything."""
        return cls((after,) * len(plan.parcels), (after,) * len(plan.roads), after)


def make_scene(seed: int, size: int = 256) -> MadeScene:
    """Return the scene of a seed, size x size pixels of 0.5 m; equal seeds and sizes give equal arrays.

    A first draw whose changed share falls outside CHANGED_SHARE is drawn again from the same seed.
    """
    best: tuple[float, Canvas, Canvas, np.random.Generator] | None = None
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, size, attempt])
        before, after = paint_both(rng, size + 2 * EDGE_PX)
        share = float((inner(before.label) != inner(after.label)).mean())
        missed = max(CHANGED_SHARE[0] - share, share - CHANGED_SHARE[1], 0.0)
        if best is None or missed < best[0]:
            best = missed, before, after, rng
        if missed == 0:
            break
    assert best is not None
    _, before, after, rng = best
    pictures = [inner(take_picture(canvas, draw_look(rng), rng)) for canvas in (before, after)]
    return MadeScene(pictures[0], pictures[1], inner(before.label), inner(after.label))


def inner(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a field without the edge that was drawn around the scene."""
    return np.ascontiguousarray(field[..., EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX])


def paint_both(rng: np.random.Generator, side: int) -> tuple[Canvas, Canvas]:
    """Plan one place and paint it at two dates of differing season."""
    plan = draw_plan(rng, side)
    seasons = rng.choice(4, 2, replace=rng.random() < 0.3)
    own = draw_noise(rng, side)
    noises = plan.noise, plan.noise.mixed_with(own)
    before, after = (
        blank_canvas(plan.frame, noise, draw_season(rng, int(index)), is_after, plan.waters.kept_clear)
        for index, noise, is_after in zip(seasons, noises, (False, True), strict=True)
    )
    paint_date(before, plan, rng, Progress.whole(plan, after=False))
    paint_date(after, plan, rng, Progress.whole(plan, after=True))
    return before, after


def draw_plan(rng: np.random.Generator, side: int) -> Plan:
    frame, noise = draw_frame(rng, side), draw_noise(rng, side)
    waters = draw_waters(rng, frame, noise)
    parcels, roads = draw_land(rng, frame)
    wanted_px = float(rng.uniform(0.09, 0.23)) * side**2
    wanted_px -= float((waters.wet_before != waters.wet_after).sum())
    if rng.random() < 0.3:
        roads += draw_new_road(rng, frame)
        # nothing is built where a road comes or goes: no house is cut in two
        waters.kept_clear[:] |= frame.inside(roads[-1].rect.shrunk(-4), everywhere(side))
    parcels = change_parcels(rng, frame, parcels, waters.kept_clear, wanted_px)
    return Plan(int(rng.integers(2**31)), frame, noise, waters, parcels, roads)


def paint_date(canvas: Canvas, plan: Plan, rng: np.random.Generator, progress: Progress) -> None:
    """Paint one date: minor roads, parcels, water, then what crosses water, and woods over all."""
    for parcel, after in zip(plan.parcels, progress.parcels, strict=True):
        kind, seed = (parcel.after, parcel.seed_after) if after else (parcel.before, parcel.seed_before)
        paint_parcel(replace(canvas, after=after), parcel.rect, kind, seed)
    roads = [
        road
        for road, after in zip(plan.roads, progress.roads, strict=True)
        if (road.in_after if after else road.in_before)
    ]
    for road in reversed(roads):
        if not road.major:
            paint_road(canvas, road.rect, road.rgb, road.paved)
    _flood(canvas, plan.waters, rng, progress.waters)
    for road in reversed(roads):
        if road.major:
            paint_road(canvas, road.rect, road.rgb, road.paved)
    for road in roads:
        if road.paved:
            paint_road_cars(canvas, road.rect, rng)
    paint_wood(canvas, plan.seed)


def _flood(canvas: Canvas, waters: Waters, rng: np.random.Generator, after: bool) -> None:
    """Paint the water of this date, and the bed it has left or not yet reached in a dry season."""
    wet = waters.wet_after if after else waters.wet_before
    if after:
        paint_mud(canvas, waters.wet_before & ~wet, varied(rng, SOILS[rng.integers(len(SOILS))], 0.12))
    paint_water(canvas, wet, varied(rng, tuple(waters.rgb), 0.14), waters.ripple)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=COMMITTED_SEED, help="seed of the scene")
    parser.add_argument("--size", type=int, default=COMMITTED_SIZE, help="rows and columns, px")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent, help="folder for the four files"
    )
    options = parser.parse_args()
    from scene_files import write_scene  # here, so that training does not need rasterio

    for path in write_scene(make_scene(options.seed, options.size), options.output):
        print(path)


if __name__ == "__main__":
    main()
