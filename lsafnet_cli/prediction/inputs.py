"""Inputs of a run: stamps that tell whether one has changed, in full for resuming and as hashes in the map's tags."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lsafnet_cli.options import GridOptions
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.stamps import file_stamp, scene_stamp

BEFORE, AFTER, AREA, MASKS, REFERENCE = (
    "the before image", "the after image", "the area of interest", "a mask", "the image of the grid",
)  # fmt: skip
HASH_LENGTH = 16


def input_stamps(pair: AlignedPair, area: AreaOfInterest | None, grid: GridOptions) -> dict[str, Any]:
    """Return the stamps of all files that determine the pixels of a run, by names for users.

    Raises InputError if a server has to be asked and does not respond.
    """
    return {
        BEFORE: scene_stamp(pair.before.scene),
        AFTER: scene_stamp(pair.after.scene),
        AREA: area and area.sha256,
        MASKS: [file_stamp(name) for name in _masks(pair)],
        REFERENCE: grid.image and file_stamp(grid.image),
    }


def input_hashes(pair: AlignedPair, grid: GridOptions, stamps: Mapping[str, Any]) -> dict[str, str]:
    """Return a short hash of each input, from its stamp.

    Local files count by size and time, without their folder, which may be moved. Side files do not count: a GIS
    writes some when it opens an image.
    """
    known = {
        **stamps,
        BEFORE: _of_file(pair.before.scene.path, stamps[BEFORE]),
        AFTER: _of_file(pair.after.scene.path, stamps[AFTER]),
        MASKS: [_of_file(name, name) for name in _masks(pair)],
        REFERENCE: grid.image and _of_file(str(grid.image), grid.image),
    }
    texts = {name: json.dumps(value) for name, value in known.items() if value}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH] for name, text in texts.items()}


def _of_file(name: str, otherwise: Any) -> Any:
    """Return size and time of a local file, or else what is known of a file elsewhere."""
    return file_stamp(name)[1:] or otherwise


def _masks(pair: AlignedPair) -> list[str]:
    return [mask.mask.path for image in (pair.before, pair.after) for mask in image.masks]
