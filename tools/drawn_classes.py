"""Outlines of roofs and water that were drawn on images labelled by other means, as labels: of that class, or not.

naip_roofs.json and naip_water.json have them: for each image PLACE_DATE `roofs` or `water`, and areas that are
`unknown`, as polygons x, y, x, y ... in quarters of a pixel from the top left corner. All else of an image is no
building, or no water. They count on the other dates of a place too, outside the areas in which it changed. The line
itself is uncertain, so from `inside_px` within to `outside_px` beyond it the label stays what it was, and wider on
other dates, in which roofs lean and images lie a little beside each other. An AI model drew them, looking at the
images enlarged four times.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion
from shapely import Polygon

from complete_labels import Bools, Labels, folder_beside_images, write_description
from place_boxes import AreasOfPlaces, place_of, within

NAIP_ROOFS = Path(__file__).parent / "naip_roofs.json"
NAIP_WATER = NAIP_ROOFS.with_name("naip_water.json")
DRONE_ROOFS = NAIP_ROOFS.with_name("drone_roofs.json")  # of joined tiles, SET/NAME: what their labels miss
CLAREMONT_ROOFS = NAIP_ROOFS.with_name("claremont_roofs.json")  # of places that nothing is trained on
BUILDING, WATER = "building", "water"
PER_PX = 4  # coordinates in a pixel
UNKNOWN = "unknown"
SQUARE = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn of one class on an image, in pixels."""

    areas: tuple[Polygon, ...]
    unknown: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class Margins:
    """How far from a drawn line nothing is sure, in pixels."""

    inside_px: int
    outside_px: int


DRAWN, OTHER_DATES = Margins(1, 2), Margins(2, 3)


def read_drawn(file: Path) -> dict[str, Drawn]:
    """Return what was drawn, by the image's name, PLACE_DATE; of one class, whatever the file calls it."""
    said: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    found = {}
    for name, one in said.items():
        (areas,) = (lines for kind, lines in one.items() if kind != UNKNOWN)
        found[name] = Drawn(polygons_of(areas), polygons_of(one[UNKNOWN]))
    return found


def polygon_of(line: Sequence[int]) -> Polygon:
    """Return a polygon in pixels from x, y, x, y ... in quarters of a pixel."""
    return Polygon(np.reshape(line, (-1, 2)) / PER_PX)


def polygons_of(lines: Sequence[Sequence[int]]) -> tuple[Polygon, ...]:
    """Return the polygons of several such lines."""
    return tuple(polygon_of(line) for line in lines)


def draw(drawn: Drawn, shape: tuple[int, int], margins: Margins) -> tuple[Bools, Bools]:
    """Return where (rows, cols) the class surely is, and where it surely is not."""
    inside, known = scored(drawn, shape)
    core = binary_erosion(inside, SQUARE, margins.inside_px, border_value=1)
    around = binary_dilation(inside, SQUARE, margins.outside_px)
    return core & known, ~around & known


def scored(drawn: Drawn, shape: tuple[int, int]) -> tuple[Bools, Bools]:
    """Return where (rows, cols) the class is by the drawn lines, and where that is known."""
    inside, unknown = (within(polygons, shape) for polygons in (drawn.areas, drawn.unknown))
    return inside, ~unknown


def correct_labels(folder: Path, drawn: Mapping[str, Drawn], building: int) -> None:
    """Write what was drawn into labels of a folder, NAME.png of SET/NAME: a roof `building`, what is unknown 0."""
    for name, one in drawn.items():
        file = folder / f"{Path(name).name}.png"
        if Path(name).parent.name == folder.parent.name and file.exists():
            label = np.asarray(Image.open(file))
            label = np.where(within(one.unknown, label.shape), 0, label)
            label = np.where(within(one.areas, label.shape), building, label)
            Image.fromarray(label.astype(np.uint8)).save(file)


def drawn_on(name: str, drawn: Mapping[str, Drawn]) -> tuple[Drawn, Margins] | None:
    """Return what was drawn on an image, else on the last other date of its place that was drawn on."""
    if name in drawn:
        return drawn[name], DRAWN
    others = sorted(other for other in drawn if place_of(other) == place_of(name))
    return (drawn[others[-1]], OTHER_DATES) if others else None


def write_drawn_labels(
    description: Path, drawn: Mapping[str, Drawn], changed: AreasOfPlaces, output: Path, name: str = BUILDING
) -> Path:
    """Write the labels of a data set with what was drawn of the class `name`, and its description, into a folder.

    Return the latter. changed: areas in which dates of a place differ, by place; there, a drawing says nothing of
    other dates.
    """
    said = json.loads(description.read_text(encoding="utf-8"))
    folder = folder_beside_images(said, description.stem, output)
    numbers, without, own = with_class(said, name)
    for file in sorted((Path(said["folder"]) / "labels").glob("*.png")):
        label = np.asarray(Image.open(file))
        if found := drawn_on(file.stem, drawn):
            there, none = draw(found[0], label.shape, found[1])
            if file.stem not in drawn:
                same = ~within(changed.get(place_of(file.stem), ()), label.shape)
                there, none = there & same, none & same
            label = np.where(there, own, np.where(none, without[label], label)).astype(np.uint8)
        Image.fromarray(label).save(folder / "labels" / file.name)
    return write_description(folder, said | {"numbers": numbers})


class Numbers:
    """The numbers of a description, to which sets of classes are added as they are asked for."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = dict(said)

    def of(self, classes: Sequence[str]) -> int:
        """Return the number of a set of classes, a new one if there is none yet."""
        wanted = sorted(classes)
        for number, named in self.said.items():
            if named is not None and sorted([named] if isinstance(named, str) else named) == wanted:
                return int(number)
        new = max(map(int, self.said)) + 1
        self.said[str(new)] = wanted if len(wanted) > 1 else wanted[0]
        return new


def with_class(said: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Labels, int]:
    """Return a description's numbers with new ones, those without a class by their own numbers, and that class's."""
    names = [one["name"] for one in said["classes"]][1:]
    numbers = Numbers(said["numbers"])
    own, without = numbers.of([name]), np.arange(max(map(int, said["numbers"])) + 1, dtype=np.uint8)
    for number, classes in said["numbers"].items():
        allowed = names if classes is None else [classes] if isinstance(classes, str) else classes
        left = [one for one in allowed if one != name]
        if len(left) < len(allowed) and left:
            without[int(number)] = numbers.of(left)
    return numbers.said, without, own


def write_drawn_images(described: Path, names: Iterable[str], output: Path, **more: Any) -> Path:
    """Write what was drawn on as images of one date, and their description; return the latter.

    described: the description of all places; names without a file there are left out. more: what the new description
    says besides.
    """
    said = json.loads(described.read_text(encoding="utf-8"))
    source = Path(said["folder"])
    for name in names:
        for file in source.glob(f"*/{name}.*"):
            copy = output / file.parent.name / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                copy.symlink_to(file.resolve())
    kept = {key: said[key] for key in ("classes", "numbers")}
    return write_description(output, kept | more)


def alone(names: Iterable[str], folder: Path) -> list[str]:
    """Return the names PLACE_DATE of which a folder has no other date."""
    dates = Counter(place_of(file.stem) for file in folder.iterdir())
    return [name for name in names if dates[place_of(name)] == 1]
