"""Street coordinates: a grid turned to the scene's main heading and bent by slow waves."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import atan2, cos, pi, sin

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Area = tuple[slice, slice]
PIXEL_M = 0.5
Wave = tuple[float, float, float, float]
# where to probe the outline of a rectangle: its corners and quarter points, as shares of its sides
EDGE_STEPS = np.array(
    [(a, b) for a in (0, 0.25, 0.5, 0.75, 1) for b in (0, 0.25, 0.5, 0.75, 1) if {a, b} & {0, 1}]
).T


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in street coordinates, px: u0 <= u < u1, v0 <= v < v1."""

    u0: float
    v0: float
    u1: float
    v1: float

    @property
    def centre(self) -> tuple[float, float]:
        return (self.u0 + self.u1) / 2, (self.v0 + self.v1) / 2

    @property
    def sides(self) -> tuple[float, float]:
        return self.u1 - self.u0, self.v1 - self.v0

    def shrunk(self, by_px: float) -> Rect:
        """Return this rectangle with each side moved inwards, never past the centre."""
        du, dv = (min(by_px, side / 2) for side in self.sides)
        return Rect(self.u0 + du, self.v0 + dv, self.u1 - du, self.v1 - dv)


@dataclass(frozen=True, slots=True)
class Frame:
    """Maps pixels to street coordinates and back; u and v are (side, side) float32, px.

    A wave is (amplitude px, x frequency, y frequency, phase); the first bends u, the second v.
    """

    side: int
    angle: float
    waves: tuple[Wave, Wave]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    areas: dict[Rect, Area | None] = field(default_factory=dict, repr=False)

    def bend(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return how far the waves push (u, v) at points x, y from the centre, px."""
        (a_u, x_u, y_u, phase_u), (a_v, x_v, y_v, phase_v) = self.waves
        return a_u * np.sin(x_u * x + y_u * y + phase_u), a_v * np.sin(x_v * x + y_v * y + phase_v)

    def locate(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Return (col, row) of street points, within 0.3 px: enough for the boxes that hold them."""
        turn_x, turn_y = cos(self.angle), sin(self.angle)
        x, y = turn_x * u - turn_y * v, turn_y * u + turn_x * v
        for _ in range(3):
            du, dv = self.bend(x, y)
            x, y = turn_x * (u - du) - turn_y * (v - dv), turn_y * (u - du) + turn_x * (v - dv)
        return x + self.side / 2, y + self.side / 2

    def locate_one(self, u: float, v: float) -> tuple[float, float, float]:
        """Return (col, row) of one street point and the heading of the u axis there, radians."""
        col, row = self._locate_point(u, v)
        further_col, further_row = self._locate_point(u + 4.0, v)
        return col, row, atan2(further_row - row, further_col - col)

    def _locate_point(self, u: float, v: float) -> tuple[float, float]:
        """Return (col, row); plain floats, ten times as fast as arrays of one."""
        (a_u, x_u, y_u, phase_u), (a_v, x_v, y_v, phase_v) = self.waves
        turn_x, turn_y = cos(self.angle), sin(self.angle)
        x, y = turn_x * u - turn_y * v, turn_y * u + turn_x * v
        for _ in range(4):
            left_u = u - a_u * sin(x_u * x + y_u * y + phase_u)
            left_v = v - a_v * sin(x_v * x + y_v * y + phase_v)
            x, y = turn_x * left_u - turn_y * left_v, turn_y * left_u + turn_x * left_v
        return x + self.side / 2, y + self.side / 2

    def area_of(self, rect: Rect) -> Area | None:
        """Return the slices that hold a rectangle, None where it lies outside; found once for both dates."""
        if rect not in self.areas:
            self.areas[rect] = self._find_area(rect)
        return self.areas[rect]

    def _find_area(self, rect: Rect) -> Area | None:
        edge_u = rect.u0 + EDGE_STEPS[0] * (rect.u1 - rect.u0)
        edge_v = rect.v0 + EDGE_STEPS[1] * (rect.v1 - rect.v0)
        cols, rows = self.locate(edge_u, edge_v)
        left, top, right, bottom = (float(edge) for edge in (cols.min(), rows.min(), cols.max(), rows.max()))
        return area_between(self.side, left, top, right, bottom)

    def inside(self, rect: Rect, area: Area) -> NDArray[np.bool_]:
        """Return where the pixels of an area lie in a rectangle."""
        u, v = self.u[area], self.v[area]
        return (u >= rect.u0) & (u < rect.u1) & (v >= rect.v0) & (v < rect.v1)

    def visible_px(self, rect: Rect, hidden: NDArray[np.bool_]) -> float:
        """Estimate how many pixels of a rectangle lie in sight, from an 8 x 8 probe."""
        steps = (np.arange(8) + 0.5) / 8
        u, v = np.meshgrid(rect.u0 + steps * rect.sides[0], rect.v0 + steps * rect.sides[1])
        cols, rows = self.locate(u, v)
        seen = (cols >= 0) & (cols < self.side) & (rows >= 0) & (rows < self.side)
        seen[seen] = ~hidden[rows[seen].astype(int), cols[seen].astype(int)]
        return float(seen.mean()) * rect.sides[0] * rect.sides[1]


def everywhere(side: int) -> Area:
    return slice(0, side), slice(0, side)


def area_between(
    side: int, left: float, top: float, right: float, bottom: float, spare: int = 3
) -> Area | None:
    """Return the slices of a box with some spare pixels, cut to the picture; None where nothing is left."""
    first_row, last_row = max(0, int(top) - spare), min(side, int(bottom) + spare + 1)
    first_col, last_col = max(0, int(left) - spare), min(side, int(right) + spare + 1)
    if first_row >= last_row or first_col >= last_col:
        return None
    return slice(first_row, last_row), slice(first_col, last_col)


def draw_frame(rng: np.random.Generator, side: int) -> Frame:
    """Draw a heading and two waves, and lay the frame over a (side, side) picture."""
    angle = float(rng.uniform(0, pi / 2))
    strength = float(rng.choice([0.2, 1.0]))
    waves = _draw_wave(rng, strength), _draw_wave(rng, strength)
    empty = np.zeros((0, 0), np.float32)
    bare = Frame(side, angle, waves, empty, empty)
    # float64 until the last step, so that another machine's sine cannot move a border pixel
    y, x = np.meshgrid(np.arange(side) - side / 2, np.arange(side) - side / 2, indexing="ij")
    du, dv = bare.bend(x, y)
    u = cos(angle) * x + sin(angle) * y + du
    v = cos(angle) * y - sin(angle) * x + dv
    return Frame(side, angle, waves, u.astype(np.float32), v.astype(np.float32))


def _draw_wave(rng: np.random.Generator, strength: float) -> Wave:
    """Draw a wave of 130 to 350 m whose slope stays below 0.22."""
    length, turn = float(rng.uniform(260, 700)), float(rng.uniform(0, 2 * pi))
    amplitude, frequency = float(rng.uniform(0, 0.035)) * length * strength, 2 * pi / length
    return amplitude, frequency * cos(turn), frequency * sin(turn), float(rng.uniform(0, 2 * pi))
