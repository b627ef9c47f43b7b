"""Metadata of checkpoints, read without torch and without running any code.

A checkpoint is a safetensors file: 8 bytes (the header's length, little endian), a JSON header, the tensors.
The header's `__metadata__` holds, under the key `lsafnet`, the JSON of a `CheckpointInfo`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from math import prod
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.checks import (
    CheckpointError as CheckpointError,  # which most find here
    is_count,
    is_number,
    require,
)
from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.domain import Domain
from lsafnet.texts import LONGEST_NAME, LONGEST_NOTE, is_legible

FORMAT = 1
LEGIBLE = f"a text of 1 to {LONGEST_NAME} printable characters"
METADATA_KEY = "lsafnet"
TILE_MULTIPLE_PX = 8  # the networks' deepest maps are one eighth of the tile
_LARGEST_NORMALISED = 1e9  # a value's distance from the mean in standard deviations
_LARGEST_SCALE_BIAS = 8.0
_LENGTH_BYTES = 8
_LONGEST_HEADER_BYTES = 100_000_000  # safetensors' own limit


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class of the legend: its name and its colour "#rrggbb"."""

    name: str
    color: str

    def __post_init__(self) -> None:
        require(is_legible(self.name), f"a class needs {LEGIBLE}, not {str(self.name)[:40]!r}")
        is_color = isinstance(self.color, str) and re.fullmatch("#[0-9a-fA-F]{6}", self.color) is not None
        require(is_color, f"class {self.name!r} has the colour {self.color!r}, not one like #00ff00")


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Mean and standard deviation of each band of one date, in the units of `value_range`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        require(all(map(is_number, (*self.mean, *self.std))), "mean and std must be lists of numbers")
        require(all(std > 0 for std in self.std), "every std must be positive")


@dataclass(frozen=True, slots=True)
class Normalization:
    """How each date's bands are normalised before they enter the network: (value - mean) / std."""

    before: BandStatistics
    after: BandStatistics


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """Everything a tool needs to know about a checkpoint, checked on creation (CheckpointError).

    classes: K entries, index 0 is "unchanged". bands: how many the network takes. value_range: lowest and
    highest value an image band may hold. tile_px: side of the tiles it was trained on, a multiple of 8.
    gsd_m: ground sample distance it was trained on, None when mixed. input_gsd_m: pixel size to which coarser images
    are enlarged before they enter the network, None if they never are. scale_bias: what is added to the logits of
    change for each doubling of the images' size, for enlarged images look more alike. options: the network's, without
    classes and bands. context: how much a pixel's surroundings count in whether it has changed, None if not at all.
    decision: how its logits of change become changed and unchanged. domain: what the images look like that it was
    trained on, None where nobody has measured it.
    """

    network: str
    classes: tuple[ClassEntry, ...]
    bands: int
    normalization: Normalization
    value_range: tuple[float, float]
    tile_px: int
    trained_on: str
    license: str
    gsd_m: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    decision: ChangeDecision = field(default_factory=ChangeDecision)
    domain: Domain | None = None
    input_gsd_m: float | None = None
    context: ChangeContext | None = None
    scale_bias: float = 0.0
    format: int = FORMAT

    @property
    def num_classes(self) -> int:
        """K, counting index 0."""
        return len(self.classes)

    def __post_init__(self) -> None:
        require(self.format == FORMAT, f"it has format {self.format!r}, this version reads format {FORMAT}")
        require(is_legible(self.network), f"network must be {LEGIBLE}")
        for name in ("trained_on", "license"):
            legible = is_legible(getattr(self, name), LONGEST_NOTE)
            require(legible, f"{name} must be a text of 1 to {LONGEST_NOTE:,} printable characters")
        require(len(self.classes) >= 2, f"it lists {len(self.classes)} classes, but at least two are needed")
        names = [entry.name for entry in self.classes]
        require(len(set(names)) == len(names), "two of its classes have the same name")
        require(is_count(self.bands), f"bands must be a positive number, not {self.bands!r}")
        self._check_numbers()
        require(isinstance(self.options, Mapping), "options must be a mapping")
        require(isinstance(self.metrics, Mapping), "metrics must be a mapping")
        require(all(map(is_number, self.metrics.values())), "metrics must be numbers")

    def _check_numbers(self) -> None:
        for date in ("before", "after"):
            statistics: BandStatistics = getattr(self.normalization, date)
            for values in (statistics.mean, statistics.std):
                require(
                    len(values) == self.bands, f"normalization has {len(values)} values, not {self.bands}"
                )
        low_high = self.value_range
        is_range = len(low_high) == 2 and all(map(is_number, low_high)) and low_high[0] < low_high[1]
        require(is_range, f"value_range must be a lower and a higher number, not {low_high!r}")
        self._check_scaling()
        is_tile = is_count(self.tile_px) and self.tile_px % TILE_MULTIPLE_PX == 0
        require(is_tile, f"tile_px must be a multiple of {TILE_MULTIPLE_PX}, not {self.tile_px!r}")
        is_bias = is_number(self.scale_bias) and abs(self.scale_bias) <= _LARGEST_SCALE_BIAS
        require(is_bias, f"scale_bias is {self.scale_bias!r}, not between -8 and 8")
        for name in ("gsd_m", "input_gsd_m"):
            size = getattr(self, name)
            is_size = size is None or (is_number(size) and size > 0)
            require(is_size, f"{name} must be a positive number of metres or null, not {size!r}")

    def _check_scaling(self) -> None:
        """Refuse statistics that turn values of the range into numbers that no network can compute with."""
        for date in ("before", "after"):
            statistics: BandStatistics = getattr(self.normalization, date)
            for mean, std in zip(statistics.mean, statistics.std, strict=True):
                # as a product: a quotient by 1e-300 overflows
                farthest = max(abs(limit - mean) for limit in self.value_range)
                usable = farthest <= _LARGEST_NORMALISED * std
                require(usable, f"mean {mean:g} and std {std:g} do not fit value_range {self.value_range!r}")

    def to_json(self) -> str:
        """Return the JSON text that `from_json` reads."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return json.dumps({**values, "num_classes": self.num_classes}, default=_plain, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "CheckpointInfo":
        """Return the info that `text` describes; CheckpointError says what is missing or wrong."""
        values = _parse_object(text)
        named = [name for name in _FIELDS if name in values or name in _NEEDED]
        info = cls(**{name: _read_field(values, name) for name in named})
        counted = values.get("num_classes")
        require(counted == info.num_classes, f"num_classes is {counted!r} but {info.num_classes} are listed")
        return info


def _plain(value: Any) -> dict[str, Any]:
    """Return the dict of a dataclass or of any other mapping, for json."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else dict(value)


def _parse_object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError("it is not JSON") from error
    require(isinstance(values, dict), "it is not a JSON object")
    return dict(values)


def _read_statistics(value: Any) -> BandStatistics:
    return BandStatistics(mean=tuple(value["mean"]), std=tuple(value["std"]))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "classes": lambda value: tuple(ClassEntry(entry["name"], entry["color"]) for entry in value),
    "normalization": lambda value: Normalization(
        _read_statistics(value["before"]), _read_statistics(value["after"])
    ),
    "value_range": tuple,
    "options": dict,
    "metrics": dict,
    "decision": lambda value: ChangeDecision(**value),
    "domain": Domain.read,
    "context": lambda value: None if value is None else ChangeContext(**value),
}
_NEEDED = (
    *("format", "network", "classes", "bands", "normalization"),
    *("value_range", "tile_px", "trained_on", "license"),
)
_FIELDS = (
    *_NEEDED,
    "gsd_m",
    "options",
    "metrics",
    "decision",
    "domain",
    "input_gsd_m",
    "context",
    "scale_bias",
)


def _read_field(values: Mapping[str, Any], name: str) -> Any:
    require(name in values, f"{name} is missing")
    try:
        return _READERS[name](values[name]) if name in _READERS else values[name]
    except CheckpointError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{name} has a wrong structure") from error


def read_checkpoint_info(path: str | Path) -> CheckpointInfo:
    """Return the metadata of the checkpoint at `path`. Raises CheckpointError if it is none."""
    path = Path(path)
    metadata = read_header(path).get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_KEY), str):
        raise CheckpointError(
            f"{path} holds tensors but no {METADATA_KEY!r} metadata; "
            "turn a published state dict into a checkpoint with `lsafnet checkpoint import`"
        )
    try:
        return CheckpointInfo.from_json(metadata[METADATA_KEY])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: invalid metadata: {error}; save the checkpoint again") from error


def read_header(path: Path) -> dict[str, Any]:
    """Return the JSON header of a safetensors file, after checking its length against the file's."""
    try:
        with path.open("rb") as file:
            found = path.stat().st_size
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if found < _LENGTH_BYTES or length > min(found - _LENGTH_BYTES, _LONGEST_HEADER_BYTES):
                raise CheckpointError(f"{path} is not a safetensors file, or is cut off; {_advice(path)}")
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check the path") from error
    return _parse_header(path, text)


def _parse_header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a safetensors file; {_advice(path)}") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a damaged header; {_advice(path)}")
    return header


_NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked", "resnet.fc.weight", "resnet.fc.bias")
_NEVER_CALLED = (".dilate4.", ".SEBlock.")  # of SCDNet


def count_parameters(path: str | Path) -> int:
    """Return the number of parameters of a checkpoint from its header, without statistics."""
    header = read_header(Path(path))
    header.pop("__metadata__", None)
    named = [name for name in header if not name.endswith(_NO_PARAMETERS)]
    names = [name for name in named if not any(part in name for part in _NEVER_CALLED)]
    try:
        return sum(prod(map(int, header[name]["shape"])) for name in names)
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} has a damaged header; {_advice(Path(path))}") from error


def _advice(path: Path) -> str:
    if path.suffix in (".pth", ".pt"):
        return "import a published state dict with `lsafnet checkpoint import`"
    return "fetch it again"
