"""Data sets of published checkpoints, with the keys of a checkpoint's metadata."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lsafnet.checkpoint.info import FORMAT, CheckpointError, CheckpointInfo
from lsafnet.registry import NetworkSpec

UNKNOWN_LICENSE = "unknown: ask whoever published it"
BINARY_CLASSES = ({"name": "unchanged", "color": "#ffffff"}, {"name": "changed", "color": "#e31a1c"})


def _classes(**colors: str) -> list[dict[str, str]]:
    return [{"name": name.replace("_", " "), "color": color} for name, color in colors.items()]


_SECOND = {
    "classes": _classes(
        unchanged="#ffffff",
        water="#0000ff",
        ground="#808080",
        low_vegetation="#008000",
        tree="#00ff00",
        building="#800000",
        playground="#ff0000",
    ),
    "normalization": {
        "before": {"mean": [113.40, 114.08, 116.45], "std": [48.30, 46.27, 48.14]},
        "after": {"mean": [111.07, 114.04, 118.18], "std": [49.41, 47.01, 47.94]},
    },
    "value_range": [0, 255],
    "tile_px": 512,
    "gsd_m": 1.2,  # the middle of 0.5 to 3 m, which its images have
    "trained_on": "SECOND",
}
_LANDSAT_SCD = {
    "classes": _classes(
        unchanged="#ffffff", farmland="#009b00", desert="#ffa500", building="#e61e64", water="#00aaf0"
    ),
    "normalization": {
        "before": {"mean": [141.53, 139.20, 137.73], "std": [81.99, 83.31, 83.89]},
        "after": {"mean": [137.36, 136.50, 135.144], "std": [85.97, 86.01, 86.81]},
    },
    "value_range": [0, 255],
    "tile_px": 512,
    "gsd_m": 30.0,
    "trained_on": "Landsat-SCD",
}

DATA_SETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"second": _SECOND, "landsat-scd": _LANDSAT_SCD}
)
"""Name to what a checkpoint trained on the data set says: the keys of its metadata, without the network."""


def describe_checkpoint(
    spec: NetworkSpec, data_set: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> CheckpointInfo:
    """Return the metadata of a checkpoint of a network trained on a data set, given in the words of `DATA_SETS`.

    A network without land cover is given the classes "unchanged" and "changed" in place of the data set's, unless
    those are two. A network that was published for values in their range (`unit_range`) does not take the statistics
    of the data sets known by name. What is left out: value_range is 0..255, tile_px 512. Raises CheckpointError where
    it is unusable.
    """
    usual = {"value_range": [0, 255], "tile_px": 512, "trained_on": "unknown", "license": UNKNOWN_LICENSE}
    values = {**usual, **data_set, "format": FORMAT, "network": spec.name, "options": dict(options or {})}
    classes, statistics = values.get("classes", ()), values.get("normalization")
    if not spec.semantic and len(classes) != 2:
        classes = values["classes"] = list(BINARY_CLASSES)
    own = [known["normalization"] for known in DATA_SETS.values()]
    if spec.unit_range and isinstance(statistics, Mapping) and statistics in own:
        statistics = values["normalization"] = _unit_range(statistics, values["value_range"])
    try:
        values.setdefault("bands", len(statistics["before"]["mean"]))  # type: ignore[index]
        values.setdefault("num_classes", len(classes))
    except (TypeError, KeyError) as error:
        raise CheckpointError("normalization is missing or has a wrong structure") from error
    return CheckpointInfo.from_json(json.dumps(values))


def _unit_range(statistics: Mapping[str, Any], value_range: Sequence[float]) -> dict[str, Any]:
    """Return the normalisation that divides values by the end of their range, for as many bands and dates."""
    low, high = value_range
    return {
        date: {"mean": [low] * len(of["mean"]), "std": [high - low] * len(of["mean"])}
        for date, of in statistics.items()
    }
