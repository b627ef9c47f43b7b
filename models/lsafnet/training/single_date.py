"""Labelled change pairs from images whose land cover is known at one date alone.

Change is where the land cover of two dates differs, so two places, or one place into which parts of another are
put, teach it as well as two dates do: Zheng et al., "Change is everywhere: single-temporal supervised object
change detection in remote sensing imagery", ICCV 2021. Its pairs are of whole images; pasted regions and unchanged
pairs are added here, so that most of a pair can stay as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lsafnet.label_sets import CHANGED, UNSURE, LabelSets
from lsafnet.training.augment import (
    LookOptions,
    ValueRange,
    change_look,
    displace,
    make_coarse_pair,
    resize_image,
    resize_labels,
    tint_where,
)
from lsafnet.training.examples import Bools, Example, Floats, Labels

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | Floats


@dataclass(frozen=True, slots=True)
class SingleDateOptions:
    """How pairs are drawn.

    two_places, pasted, unchanged: how often each kind of pair, in any unit. zoom: least and greatest size of a pixel
    of a pair in pixels of the image; both dates share it. shift_px: how far one date may lie beside the other.
    recolor: the chance 0..1 that the classes of a place take other colours, the same at both dates. tries: so many
    windows are drawn for each place, of which that with the most even classes is kept. displaced: the chance 0..1
    that one date lies up to `shift_px` beside the other, by a part of a pixel and not everywhere the same way.
    boxes: the chance 0..1 that pasted regions are rectangles, whatever the labels say. pasted_real: the chance 0..1
    that regions are pasted into a pair of two real dates. coarse_pair: the chance 0..1 that both dates have the
    detail of one coarser sensor, of `look.coarsest` of the rows and cols at least.
    """

    two_places: float = 0.3
    pasted: float = 0.5
    unchanged: float = 0.2
    zoom: tuple[float, float] = (0.6, 1.6)
    shift_px: int = 2
    recolor: float = 0.3
    tries: int = 2
    displaced: float = 0.0
    boxes: float = 0.0
    pasted_real: float = 0.6
    coarse_pair: float = 0.0
    value_range: ValueRange = (0, 255)
    look: LookOptions = field(default_factory=LookOptions)

    def __post_init__(self) -> None:
        shares = (self.two_places, self.pasted, self.unchanged)
        if min(shares) < 0 or sum(shares) <= 0:
            raise ValueError("the shares of the kinds of pairs must be 0 or more, and one of them above 0")
        if not 0 < self.zoom[0] <= self.zoom[1] or self.shift_px < 0 or self.tries < 1:
            raise ValueError("zoom must be positive and increasing, shift_px 0 or more, and tries 1 or more")


@dataclass(frozen=True, slots=True)
class Place:
    """A square of one image: (bands, side, side) float32 values and (side, side) labels, 0 where unknown."""

    image: Floats
    label: Labels


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a pair's change, (side, side) each: see `Example`."""

    changed: Bools
    known: Bools
    valid: Bools


def pasted_truth(before: Labels, after: Labels, foreign: Bools, sets: LabelSets) -> Truth:
    """Return what a pair says whose pixels are of two places where `foreign` is True, of one place elsewhere.

    There a pixel has changed where the two sets of classes share nothing, and has not where both are one and the
    same class; what else they may be is not known. Elsewhere nothing has changed. Pixels without labels are not
    valid.
    """
    said = sets.comparison[before, after]
    return Truth(foreign & (said == CHANGED), ~foreign | (said != UNSURE), (before > 0) & (after > 0))


def draw_single_date_pair(
    images: Sequence[Pixels],
    labels: Sequence[Labels],
    size_px: int,
    rng: np.random.Generator,
    options: SingleDateOptions | None = None,
) -> Example:
    """Return a pair of (bands, size_px, size_px) made of labelled images of one date.

    images: (bands, rows, cols) each, in the value range of `options`; labels: (rows, cols) each, 0 where unknown.
    A pair is of two places, or of one place with regions of another pasted in along the borders of its labels, or
    of one place twice. Each date has its own look. `changed` is where the labels differ, `valid` where both are
    known.
    """
    options = options or SingleDateOptions()
    _check(images, labels)
    shares = np.array([options.two_places, options.pasted, options.unchanged])
    kind = rng.choice(3, p=shares / shares.sum())
    zoom = float(np.exp(rng.uniform(*np.log(options.zoom))))
    side = size_px + 2 * options.shift_px
    place = _draw_place(images, labels, side, zoom, rng, options)
    other = place
    if kind < 2:
        other = _draw_place(images, labels, side, zoom, rng, options)
    if kind == 1:
        other = paste_regions(place, other, rng)
    before, after = (place, other) if rng.random() < 0.5 else (other, place)
    return photograph(before, after, size_px, rng, options)


def _check(images: Sequence[Pixels], labels: Sequence[Labels]) -> None:
    if not images or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} images and {len(labels)} labels: their numbers must be equal and at least 1"
        )
    for image, label in zip(images, labels, strict=True):
        if image.shape[1:] != label.shape:
            raise ValueError(f"an image of {image.shape[1:]} has labels of {label.shape}; they must agree")


def _draw_place(
    images: Sequence[Pixels],
    labels: Sequence[Labels],
    side: int,
    zoom: float,
    rng: np.random.Generator,
    options: SingleDateOptions,
) -> Place:
    """Return a window of a random image, `side` pixels wide after `zoom`, or as much of the image as there is."""
    index = int(rng.integers(len(images)))
    image, label = images[index], labels[index]
    wide = max(1, min(round(side * zoom), *label.shape))
    corners = [rng.integers(0, np.array(label.shape) - wide + 1) for _ in range(options.tries)]
    windows = [np.s_[row : row + wide, col : col + wide] for row, col in corners]
    window = max(windows, key=lambda one: _evenness(label[one]))
    place = Place(resize_image(image[:, *window], (side, side)), resize_labels(label[window], (side, side)))
    return recolored([place], rng, options)[0] if rng.random() < options.recolor else place


def _evenness(label: Labels) -> float:
    """Return the entropy of the classes' shares; unknown pixels add nothing."""
    shares = np.bincount(label[::4, ::4].ravel())[1:] / label[::4, ::4].size
    return float(-(shares * np.log(shares.clip(1e-9))).sum())


def recolored(places: Sequence[Place], rng: np.random.Generator, options: SingleDateOptions) -> list[Place]:
    """Return dates of one place whose classes have other colours, each class the same at all of them."""
    images = [place.image for place in places]
    for number in np.unique([place.label for place in places]):
        start = rng.bit_generator.state
        for index, place in enumerate(places):
            rng.bit_generator.state = start
            where = place.label == number
            images[index] = tint_where(images[index], where, rng, options.value_range, 1.2)
    return [Place(image, place.label) for image, place in zip(images, places, strict=True)]


def paste_regions(place: Place, other: Place, rng: np.random.Generator) -> Place:
    """Return a place with regions of another in it: connected pixels of one class, with their labels.

    Regions are put in class by class, until a random share between a twentieth and a half of the place is covered.
    """
    where = draw_regions(other.label, float(rng.uniform(0.05, 0.5)), rng)
    return Place(np.where(where, other.image, place.image), np.where(where, other.label, place.label))


def draw_regions(label: Labels, share: float, rng: np.random.Generator) -> Bools:
    """Return where (rows, cols) random regions of a label lie that cover at least `share` of it, if it has so many.

    A region is a set of 4-connected pixels of one class; unknown pixels (0) belong to none. Classes come in random
    order, and of each at least a fifth of its regions, so that houses are drawn as often as the land around them.
    """
    from scipy.ndimage import label as number_regions

    where = np.zeros(label.shape, bool)
    for number in rng.permutation(np.unique(label[label > 0])):
        numbered, count = number_regions(label == number)
        chosen = rng.permutation(count)[: max(1, round(count * rng.uniform(0.2, 1)))]
        kept = np.zeros(count + 1, bool)
        kept[chosen + 1] = True
        where |= kept[numbered]
        if where.mean() >= share:
            break
    return where


def photograph(
    before: Place,
    after: Place,
    size_px: int,
    rng: np.random.Generator,
    options: SingleDateOptions,
    truth: Truth | None = None,
) -> Example:
    """Return the pair of two places, each seen under a look of its own, one of them not quite in register.

    The places are size_px + 2 * shift_px pixels wide. Labels stay where they are when a date's pixels are shifted.
    Without `truth` labels are classes, and a pixel has changed where they differ.
    """
    margin = options.shift_px
    inner = np.s_[..., margin : margin + size_px, margin : margin + size_px]
    shifts = np.zeros((2, 2), np.intp)
    if margin:
        shifts[rng.integers(2)] = rng.integers(-margin, margin + 1, 2)
    images = []
    for place, (down, right) in zip((before, after), shifts, strict=True):
        seen = change_look(place.image, place.label, rng, options.value_range, options.look)
        if margin and options.displaced and (down or right) and rng.random() < options.displaced:
            seen, down, right = displace(seen, rng, margin), 0, 0
        row, col = margin + down, margin + right
        images.append(np.ascontiguousarray(seen[:, row : row + size_px, col : col + size_px]))
    if options.coarse_pair and rng.random() < options.coarse_pair:
        images = make_coarse_pair(images, rng, options.value_range, options.look)
    labels = [np.ascontiguousarray(place.label[inner]) for place in (before, after)]
    if truth is None:
        valid = (labels[0] > 0) & (labels[1] > 0)
        return Example(images[0], images[1], labels[0], labels[1], labels[0] != labels[1], valid)
    said = [np.ascontiguousarray(array[inner]) for array in (truth.changed, truth.valid, truth.known)]
    return Example(images[0], images[1], labels[0], labels[1], said[0], said[1], said[2])
