"""Make a seeded series of pictures of one place with land cover labels, named as NAIP names its images."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from make_sample import EDGE_PX, Progress, draw_plan, inner, paint_date
from scene_canvas import Canvas, blank_canvas, draw_noise, draw_season
from scene_light import draw_look, take_picture

NAMES = tuple(f"m_4810320_sw_32_060_{day}" for day in ("20120614", "20150702", "20180621", "20200809"))
"""Names of the images, in the order of their dates; the last part is the day."""
CHANGED_SHARE = (0.12, 0.35)  # of the pixels, from the first date to the last
TRIES = 12


@dataclass(frozen=True, slots=True)
class MadeSeries:
    """Pictures of one place and its land cover at each date, the earliest first.

    pictures: (3, size, size) uint8 red, green, blue, never 0; labels: (size, size) uint8, 1 water, 2 ground,
    3 vegetation, 4 building. A pixel has changed between two dates exactly where their labels differ.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    labels: tuple[NDArray[np.uint8], ...]


def make_series(seed: int, size: int = 256, dates: int = len(NAMES)) -> MadeSeries:
    """Return the series of a seed, size x size pixels of 0.5 m; every change of its plan has an interval of its own.

    A first draw whose changed share falls outside CHANGED_SHARE is drawn again from the same seed.
    """
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, size, dates, attempt])
        canvases = paint_dates(rng, size + 2 * EDGE_PX, dates)
        share = float((inner(canvases[0].label) != inner(canvases[-1].label)).mean())
        if CHANGED_SHARE[0] <= share <= CHANGED_SHARE[1]:
            break
    pictures = tuple(inner(take_picture(canvas, draw_look(rng), rng)) for canvas in canvases)
    return MadeSeries(pictures, tuple(inner(canvas.label) for canvas in canvases))


def paint_dates(rng: np.random.Generator, side: int, dates: int) -> list[Canvas]:
    """Plan one place and paint it at each date, in seasons of their own."""
    plan = draw_plan(rng, side)
    due = (rng.integers(1, dates, len(plan.parcels)), rng.integers(1, dates, len(plan.roads)))
    waters_due = int(rng.integers(1, dates))
    canvases = []
    for date in range(dates):
        noise = plan.noise if date == 0 else plan.noise.mixed_with(draw_noise(rng, side))
        season = draw_season(rng, int(rng.integers(4)))
        canvas = blank_canvas(plan.frame, noise, season, date > 0, plan.waters.kept_clear)
        parcels, roads = (tuple(bool(one <= date) for one in dates_due) for dates_due in due)
        paint_date(canvas, plan, rng, Progress(parcels, roads, waters_due <= date))
        canvases.append(canvas)
    return canvases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the series")
    parser.add_argument("--size", type=int, default=512, help="rows and columns, px")
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the files")
    options = parser.parse_args()
    from scene_files import write_series  # here, so that whoever wants arrays does not need rasterio

    made = make_series(options.seed, options.size)
    for path in write_series(NAMES, made.pictures, made.labels, options.output):
        print(path)


if __name__ == "__main__":
    main()
