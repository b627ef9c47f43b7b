"""A finished map to which outputs are added: whether it is of the same run, and what can be made of its files.

The outputs are what the whole run would have written: the map and its stored layers take the place of computed
pixels, and the network runs only for layers that are stored nowhere.
"""

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lsafnet_cli.errors import InputError, OutputError
from lsafnet_cli.files.outputs import OutputPaths, layer_path
from lsafnet_cli.files.provenance import (
    AFTER_DATE,
    BEFORE_DATE,
    INPUTS,
    LEGEND,
    OPTIONS,
    Provenance,
    json_object,
    options_of,
)
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.identity import map_sha256
from lsafnet_cli.options import LAYERS

OF_CODES = ("from", "to")  # layers that follow from the codes of a map
LEAST_AGREEMENT = 0.9999  # share of equal codes of two runs that differ in nothing but their batches
OF_INPUTS = ("aoi", "exclude", "cloud_masks")  # options that name files: the files themselves are compared
PRECISION = "precision"
TAGS = {
    LEGEND: "the legend",
    "LSAFNET_VERSION": "the version of lsafnet",
    "LSAFNET_CHECKPOINT_SHA256": "the checkpoint",
    BEFORE_DATE: "the date before",
    AFTER_DATE: "the date after",
}


@dataclass(frozen=True, slots=True)
class FinishedMap:
    """A map, its grid and tags; `stored` layers beside it that belong to it; and the outputs to add."""

    path: Path
    grid: Grid
    tags: Mapping[str, str]
    stored: Mapping[str, Path]
    paths: OutputPaths
    added: frozenset[Path]

    @classmethod
    def open(cls, paths: OutputPaths, added: Collection[Path]) -> "FinishedMap":
        """Read the tags of a map and of the layers beside it. Raises InputError if it cannot be read."""
        with open_raster(paths.map) as dataset:
            grid, tags = grid_of(dataset), dataset.tags()
        found = cls(paths.map, grid, tags, {}, paths, frozenset(added))
        return replace(found, stored=dict(found._layers_beside()))

    def _layers_beside(self) -> Iterator[tuple[str, Path]]:
        for layer in LAYERS:
            path = layer_path(self.path, layer)
            if path not in self.added and path.is_file() and self._holds(path):
                yield layer, path

    def _holds(self, path: Path) -> bool:
        """Return whether a layer is of the same run as the map: their tags are the same."""
        try:
            with open_raster(path) as dataset:
                tags = dataset.tags()
                same = grid_of(dataset) == self.grid
        except InputError:
            return False
        return same and all(tags.get(name) == self.tags.get(name) for name in (*TAGS, OPTIONS, INPUTS))

    @property
    def new(self) -> OutputPaths:
        """The outputs to add, beside the map."""
        return self.paths.only(self.added)

    def layers_to_compute(self) -> tuple[str, ...]:
        """Return the layers for which the network has to run: those that are stored nowhere."""
        wanted = layers_behind(self.new.layers, bool(self.new.polygons))
        return tuple(layer for layer in wanted if layer not in (*OF_CODES, *self.stored))

    def strangers(self, legend: Legend) -> list[Path]:
        """Return requested files that are there already and belong to another map, as far as they can tell."""
        page, layers = self.paths.page, self.paths.layers
        found = [
            path for layer, path in layers.items() if path not in self.added and layer not in self.stored
        ]
        if page is not None and page not in self.added and not _is_page_of(page, str(self.path), legend):
            found.append(page)
        return found

    def check(self, grid: Grid, provenance: Provenance, computed: bool) -> None:
        """Raise OutputError unless this is the map that a run would write; `computed` if its network runs."""
        changed = list(self._changed(grid, provenance, computed))
        if changed:
            raise OutputError(
                f"{self.path}: exists already, and is not the map of this command ({', '.join(changed)} differs); "
                "add `overwrite` to replace it"
            )
        if strange := self.strangers(provenance.legend):
            raise OutputError(
                f"{strange[0]}: exists already, and does not belong to {self.path}; "
                "add `overwrite` to replace both, or move it elsewhere"
            )

    def _changed(self, grid: Grid, provenance: Provenance, computed: bool) -> Iterator[str]:
        asked = provenance.tags()
        yield from (what for tag, what in TAGS.items() if asked.get(tag) != self.tags.get(tag))
        yield from _differing(json.loads(asked.get(INPUTS, "{}")), json_object(self.tags.get(INPUTS)))
        unimportant = OF_INPUTS if computed else (*OF_INPUTS, PRECISION)
        differing = _differing(json.loads(asked[OPTIONS]), self.options())
        yield from (f"the option {name}" for name in differing if name not in unimportant)
        if grid.shape != self.grid.shape or not _alike(list(grid.transform), list(self.grid.transform)):
            yield "the grid"

    def options(self) -> dict[str, Any]:
        """Return the options in the tags."""
        return options_of(self.tags)

    def provenance(self, run: Provenance) -> Provenance:
        """Return the provenance of files that are made of this map: its options are those of its pixels."""
        return replace(run, options=self.options())


def missing_outputs(paths: OutputPaths) -> list[Path]:
    """Return the outputs that are not there yet beside a map of lsafnet's; [] without such a map."""
    if not os.path.isfile(paths.map):  # noqa: PTH113 - Path.is_file raises where the folder may not be read
        return []
    try:
        with open_raster(paths.map) as dataset:
            known = INPUTS in dataset.tags()
    except InputError:
        return []
    return [path for path in paths.all() if not os.path.lexists(path)] if known else []


def added_notice(paths: OutputPaths, added: Collection[Path]) -> str:
    """Say what is made and what stays."""
    new = [path.name for path in paths.all() if path in added]
    old = [path.name for path in paths.all() if path not in added and path != paths.map]
    as_well = f"; {', '.join(old)} {'stay' if len(old) > 1 else 'stays'} too" if old else ""
    verb = "are" if len(new) > 1 else "is"
    return f"{paths.map} is finished and stays, only {', '.join(new)} {verb} added{as_well}"


def layers_behind(layers: Collection[str], with_polygons: bool) -> tuple[str, ...]:
    """Return the layers to compute besides codes: polygons need the probability for their confidence."""
    wanted = {*layers, *({"probability"} if with_polygons else ())}
    return tuple(layer for layer in LAYERS if layer in wanted)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if not _alike(one.get(name), other.get(name)))


def _alike(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, numbers but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def _is_page_of(page: Path, change_map: str, legend: Legend) -> bool:
    """Return whether a report page shows a map: the map's hash is in it."""
    try:
        text = page.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return map_sha256(change_map, legend) in text


def agreement(codes: Path, change_map: Path) -> float:
    """Return the share of pixels in which a raster of codes has those of a map of the same size."""
    equal = 0
    with open_raster(codes) as one, open_raster(change_map) as other:
        grid = grid_of(other)
        for window in row_windows(grid):
            equal += int(np.count_nonzero(one.read(1, window=window) == other.read(1, window=window)))
    return equal / grid.pixel_count
