"""Real pairs with change, made of places that were taken for unchanged though something was seen to change.

naip_changes.toml has their boxes, naip_outlines.json outlines of what changed in many of them. complete_labels.py
labels each date by itself in these, and all alike elsewhere.
Here every two dates of such a place become a labelled pair: changed where the classes of both exclude each other, but
unknown where they do so outside, or in small regions of boxes: there they are mistaken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import label as number_regions

from complete_labels import Bools, Labels, write_description
from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.opening import open_data_set
from place_boxes import Areas, AreasOfPlaces, within

LEAST_PX = 150  # of a region that has changed, 54 square metres in NAIP


def mistaken(before: Labels, after: Labels, sets: LabelSets, areas: Areas, least_px: int) -> Bools:
    """Return where (rows, cols) two labels exclude each other outside the areas, or in regions below `least_px`."""
    exclude = ~(sets.members[before] & sets.members[after]).any(axis=-1)
    regions, count = number_regions(exclude & within(areas, exclude.shape))
    large = np.bincount(regions.ravel(), minlength=count + 1) >= least_px
    large[0] = False
    found: Bools = exclude & ~large[regions]
    return found


def write_changed_pairs(
    completed: Path,
    boxes: AreasOfPlaces,
    output: Path,
    val: Sequence[str] = (),
    outlined: AreasOfPlaces | None = None,
) -> Path:
    """Write all pairs of dates of the places that changed into a folder, and its description; return the latter.

    completed: the description of unchanged pairs whose labels complete_labels.py wrote, with the same areas.
    outlined: what changed in other places, of any size. val: patterns of the names, PLACE_DATE_DATE, that are kept
    for validation.
    """
    said: dict[str, Any] = json.loads(completed.read_text(encoding="utf-8"))
    source, sets = Path(said["folder"]), open_data_set(completed).label_sets
    for folder in ("before", "after", "label_before", "label_after"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    seen = [(place, its, LEAST_PX) for place, its in boxes.items()]
    seen += [(place, its, 1) for place, its in (outlined or {}).items()]
    for place, its, least_px in seen:
        dates = sorted((source / "images").glob(f"{place}_[0-9][0-9][0-9][0-9].*"))
        for pair in combinations(dates, 2):
            name = f"{pair[0].stem}_{pair[1].stem.rpartition('_')[2]}"
            labels = [np.asarray(Image.open(source / "labels" / f"{image.stem}.png")) for image in pair]
            unknown = mistaken(labels[0], labels[1], sets, its, least_px)
            for date, image, label in zip(("before", "after"), pair, labels, strict=True):
                shutil.copyfile(image, output / date / f"{name}{image.suffix}")
                Image.fromarray(np.where(unknown, 0, label).astype(np.uint8)).save(
                    output / f"label_{date}" / f"{name}.png"
                )
    kept: dict[str, Any] = {key: said[key] for key in ("classes", "numbers", "zoom") if key in said}
    if val:
        kept["splits"] = {"train": "*", "val": list(val)}
    return write_description(output, kept)
