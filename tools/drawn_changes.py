"""Outlines of what changed between two dates of a place, with the land cover of both, as labels.

naip_outlines.json has them: for each place `changes`, classes of the first and the last of its dates and a polygon x,
y, x, y ... in quarters of a pixel from the top left corner, and areas that are `unknown`. All else of a place has not
changed. A line itself is uncertain, so a change is sure from INSIDE_PX within it, and nothing from OUTSIDE_PX beyond
it. On dates between, what changed is of one of both classes. An AI model drew them, looking at both images enlarged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from complete_labels import Bools, Labels, folder_beside_images, write_description
from drawn_classes import Numbers, polygon_of, polygons_of
from place_boxes import Areas, place_of, within

NAIP_OUTLINES = Path(__file__).parent / "naip_outlines.json"
CLAREMONT_OUTLINES = NAIP_OUTLINES.with_name("claremont_outlines.json")
"""Of places that nothing is trained on."""
INSIDE_PX, OUTSIDE_PX = 1, 2


@dataclass(frozen=True, slots=True)
class Change:
    """What went from one class to another, in pixels."""

    before: str
    after: str
    area: Polygon

    @property
    def core(self) -> BaseGeometry:
        """Where it surely did."""
        return self.area.buffer(-INSIDE_PX)


@dataclass(frozen=True, slots=True)
class Changes:
    """What was drawn on a place."""

    changes: tuple[Change, ...]
    unknown: tuple[Polygon, ...]

    def cores(self) -> Areas:
        """Return where the place surely changed."""
        return [one.core for one in self.changes]

    def apart(self) -> Areas:
        """Return where it may have changed: all else is alike on all dates."""
        return [*(one.area.buffer(OUTSIDE_PX) for one in self.changes), *self.unknown]


def read_changes(file: Path) -> dict[str, Changes]:
    """Return what was drawn, by place."""
    said: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return {
        place: Changes(
            tuple(Change(before, after, polygon_of(line)) for before, after, line in one["changes"]),
            polygons_of(one["unknown"]),
        )
        for place, one in said.items()
    }


@dataclass(frozen=True, slots=True)
class ChangeLabels:
    """Land cover of both dates where a place changed, else 0; where it did; and where that is known, (rows, cols)."""

    before: Labels
    after: Labels
    changed: Bools
    known: Bools


def labels_to_score(drawn: Changes, shape: tuple[int, int], classes: Sequence[str]) -> ChangeLabels:
    """Return what was drawn as labels, with the numbers 1..K-1 of `classes`; beside a line nothing is known."""
    before, after = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for one in drawn.changes:
        inside = within([one.core], shape)
        before[inside], after[inside] = classes.index(one.before) + 1, classes.index(one.after) + 1
    changed = (before > 0) & ~within(drawn.unknown, shape)
    known = changed | ~within(drawn.apart(), shape)
    return ChangeLabels(before, after, changed, known)


def write_change_labels(description: Path, drawn: Mapping[str, Changes], output: Path) -> Path:
    """Write the labels of a data set of places with what was drawn, and its description; return the latter."""
    said = json.loads(description.read_text(encoding="utf-8"))
    folder, numbers = folder_beside_images(said, description.stem, output), Numbers(said["numbers"])
    places: dict[str, list[Path]] = {}
    for file in sorted((Path(said["folder"]) / "labels").glob("*.png")):
        places.setdefault(place_of(file.stem), []).append(file)
    for place, files in places.items():
        for file in files:
            label = np.asarray(Image.open(file)).copy()
            for change in drawn[place].changes if place in drawn else ():
                label[within([change.core], label.shape)] = _number(change, file, files, numbers)
            Image.fromarray(label).save(folder / "labels" / file.name)
    return write_description(folder, said | {"numbers": numbers.said})


def _number(change: Change, file: Path, files: Sequence[Path], numbers: Numbers) -> int:
    """Return the number of what a change was on the date of a file, of all of its place by date."""
    if file == files[0]:
        return numbers.of([change.before])
    return numbers.of([change.after] if file == files[-1] else [change.before, change.after])
