"""Colours of transitions: the hue of the target class, distinguished by lightness and chroma, for every
colour vision.

Distances are Euclidean in OKLab (Ottosson 2020), where about 0.02 is just noticeable. Colour
vision without one of the three cone types is simulated with the matrices of Machado, Oliveira and Fernandes,
"A physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15 (2009), severity 1.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Color = tuple[int, int, int]

VISIONS: dict[str, FloatArray] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

UNCHANGED_COLOR: Color = (255, 255, 255)
MOST_CLASSES_SPREAD = 15  # colours are chosen one by one up to this number; more could not be distinguished
FEW_CLASSES = 8  # up to this number all pairs of transitions count alike
UNRELATED_WEIGHT = 4.0  # beyond: pairs that share neither source nor target may be this much closer
LIGHTNESSES = np.arange(0.26, 0.961, 0.02)  # neither black nor the white of "unchanged"
LIGHTNESS_REACH = 0.3  # of a transition's lightness from its target's
HUE_REACH = np.radians([-18, -9, 0, 9, 18])
CHROMA_SHARES = np.array([1, 0.8, 0.62, 0.46, 0.32])
LEAST_CHROMA = 0.07  # of a transition into a class that has a hue
GREY_CHROMA = 0.04  # a class below it has no hue
GREY_TINTS = (0.015, 0.03)


@lru_cache(maxsize=64)
def transition_colors(classes: tuple[Color, ...]) -> tuple[tuple[Color, ...], ...]:
    """Return a colour for each transition between land-cover classes as [source][target], from 0.

    Every colour has the hue of its target (within 18 degrees; a grey target gives greys), so that changes to
    one class have related colours. Lightness and chroma are chosen, transition by transition in the order of
    their codes, to be as far as possible from all colours before it and from the white of "unchanged", in
    that vision (normal, without red, green or blue cones) in which they are closest.
    """
    if len(classes) > MOST_CLASSES_SPREAD:
        return _ramps(classes)
    families = [_candidates(color) for color in classes]
    pool = np.concatenate(families)
    target_of = np.repeat(np.arange(len(classes)), [len(family) for family in families])
    chosen = _spread(seen_colors(pool), target_of, len(classes))
    return tuple(tuple(_as_color(pool[index]) for index in row) for row in chosen)


def _spread(seen: FloatArray, target_of: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return (sources, targets) indices of candidates `seen` (visions, candidates, 3), each far from those before."""
    weight = 1.0 if count <= FEW_CLASSES else UNRELATED_WEIGHT
    chosen = np.zeros((count, count), np.intp)
    to_any = np.full(len(target_of), np.inf)
    # from "unchanged", and from transitions into the candidate's own class
    to_target = least_distances(seen, seen_colors([UNCHANGED_COLOR]))
    for source in range(count):
        to_source = np.full(len(target_of), np.inf)
        for target in range(count):
            own = np.flatnonzero(target_of == target)
            room = np.minimum(np.minimum(to_any, to_target), to_source)[own]
            best = chosen[source, target] = own[np.argmax(room)]
            distance = least_distances(seen, seen[:, best : best + 1])
            to_any = np.minimum(to_any, distance * weight)
            to_source = np.minimum(to_source, distance)
            to_target[own] = np.minimum(to_target[own], distance[own])
    return chosen


def _candidates(target: Color) -> FloatArray:
    """Return (candidates, 3) sRGB 0..255 with about the hue of a class's colour."""
    lightness, a, b = oklab(linear([target]))[0]
    chroma, hue = np.hypot(a, b), np.arctan2(b, a)
    lightnesses = LIGHTNESSES[np.abs(LIGHTNESSES - lightness) <= LIGHTNESS_REACH]
    if chroma < GREY_CHROMA:
        chromas, hues = np.array([0, *GREY_TINTS]), np.arange(8) * np.pi / 4
    else:
        chromas, hues = np.maximum(CHROMA_SHARES * chroma, LEAST_CHROMA), hue + HUE_REACH
    light, chroma, hue = (axis.ravel() for axis in np.meshgrid(lightnesses, chromas, hues, indexing="ij"))
    inside, srgb = _srgb(np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1))
    return np.unique(srgb[inside], axis=0)


def _ramps(classes: tuple[Color, ...]) -> tuple[tuple[Color, ...], ...]:
    """Return colours for too many classes to optimise: each target's hue, lighter from source to source."""
    columns = []
    for light, a, b in oklab(linear(classes)):
        first = np.clip(light - LIGHTNESS_REACH, LIGHTNESSES[0], LIGHTNESSES[-1] - LIGHTNESS_REACH)
        lights = np.linspace(first, min(first + 2 * LIGHTNESS_REACH, LIGHTNESSES[-1]), len(classes))
        columns.append([_most_chroma(level, a, b) for level in lights])
    return tuple(zip(*columns, strict=True))


def _most_chroma(light: float, a: float, b: float) -> Color:
    """Return the colour of a lightness and hue whose chroma comes nearest to that of (a, b)."""
    shares = np.linspace(1, 0, 21)[:, None]
    inside, srgb = _srgb(np.concatenate([np.full_like(shares, light), shares * [a, b]], axis=1))
    return _as_color(srgb[np.argmax(inside)])


def seen_colors(srgb: ArrayLike) -> FloatArray:
    """Return (visions, colours, 3): OKLab of sRGB colours 0..255 in each kind of colour vision."""
    light = linear(srgb)
    return np.stack([oklab(np.clip(light @ matrix.T, 0, 1)) for matrix in VISIONS.values()])


def least_distances(seen: FloatArray, others: FloatArray) -> FloatArray:
    """Return (colours,) distances to one other colour, the smallest over all kinds of vision."""
    return np.asarray(np.sqrt(((seen - others) ** 2).sum(axis=2)).min(axis=0))


def linear(srgb: ArrayLike) -> FloatArray:
    """Return linear light 0..1 of sRGB 0..255."""
    share = np.asarray(srgb, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def from_linear(light: FloatArray) -> FloatArray:
    """Return sRGB 0..255, whole numbers, of linear light; values outside 0..1 are clipped."""
    light = np.clip(light, 0, 1)
    share = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(share * 255)


def oklab(light: FloatArray) -> FloatArray:
    """Return (colours, 3) lightness, a and b of linear light."""
    return np.asarray(np.cbrt(light @ _CONES.T) @ _LAB.T)


def _srgb(lab: FloatArray) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return whether OKLab colours are within the sRGB gamut, and their sRGB 0..255."""
    light = (lab @ np.linalg.inv(_LAB).T) ** 3 @ np.linalg.inv(_CONES).T
    return np.all((light > -1e-3) & (light < 1 + 1e-3), axis=1), from_linear(light)


def _as_color(srgb: FloatArray) -> Color:
    red, green, blue = (int(value) for value in srgb)
    return red, green, blue
