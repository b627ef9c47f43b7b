"""A map with the layers beside it, and its codes at another threshold."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.layers import CODES, PERCENT_NODATA, TRANSITION
from lsafnet_cli.files.outputs import layer_path
from lsafnet_cli.files.provenance import options_of
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.count import refuse_strange_codes
from lsafnet_cli.maps.table import read_legend, refuse_layer
from lsafnet_cli.options import KEEP


@dataclass(frozen=True, slots=True)
class DecidedMap:
    """A map with its tags, and the layers beside it."""

    path: Path
    grid: Grid
    legend: Legend
    tags: Mapping[str, str]

    @classmethod
    def open(cls, path: Path) -> "DecidedMap":
        """Read the tags of a map. Raises InputError if it is no change map."""
        with open_raster(str(path)) as dataset:
            legend = read_legend(path, dataset.tags())
            refuse_layer(str(path), dataset.descriptions[0], legend)
            return cls(path, grid_of(dataset), legend, dataset.tags())

    @property
    def options(self) -> dict[str, Any]:
        """The options that determined its pixels; {} if unknown."""
        return options_of(self.tags)

    def layer(self, name: str) -> Path:
        """Return a layer beside the map. Raises InputError if it is missing, or on another grid."""
        path = layer_path(self.path, name)
        if not path.exists():
            raise InputError(
                f"{path}: does not exist, but this threshold needs it; "
                "predict with `also` before,after,probability writes it"
            )
        with open_raster(str(path)) as dataset:
            if grid_of(dataset) != self.grid:
                raise InputError(f"{path}: is not on the grid of {self.path}")
        return path

    def transition_layers(self, threshold: float) -> tuple[str, ...]:
        """Return the layers with the transition of pixels that are unchanged in the map."""
        if threshold >= float(self.options.get("threshold", 1.0)):
            return (CODES,)  # pixels above the new threshold were above the old one
        if not self.legend.semantic:
            return ()
        if layer_path(self.path, TRANSITION).exists() or self.options.get("same_class") != KEEP:
            return (TRANSITION,)
        return ("before", "after")


def decided_codes(found: DecidedMap, threshold: float | None) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Yield row windows of a map and their codes at a threshold, in the map's own legend and nodata."""
    if threshold == found.options.get("threshold"):
        threshold = None  # of the run itself: the layer is rounded to whole percent
    names = () if threshold is None else ("probability", *found.transition_layers(threshold))
    legend = found.legend
    with ExitStack() as stack:
        layers = {
            name: stack.enter_context(open_raster(str(found.path if name == CODES else found.layer(name))))
            for name in dict.fromkeys((CODES, *names))
        }
        for window in row_windows(found.grid):
            read = {name: layer.read(1, window=window) for name, layer in layers.items()}
            codes = read[CODES]
            if threshold is not None:
                changed = read["probability"] > 100 * threshold
                missing = (codes == legend.nodata) | (read["probability"] == PERCENT_NODATA)
                codes = np.where(missing, legend.nodata, _transition(read, legend) * changed)
            refuse_strange_codes(codes, legend, str(found.path))
            yield window, codes


def _transition(read: Mapping[str, NDArray[Any]], legend: Legend) -> NDArray[Any]:
    """Return the code of the most probable transition of each pixel, as far as the layers hold it."""
    if TRANSITION in read:
        return read[TRANSITION]
    if "before" in read:
        before, after = (read[name].astype(np.int64) for name in ("before", "after"))
        return (before - 1) * legend.class_count + after
    if not legend.semantic:
        return np.ones_like(read[CODES])
    return read[CODES]
