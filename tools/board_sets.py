"""The labelled pairs and images that checkpoints are scored on, one set after the other, from one folder of data.

    dubai/                      as dubai_tiles.py says; tile 5 is held out of training
    second_pragyan/, second_small/   as second_tiles.py says; never trained on
    levir/                      A, B and label (0, 255: a new or lost building)
    eval/naip_california/       images/CITY_PLACE_YEAR.jpg: real pairs in which little has changed; where, says
                                claremont_outlines.json; roofs on some of them: claremont_roofs.json
    eval/NAME/                  images and labels (0 unknown, 1 building, 2 none): Austin, SpaceNet, RAMP, Dhaka

What is not there is left out. The sample pair is always there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from drawn_changes import CLAREMONT_OUTLINES, Changes, labels_to_score, read_changes
from drawn_classes import CLAREMONT_ROOFS, read_drawn, scored
from dubai_tiles import held_out_pairs
from lsafnet.training.examples import Example
from place_boxes import HELD_OUT, NAIP_CHANGES, Areas, place_of, read_boxes, within
from second_tiles import read_second_pairs

DUBAI_PX = 256
FALSE_ALARM_YEARS = ("2016", "2020")
HELD_OUT_PLACES = "*_33"  # of NAIP: what the threshold is fitted on is never trained on
CLASSES = ("water", "ground", "vegetation", "building")
BUILDING_NUMBER = 4
BUILDING_SETS = ("inria_austin", "spacenet", "ramp", "dhaka")
SEMANTIC, BINARY, UNCHANGED, BUILDING = "semantic", "binary", "unchanged", "building"
SAMPLE = Path(__file__).parent.parent / "sample_data"

Labels = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BoardPair:
    """Two files, and what is known of them: labels (rows, cols), 1 water .. 4 building, 0 unknown; where it counts.

    One image given twice has land cover alone.
    """

    name: str
    before: Path
    after: Path
    label_before: Labels
    label_after: Labels
    changed: Bools
    valid: Bools


@dataclass(frozen=True, slots=True)
class BoardSet:
    """Pairs that are scored in one way: `kind` is SEMANTIC, BINARY, UNCHANGED or BUILDING."""

    name: str
    kind: str
    pairs: tuple[BoardPair, ...]


def chosen_sets(data: Path, cache: Path, words: str | None) -> Iterator[BoardSet]:
    """Yield the sets whose names hold one of the words, separated by commas; all without words."""
    for one in read_board(data, cache):
        if not words or any(word in one.name for word in words.split(",")):
            yield one


def read_board(data: Path, cache: Path) -> Iterator[BoardSet]:
    """Yield the sets of a folder; images that are no files yet are written into `cache`."""
    for name, folder in (("SECOND full", "second_pragyan"), ("SECOND small", "second_small")):
        if (data / folder).is_dir():
            pairs = _written(name, read_second_pairs(data / folder), cache)
            yield BoardSet(name, SEMANTIC, pairs)
    if (data / "dubai").is_dir():
        yield BoardSet(
            "Dubai tile 5", SEMANTIC, _written("dubai", held_out_pairs(data / "dubai", DUBAI_PX), cache)
        )
    yield BoardSet("sample pair", SEMANTIC, (_sample_pair(),))
    if (data / "levir").is_dir():
        yield BoardSet("LEVIR", BINARY, tuple(_levir_pairs(data / "levir")))
    if (data / "eval" / "naip_california").is_dir():
        places = tuple(_unchanged_pairs(data / "eval" / "naip_california" / "images"))
        yield BoardSet("NAIP California", UNCHANGED, places)
        roofs = tuple(_drawn_images(data / "eval" / "naip_california" / "images", cache))
        yield BoardSet("Claremont", BUILDING, roofs)
    for name in BUILDING_SETS:
        if (data / "eval" / name).is_dir():
            yield BoardSet(name, BUILDING, tuple(_single_images(data / "eval" / name, cache)))


def held_out_places(data: Path) -> Iterator[BoardPair]:
    """Yield first and last date of the places of NAIP that training leaves out, valid where nothing has changed."""
    images, boxes = data / "train" / "naip_california" / "images", read_boxes(NAIP_CHANGES, HELD_OUT)
    for first, *_, last in _dates_of_places(images, HELD_OUT_PLACES):
        yield _unchanged_pair(first, last, boxes.get(place_of(first.stem), ()))


def _dates_of_places(images: Path, pattern: str) -> Iterator[list[Path]]:
    """Yield the images of each place, PLACE_YEAR, of which there are two or more."""
    dates: dict[str, list[Path]] = {}
    for file in sorted(images.glob(f"{pattern}_[0-9][0-9][0-9][0-9].*")):
        dates.setdefault(place_of(file.stem), []).append(file)
    yield from (files for files in dates.values() if len(files) > 1)


def _unchanged_pair(before: Path, after: Path, changed: Areas) -> BoardPair:
    """Return a pair of one place that is valid where nothing has changed."""
    shape = _shape_of(before)
    none, same = np.zeros(shape, np.uint8), ~within(changed, shape)
    return BoardPair(place_of(before.stem), before, after, none, none, none > 0, same)


def _written(name: str, examples: list[Example], cache: Path) -> tuple[BoardPair, ...]:
    """Return pairs that are arrays as pairs of files."""
    found = []
    for number, example in enumerate(examples):
        stem = f"{name.lower().replace(' ', '_')}_{number:02d}"
        before, after = (cache / f"{stem}_{date}.png" for date in ("before", "after"))
        for file, image in ((before, example.before), (after, example.after)):
            Image.fromarray(np.rint(image).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)).save(file)
        labels = example.label_before, example.label_after
        found.append(BoardPair(stem, before, after, *labels, example.changed, example.valid))
    return tuple(found)


def _sample_pair() -> BoardPair:
    labels = []
    for date in ("before", "after"):
        with rasterio.open(SAMPLE / f"label_{date}.tif") as dataset:
            labels.append(dataset.read(1))
    first, second = labels
    valid = (first > 0) & (second > 0)
    return BoardPair(
        "sample", SAMPLE / "before.tif", SAMPLE / "after.tif", first, second, first != second, valid
    )


def _levir_pairs(folder: Path) -> Iterator[BoardPair]:
    for file in sorted((folder / "label").glob("*.png")):
        before, after = folder / "A" / file.name, folder / "B" / file.name
        if not (before.exists() and after.exists()):
            continue
        changed = _numbers(file) > 127
        none = np.zeros(changed.shape, np.uint8)
        yield BoardPair(file.stem, before, after, none, none, changed, np.ones(changed.shape, bool))


def _unchanged_pairs(images: Path) -> Iterator[BoardPair]:
    first, last = FALSE_ALARM_YEARS
    drawn = read_changes(CLAREMONT_OUTLINES)
    for file in sorted(images.glob(f"*_{first}.jpg")):
        place = file.stem.removesuffix(f"_{first}")
        after = images / f"{place}_{last}.jpg"
        if after.exists():
            labels = labels_to_score(drawn.get(place, Changes((), ())), _shape_of(file), CLASSES)
            yield BoardPair(place, file, after, labels.before, labels.after, labels.changed, labels.known)


def _single_images(folder: Path, cache: Path) -> Iterator[BoardPair]:
    """Yield images of one date whose labels say building or not."""
    for file in sorted((folder / "images").iterdir()):
        label = _numbers(folder / "labels" / f"{file.stem}.png")
        yield _one_date(file, label == 1, label > 0, cache / f"{folder.name}_{file.stem}_again{file.suffix}")


def _drawn_images(images: Path, cache: Path) -> Iterator[BoardPair]:
    """Yield images of one date on which all roofs were drawn."""
    for name, roofs in read_drawn(CLAREMONT_ROOFS).items():
        file = images / f"{name}.jpg"
        if file.exists():
            building, known = scored(roofs, _shape_of(file))
            yield _one_date(file, building, known, cache / f"{name}_again.jpg")


def _one_date(file: Path, building: Bools, valid: Bools, again: Path) -> BoardPair:
    """Return an image of one date as a pair with its own copy `again`, for one file given twice is rejected."""
    shutil.copyfile(file, again)
    label = np.where(building, BUILDING_NUMBER, 0).astype(np.uint8)
    return BoardPair(file.stem, file, again, label, label, np.zeros(label.shape, bool), valid)


def _shape_of(file: Path) -> tuple[int, int]:
    """Return (rows, cols) of an image, without its pixels."""
    with Image.open(file) as image:
        return image.height, image.width


def _numbers(file: Path) -> Labels:
    with Image.open(file) as image:
        return np.asarray(image.convert("L") if image.mode not in ("L", "P", "1") else image).astype(np.uint8)
