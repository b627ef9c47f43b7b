"""Outlines of roofs that were drawn on images labelled by other means, as labels: building, or surely not.

naip_roofs.json has them: for each image PLACE_DATE `roofs`, and areas that are `unknown`, as polygons x, y, x, y ...
in quarters of a pixel from the top left corner. All else of an image is no building. They count on the other dates of
a place too, outside the boxes in which it changed. The line itself is uncertain, so from `inside_px` within to
`outside_px` beyond it the label stays what it was, and wider on other dates, in which roofs lean and images lie a
little beside each other. An AI model drew them, looking at the images enlarged four times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rasterio.features import rasterize
from scipy.ndimage import binary_dilation, binary_erosion
from shapely import Polygon

from complete_labels import Bools, Labels, folder_beside_images, write_description
from place_boxes import Boxes, place_of, within

NAIP_ROOFS = Path(__file__).parent / "naip_roofs.json"
CLAREMONT_ROOFS = NAIP_ROOFS.with_name("claremont_roofs.json")  # of places that nothing is trained on
BUILDING = "building"
PER_PX = 4  # coordinates in a pixel
SQUARE = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Roofs:
    """What was drawn on an image, in pixels."""

    roofs: tuple[Polygon, ...]
    unknown: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class Margins:
    """How far from a drawn line nothing is sure, in pixels."""

    inside_px: int
    outside_px: int


DRAWN, OTHER_DATES = Margins(1, 2), Margins(2, 3)


def read_roofs(file: Path) -> dict[str, Roofs]:
    """Return what was drawn, by the image's name, PLACE_DATE."""
    said: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return {name: Roofs(_polygons(one["roofs"]), _polygons(one["unknown"])) for name, one in said.items()}


def _polygons(lines: Sequence[Sequence[int]]) -> tuple[Polygon, ...]:
    return tuple(Polygon(np.reshape(line, (-1, 2)) / PER_PX) for line in lines)


def draw(roofs: Roofs, shape: tuple[int, int], margins: Margins) -> tuple[Bools, Bools]:
    """Return where (rows, cols) there surely is a building, and where there surely is none."""
    inside, known = scored(roofs, shape)
    core = binary_erosion(inside, SQUARE, margins.inside_px, border_value=1)
    around = binary_dilation(inside, SQUARE, margins.outside_px)
    return core & known, ~around & known


def scored(roofs: Roofs, shape: tuple[int, int]) -> tuple[Bools, Bools]:
    """Return where (rows, cols) there is a building by the drawn lines, and where that is known."""
    inside, unknown = (_within(polygons, shape) for polygons in (roofs.roofs, roofs.unknown))
    return inside, ~unknown


def _within(polygons: Sequence[Polygon], shape: tuple[int, int]) -> Bools:
    if not polygons:
        return np.zeros(shape, bool)
    found: Bools = rasterize([(one, 1) for one in polygons], shape, dtype="uint8") > 0
    return found


def drawn_on(name: str, drawn: Mapping[str, Roofs]) -> tuple[Roofs, Margins] | None:
    """Return what was drawn on an image, else on the last other date of its place that was drawn on."""
    if name in drawn:
        return drawn[name], DRAWN
    others = sorted(other for other in drawn if place_of(other) == place_of(name))
    return (drawn[others[-1]], OTHER_DATES) if others else None


def write_roof_labels(description: Path, drawn: Mapping[str, Roofs], changed: Boxes, output: Path) -> Path:
    """Write the labels of a data set with what was drawn, and its description, into a folder; return the latter.

    changed: boxes in which dates of a place differ, by place; there, a drawing says nothing of other dates.
    """
    said = json.loads(description.read_text(encoding="utf-8"))
    folder = folder_beside_images(said, description.stem, output)
    numbers, without, building = with_building(said)
    for file in sorted((Path(said["folder"]) / "labels").glob("*.png")):
        label = np.asarray(Image.open(file))
        if found := drawn_on(file.stem, drawn):
            roof, none = draw(found[0], label.shape, found[1])
            if file.stem not in drawn:
                same = ~within(changed.get(place_of(file.stem), ()), label.shape)
                roof, none = roof & same, none & same
            label = np.where(roof, building, np.where(none, without[label], label)).astype(np.uint8)
        Image.fromarray(label).save(folder / "labels" / file.name)
    return write_description(folder, said | {"numbers": numbers})


def with_building(said: Mapping[str, Any]) -> tuple[dict[str, Any], Labels, int]:
    """Return a description's numbers with new ones, those without building by their own numbers, and building's."""
    names = [one["name"] for one in said["classes"]][1:]
    numbers = dict(said["numbers"])
    new = max(map(int, numbers)) + 1
    building, without = new, np.arange(new, dtype=np.uint8)
    numbers[str(building)] = BUILDING
    for number, classes in said["numbers"].items():
        allowed = names if classes is None else [classes] if isinstance(classes, str) else classes
        left = [one for one in allowed if one != BUILDING]
        if len(left) < len(allowed) and left:
            new += 1
            numbers[str(new)], without[int(number)] = left, new
    return numbers, without, building


def write_roof_images(completed: Path, names: Iterable[str], output: Path, **more: Any) -> Path:
    """Write what was drawn on as images of one date, and their description; return the latter.

    completed: the description of all places, with completed labels. more: what the description says besides.
    """
    said = json.loads(completed.read_text(encoding="utf-8"))
    source = Path(said["folder"])
    for name in names:
        for file in source.glob(f"*/{name}.*"):
            copy = output / file.parent.name / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                copy.symlink_to(file.resolve())
    kept = {key: said[key] for key in ("classes", "numbers")}
    return write_description(output, kept | more)
