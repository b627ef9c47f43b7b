"""Random views of training examples: turned, flipped, and under another light, air, season and sharpness.

Every function takes a numpy Generator and draws from it alone, so that equal seeds give equal arrays. None
changes what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from lsafnet.training.examples import Bools, Example, Floats, Labels

ValueRange = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LookOptions:
    """How far the looks of images are changed.

    strength: 1 as strong as light and air differ between two aerial surveys; 0 leaves light as it is. haze,
    season, blur, noise, jpeg, coarse: the chance 0..1 of each; the last is a loss of resolution down to `coarsest`
    of the rows and cols. seasonal: numbers of the classes whose colour follows the season, vegetation above all.
    leafless: the chance 0..1 that these have lost their leaves.
    """

    strength: float = 1.0
    haze: float = 0.2
    season: float = 0.5
    blur: float = 0.3
    noise: float = 0.3
    jpeg: float = 0.3
    seasonal: tuple[int, ...] = ()
    coarse: float = 0.0
    coarsest: float = 0.28
    leafless: float = 0.0

    def __post_init__(self) -> None:
        chances = (self.haze, self.season, self.blur, self.noise, self.jpeg, self.coarse, self.leafless)
        if self.strength < 0 or not all(0 <= chance <= 1 for chance in chances):
            raise ValueError("a strength must be 0 or more, and a probability 0..1")
        if not 0 < self.coarsest <= 1:
            raise ValueError("the coarsest resolution must be above 0 and at most 1")


def turn_and_flip(example: Example, rng: np.random.Generator) -> Example:
    """Return a pair turned by a random multiple of 90 degrees, and mirrored in one case of two.

    All arrays move together; where rows and cols differ it is turned by 0 or 180 degrees alone.
    """
    square = example.valid.shape[0] == example.valid.shape[1]
    turns = int(rng.integers(4)) if square else 2 * int(rng.integers(2))
    flip = 1 - 2 * int(rng.integers(2))

    def turned(array: npt.NDArray[Any] | None) -> Any:
        if array is None:
            return None
        return np.ascontiguousarray(np.rot90(array[..., ::flip], turns, axes=(-2, -1)))

    return Example(*map(turned, example))


def swap_dates(example: Example, rng: np.random.Generator) -> Example:
    """Return a pair with before and after exchanged in one case of two."""
    if rng.random() < 0.5:
        return example
    return example._replace(
        before=example.after,
        after=example.before,
        label_before=example.label_after,
        label_after=example.label_before,
    )


def jitter_light(
    image: Floats, rng: np.random.Generator, value_range: ValueRange, strength: float = 1.0
) -> Floats:
    """Return (bands, rows, cols) under another gain, offset and gamma, drawn for the date and for each band.

    Call it for each date by itself. Values stay in `value_range`. At `strength` 1 the standard deviations are 0.06
    and 0.03 (gain of date and band), 0.02 and 0.008 of the range (offset) and 0.08 (logarithm of gamma).
    """
    bands = (len(image), 1, 1)
    gain = rng.normal(1, 0.06 * strength) * rng.normal(1, 0.03 * strength, bands)
    offset = rng.normal(0, 0.02 * strength) + rng.normal(0, 0.008 * strength, bands)
    gamma = np.exp(rng.normal(0, 0.08 * strength))
    return _from_unit(_to_unit(image, value_range) ** np.float32(gamma) * gain + offset, value_range)


def add_haze(image: Floats, rng: np.random.Generator, value_range: ValueRange) -> Floats:
    """Return (bands, rows, cols) mixed with up to 45 % of one bright colour, thicker towards one side."""
    rows, cols = image.shape[-2:]
    slope_row, slope_col = rng.uniform(-0.5, 0.5, 2)
    across = slope_row * np.linspace(-1, 1, rows)[:, None] + slope_col * np.linspace(-1, 1, cols)
    thick = (rng.uniform(0.05, 0.3) * (1 + across)).astype(np.float32)
    color = rng.uniform(0.6, 0.95) + rng.normal(0, 0.04, (len(image), 1, 1))
    return _from_unit(_to_unit(image, value_range) * (1 - thick) + color * thick, value_range)


def shift_colors(
    image: Floats, rng: np.random.Generator, value_range: ValueRange, strength: float = 1.0
) -> Floats:
    """Return (bands, rows, cols) with other colours: saturation, and bands mixed a little into each other."""
    count = len(image)
    unit = _to_unit(image, value_range)
    grey = unit.mean(axis=0, keepdims=True)
    saturation = np.exp(rng.normal(0, 0.35 * strength))
    mixing = np.eye(count) + rng.normal(0, 0.05 * strength, (count, count))
    mixing /= mixing.sum(axis=1, keepdims=True).clip(0.5)
    mixed = np.tensordot(mixing.astype(np.float32), unit - grey, axes=1)
    return _from_unit(grey + saturation * mixed, value_range)


def tint_where(
    image: Floats, where: Bools, rng: np.random.Generator, value_range: ValueRange, strength: float = 1.0
) -> Floats:
    """Return (bands, rows, cols) recoloured, softly at its border, where (rows, cols) `where` is True.

    Fields and trees take another colour with the season, soils and roofs with the country: a gain for each band and
    a common one, of standard deviations 0.16 and 0.2 (of their logarithms) at `strength` 1.
    """
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(where.astype(np.float32), rng.uniform(0.6, 2.5))
    gain = np.exp(rng.normal(0, 0.2 * strength) + rng.normal(0, 0.16 * strength, (len(image), 1, 1)))
    unit = _to_unit(image, value_range)
    return _from_unit(unit * (1 + weight * (gain.astype(np.float32) - 1)), value_range)


def shed_leaves(image: Floats, where: Bools, rng: np.random.Generator, value_range: ValueRange) -> Floats:
    """Return (bands, rows, cols) without leaves, softly at its border, where (rows, cols) `where` is True.

    Colours become grey, brownish in images of three bands, half of the way at least, a little darker or brighter,
    with the grain of branches and of what is seen through them.
    """
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(where.astype(np.float32), rng.uniform(0.6, 2.0))
    grain = gaussian_filter(rng.standard_normal(where.shape, np.float32), rng.uniform(0.4, 1.0))
    grain *= rng.uniform(0.1, 0.3) / max(grain.std(), 1e-6)
    unit = _to_unit(image, value_range)
    tint = np.array((1.08, 1.0, 0.9) if len(unit) == 3 else (1.0,) * len(unit), np.float32)[:, None, None]
    bare = unit.mean(axis=0, keepdims=True) * tint * np.float32(rng.uniform(0.8, 1.5)) * (1 + grain)
    share = weight * np.float32(rng.uniform(0.5, 1.0))
    return _from_unit(unit + share * (bare - unit), value_range)


def blur(image: Floats, rng: np.random.Generator) -> Floats:
    """Return (bands, rows, cols) less sharp: smoothed, or made smaller by up to 2.5 and large again."""
    from scipy.ndimage import gaussian_filter

    if rng.random() < 0.5:
        smooth: Floats = gaussian_filter(image, (0, *[rng.uniform(0.4, 1.3)] * 2), output=np.float32)
        return smooth
    rows, cols = image.shape[-2:]
    factor = rng.uniform(1.2, 2.5)
    small = resize_image(image, (max(1, round(rows / factor)), max(1, round(cols / factor))))
    return resize_image(small, (rows, cols))


def make_coarse(image: Floats, rng: np.random.Generator, coarsest: float) -> Floats:
    """Return (bands, rows, cols) with the detail of fewer rows and cols: `coarsest` of them at least, 7/8 at most."""
    small = _reduced(image, rng.uniform(coarsest, max(coarsest, 0.875)))
    return resize_image(small, image.shape[-2:])


def make_coarse_pair(
    images: Sequence[Floats], rng: np.random.Generator, value_range: ValueRange, options: LookOptions
) -> list[Floats]:
    """Return dates (bands, rows, cols) with the detail of one coarser sensor, as its images look when enlarged.

    Shares of the rows and cols are as likely when halved as when doubled, from `options.coarsest` up; JPEG comes, by
    `options.jpeg`, before they are enlarged.
    """
    share = float(np.exp(rng.uniform(np.log(options.coarsest), 0)))
    seen = []
    for image in images:
        small = _reduced(image, share)
        if rng.random() < options.jpeg:
            small = compress_jpeg(small, rng, value_range)
        seen.append(resize_image(small, image.shape[-2:]))
    return seen


def displace(image: Floats, rng: np.random.Generator, most_px: float) -> Floats:
    """Return (bands, rows, cols) seen from elsewhere: moved by up to `most_px`, not everywhere the same way.

    Half of it is one shift for all pixels, as of images that are not in register, half a smooth field over four
    by four points, as of relief and lean.
    """
    from scipy.ndimage import map_coordinates

    rows, cols = image.shape[-2:]
    shift, field = rng.uniform(-1, 1, (2, 1, 1)), rng.uniform(-1, 1, (2, 4, 4))
    moved = most_px / 2 * (shift + resize_image(field, (rows, cols)))
    places = np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij")) + moved
    bands = [map_coordinates(band, places, order=1, mode="nearest", output=np.float32) for band in image]
    return np.stack(bands)


def add_noise(image: Floats, rng: np.random.Generator, value_range: ValueRange) -> Floats:
    """Return (bands, rows, cols) with noise in every pixel, up to 3 % of the range, partly the same in all bands."""
    spread = rng.uniform(0.004, 0.03)
    common = rng.standard_normal((1, *image.shape[1:]), np.float32)
    own = rng.standard_normal(image.shape, np.float32)
    return _from_unit(_to_unit(image, value_range) + spread * (0.7 * common + 0.7 * own), value_range)


def compress_jpeg(
    image: Floats, rng: np.random.Generator, value_range: ValueRange, qualities: tuple[int, int] = (75, 95)
) -> Floats:
    """Return (3, rows, cols) after JPEG of a random quality, as files often hold them; other bands as they are."""
    if len(image) != 3:
        return image
    from PIL import Image

    file = BytesIO()
    picture = (255 * _to_unit(image, value_range)).round().astype(np.uint8)
    Image.fromarray(picture.transpose(1, 2, 0)).save(
        file, "JPEG", quality=int(rng.integers(qualities[0], qualities[1] + 1))
    )
    return _from_unit(np.asarray(Image.open(file), np.float32).transpose(2, 0, 1) / 255, value_range)


def change_look(
    image: Floats, label: Labels, rng: np.random.Generator, value_range: ValueRange, options: LookOptions
) -> Floats:
    """Return one date (bands, rows, cols) under a look of its own: season, light, colours, air, sharpness, noise.

    label: (rows, cols), for the classes whose colour follows the season.
    """
    for number in options.seasonal:
        if rng.random() < options.season and (label == number).any():
            image = tint_where(image, label == number, rng, value_range, options.strength)
    if options.leafless and rng.random() < options.leafless:
        where = np.isin(label, options.seasonal)
        image = shed_leaves(image, where, rng, value_range) if where.any() else image
    image = shift_colors(image, rng, value_range, options.strength)
    image = jitter_light(image, rng, value_range, options.strength)
    if rng.random() < options.haze:
        image = add_haze(image, rng, value_range)
    if rng.random() < options.blur:
        image = blur(image, rng)
    if options.coarse and rng.random() < options.coarse:
        image = make_coarse(image, rng, options.coarsest)
    if rng.random() < options.noise:
        image = add_noise(image, rng, value_range)
    return compress_jpeg(image, rng, value_range) if rng.random() < options.jpeg else image


def resize_image(image: npt.NDArray[np.generic], size: tuple[int, int]) -> Floats:
    """Return (bands, rows, cols) as float32 of (rows, cols) `size`: bilinear, averaging where it gets smaller."""
    from PIL import Image

    bands = [Image.fromarray(np.asarray(band, np.float32)) for band in image]
    return np.stack([np.asarray(band.resize(size[::-1], Image.Resampling.BILINEAR)) for band in bands])


def resize_labels(labels: Labels, size: tuple[int, int]) -> Labels:
    """Return (rows, cols) labels of `size`, each that of the nearest pixel."""
    rows, cols = (
        ((np.arange(wanted) + 0.5) * have / wanted).astype(np.intp)
        for wanted, have in zip(size, labels.shape, strict=True)
    )
    return np.ascontiguousarray(labels[rows[:, None], cols])


def _reduced(image: Floats, share: float) -> Floats:
    """Return (bands, rows, cols) with a share of the rows and cols."""
    rows, cols = (max(1, round(side * share)) for side in image.shape[-2:])
    return resize_image(image, (rows, cols))


def _to_unit(image: Floats, value_range: ValueRange) -> Floats:
    low, high = value_range
    return ((image - np.float32(low)) / np.float32(high - low)).clip(0, 1)


def _from_unit(unit: npt.NDArray[np.floating], value_range: ValueRange) -> Floats:
    low, high = value_range
    return (unit.clip(0, 1) * (high - low) + low).astype(np.float32)
