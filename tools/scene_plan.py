"""The plan of a scene: a land divided by roads into parcels, and what each parcel is at both dates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from scene_canvas import Bools, Colour, varied
from scene_frame import Frame, Rect
from scene_ground import PAVINGS
from scene_kinds import INFILL, LOT_PX, MIX, OTHER, changed_share


@dataclass(frozen=True, slots=True)
class Parcel:
    """A piece of land: what it is at each date, and the seed that draws it there."""

    rect: Rect
    before: str
    after: str
    seed_before: int
    seed_after: int


@dataclass(frozen=True, slots=True)
class Road:
    """A strip of road; new roads exist only after, given-up ones only before."""

    rect: Rect
    rgb: Colour
    paved: bool
    major: bool
    in_before: bool = True
    in_after: bool = True


@dataclass(frozen=True, slots=True)
class Town:
    """How built-up a place is, 0 open country to 1 town: a base with three slow waves over the scene."""

    base: float
    waves: np.ndarray[tuple[int, ...], np.dtype[np.float64]]

    def at(self, rect: Rect) -> float:
        u, v = rect.centre
        swing = sum(float(np.sin(fu * u + fv * v + phase)) for fu, fv, phase in self.waves)
        return float(np.clip(self.base + 0.22 * swing, 0, 1))


def draw_town(rng: np.random.Generator) -> Town:
    waves = np.column_stack([rng.normal(0, 2 * np.pi / 700, (3, 2)), rng.uniform(0, 2 * np.pi, 3)])
    return Town(float(rng.beta(0.9, 1.0)), waves)


def draw_land(rng: np.random.Generator, frame: Frame) -> tuple[list[Parcel], list[Road]]:
    """Divide the land under the picture into parcels and roads, all of them unchanged."""
    half = frame.side * 0.78
    away = rng.uniform(0, 160, 4)
    land = Rect(-half - away[0], -half - away[1], half + away[2], half + away[3])
    town = draw_town(rng)
    asphalt = varied(rng, PAVINGS[rng.integers(3)], 0.08)
    parcels: list[Parcel] = []
    roads: list[Road] = []
    waiting = [land]
    while waiting:
        rect = waiting.pop()
        pieces, road = split_by_road(rng, rect, town.at(rect), asphalt)
        if pieces:
            waiting += [piece for piece in pieces if frame.area_of(piece) is not None]
            roads += [road] if road else []
        else:
            parcels += fill_leaf(rng, rect, town.at(rect))
    return [parcel for parcel in parcels if frame.area_of(parcel.rect) is not None], roads


def split_by_road(
    rng: np.random.Generator, rect: Rect, town: float, asphalt: Colour
) -> tuple[list[Rect], Road | None]:
    """Cut a rectangle across its longer side; no pieces where it is small enough to be a leaf."""
    length = max(rect.sides)
    largest = rng.uniform(190, 330) * (1 - 0.25 * town)
    if length < largest:
        return [], None
    cut = rng.uniform(0.36, 0.64)
    major = length > 620
    if major:
        width, paved = float(rng.uniform(13, 20)), True
    elif rng.random() < 0.15 + 0.8 * town:
        width, paved = float(rng.uniform(9, 14)), True
    else:
        width, paved = float(rng.choice([0.0, rng.uniform(5, 8)])), False
    along_u = rect.sides[0] >= rect.sides[1]
    start, end = (rect.u0, rect.u1) if along_u else (rect.v0, rect.v1)
    low = start + cut * (end - start) - width / 2
    high = low + width
    if along_u:
        pieces = [Rect(rect.u0, rect.v0, low, rect.v1), Rect(high, rect.v0, rect.u1, rect.v1)]
        strip = Rect(low, rect.v0, high, rect.v1)
    else:
        pieces = [Rect(rect.u0, rect.v0, rect.u1, low), Rect(rect.u0, high, rect.u1, rect.v1)]
        strip = Rect(rect.u0, low, rect.u1, high)
    rgb = varied(rng, tuple(asphalt), 0.05) if paved else varied(rng, (172, 156, 128), 0.1)
    return pieces, Road(strip, rgb, paved, major) if width else None


def pick(rng: np.random.Generator, choices: tuple[tuple[str, float], ...]) -> str:
    weights = np.array([weight for _, weight in choices])
    return choices[int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum()))][0]


def fill_leaf(rng: np.random.Generator, rect: Rect, town: float) -> list[Parcel]:
    """Choose what a leaf is and divide it into parcels of that kind, some of them of another."""
    rural, suburb = max(0.0, 1 - 2 * town), 1 - abs(2 * town - 1)
    shares = (rural, suburb, max(0.0, 2 * town - 1))
    kind = pick(
        rng, tuple((name, sum(m * s for m, s in zip(mix, shares, strict=True))) for name, mix in MIX.items())
    )
    parcels = []
    for piece in divide(rng, rect, kind):
        other = INFILL.get(kind, ())
        rest = 1 - sum(weight for _, weight in other)
        here = pick(rng, (*other, (kind, rest)))
        seed = int(rng.integers(2**31))
        parcels.append(Parcel(piece, here, here, seed, seed))
    return parcels


def divide(rng: np.random.Generator, rect: Rect, kind: str) -> list[Rect]:
    """Divide a leaf into equal lots of the kind's size, or into one to three strips."""
    if kind in LOT_PX:
        counts = [max(1, round(side / rng.uniform(*LOT_PX[kind][i]))) for i, side in enumerate(rect.sides)]
    else:
        strips = int(rng.integers(1, 4)) if kind in ("crop", "soil") else 1
        counts = [1, strips] if rect.sides[0] > rect.sides[1] else [strips, 1]
    us = np.linspace(rect.u0, rect.u1, counts[0] + 1)
    vs = np.linspace(rect.v0, rect.v1, counts[1] + 1)
    return [
        Rect(float(u0), float(v0), float(u1), float(v1)) for u0, u1 in pairwise(us) for v0, v1 in pairwise(vs)
    ]


def change_parcels(
    rng: np.random.Generator, frame: Frame, parcels: list[Parcel], watered: Bools, wanted_px: float
) -> list[Parcel]:
    """Change parcels, cut where too large, until about wanted_px have another class; some look new only."""
    done: list[Parcel] = []
    for index in rng.permutation(len(parcels)):
        parcel = parcels[index]
        other = pick(rng, OTHER[parcel.before])
        whole_px = frame.visible_px(parcel.rect, watered) * changed_share(parcel.before, other)
        if wanted_px < 300 or whole_px < 200:
            done.append(renewed(rng, parcel))
            continue
        # building lots keep their size; fields are cut to what is still wanted, or to a part of that
        share = wanted_px * rng.uniform(0.35, 1.0) / whole_px
        if share < 0.8 and (parcel.before not in LOT_PX or min(parcel.rect.sides) > 110):
            taken, left = cut_off(rng, parcel, max(share, 0.12))
            done.append(renewed(rng, left))
        elif whole_px > 1.6 * wanted_px + 500:
            done.append(renewed(rng, parcel))
            continue
        else:
            taken = parcel
        wanted_px -= frame.visible_px(taken.rect, watered) * changed_share(parcel.before, other)
        done += turned(rng, taken, other)
    return done


def cut_off(rng: np.random.Generator, parcel: Parcel, share: float) -> tuple[Parcel, Parcel]:
    """Cut a parcel across its longer side: the part with that share, and the rest."""
    rect = parcel.rect
    if rng.random() < 0.5:
        share = 1 - share
    if rect.sides[0] >= rect.sides[1]:
        at = rect.u0 + share * rect.sides[0]
        first, second = replace(rect, u1=at), replace(rect, u0=at)
    else:
        at = rect.v0 + share * rect.sides[1]
        first, second = replace(rect, v1=at), replace(rect, v0=at)
    pieces = replace(parcel, rect=first), replace(parcel, rect=second)
    return pieces if share <= 0.5 else (pieces[1], pieces[0])


def turned(rng: np.random.Generator, parcel: Parcel, other: str) -> list[Parcel]:
    """Make a parcel another kind at one of its dates; a field built over is divided into lots."""
    pieces = divide(rng, parcel.rect, other) if other in LOT_PX else [parcel.rect]
    new_after = rng.random() < 0.6
    lots = []
    for piece in pieces:
        seed = int(rng.integers(2**31))
        lot = replace(parcel, rect=piece)
        lots.append(
            replace(lot, after=other, seed_after=seed)
            if new_after
            else replace(lot, before=other, seed_before=seed)
        )
    return lots


def renewed(rng: np.random.Generator, parcel: Parcel) -> Parcel:
    """Let some parcels look new without a new class: another crop, new paving, a field left to grass."""
    chance, seed = rng.random(), int(rng.integers(2**31))
    if parcel.before in ("crop", "soil", "dirt", "meadow") and chance < 0.25:
        swaps = {"crop": "meadow", "meadow": "crop", "soil": "dirt", "dirt": "soil"}
        after = swaps[parcel.before] if chance < 0.08 else parcel.before
        return replace(parcel, after=after, seed_after=seed)
    return parcel


def draw_new_road(rng: np.random.Generator, frame: Frame) -> list[Road]:
    """Draw one road across the land that exists at one date only."""
    reach, width = frame.side * 0.8, float(rng.uniform(10, 20))
    at = float(rng.normal(0, frame.side / 6))
    along_u, new = rng.random() < 0.5, rng.random() < 0.6
    rect = Rect(-reach, at, reach, at + width) if along_u else Rect(at, -reach, at + width, reach)
    rgb = varied(rng, PAVINGS[rng.integers(3)], 0.1)
    return [Road(rect, rgb, True, True, in_before=not new, in_after=new)]
