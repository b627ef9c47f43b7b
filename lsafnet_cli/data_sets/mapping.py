"""Mapping of other legends: classes of a map for the values or colours of another raster."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from lsafnet.checkpoint.published import DATA_SETS
from lsafnet_cli.data_sets.description import UNKNOWN
from lsafnet_cli.data_sets.labels import read_numbers
from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.geometry.arrays import IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import ClassArray

# Names under which maps know a kind of ground; of each the first that a map has counts. () means unknown.
WATER, BUILDING = ("water",), ("building", "built-up", "built up", "artificial")
BARE = ("ground", "bare", "soil", "desert")
PLANTS = ("vegetation",)
LOW = ("low vegetation", "grass", "grassland", *PLANTS)
TREE = ("tree", "forest", "trees", *PLANTS)
CROPS = ("farmland", "cropland", "crops", *LOW)
SHRUB = ("shrub", "shrubland", *LOW)
PLAYGROUND = ("playground", *BARE)
Kinds = Mapping[int | str, tuple[str, ...]]

WORLDCOVER: Kinds = {
    0: (), 10: TREE, 20: SHRUB, 30: LOW, 40: CROPS, 50: BUILDING, 60: BARE, 70: (), 80: WATER, 90: LOW,
    95: TREE, 100: LOW,
}  # fmt: skip
NLCD: Kinds = {
    0: (), 11: WATER, 12: (), 21: (), 22: BUILDING, 23: BUILDING, 24: BUILDING, 31: BARE, 41: TREE, 42: TREE,
    43: TREE, 51: SHRUB, 52: SHRUB, 71: LOW, 72: LOW, 73: LOW, 74: LOW, 81: LOW, 82: CROPS, 90: TREE, 95: LOW,
}  # fmt: skip
_CORINE_CODES = (
    111, 112, 121, 122, 123, 124, 131, 132, 133, 141, 142, 211, 212, 213, 221, 222, 223, 231, 241, 242, 243, 244,
    311, 312, 313, 321, 322, 323, 324, 331, 332, 333, 334, 335, 411, 412, 421, 422, 423, 511, 512, 521, 522, 523,
)  # fmt: skip
_CORINE_GROUPS = {
    "11": BUILDING, "12": BUILDING, "13": BARE, "14": LOW, "2": CROPS, "231": LOW, "31": TREE, "32": LOW,
    "323": SHRUB, "324": SHRUB, "33": BARE, "335": (), "4": LOW, "422": (), "423": (), "5": WATER,
}  # fmt: skip


def _corine() -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield CORINE's classes under their codes (111 ...) and under their numbers in the raster (1 to 44)."""
    for number, code in enumerate(_CORINE_CODES, start=1):
        longest = max((group for group in _CORINE_GROUPS if str(code).startswith(group)), key=len)
        yield code, _CORINE_GROUPS[longest]
        yield number, _CORINE_GROUPS[longest]


def _data_set(name: str, kinds: Mapping[str, tuple[str, ...]]) -> Kinds:
    """Return the colours of a data set that is known, and its numbers."""
    entries = DATA_SETS[name]["classes"]
    found: dict[int | str, tuple[str, ...]] = {}
    for number, entry in enumerate(entries):
        names = ("unchanged",) if number == 0 else kinds.get(entry["name"], (entry["name"],))
        found[number] = found[entry["color"]] = names
    return found


KNOWN: Mapping[str, Kinds] = {
    "second": _data_set(
        "second", {"low vegetation": LOW, "tree": TREE, "playground": PLAYGROUND, "ground": BARE}
    ),
    "landsat-scd": _data_set("landsat-scd", {"farmland": CROPS, "desert": BARE}),
    "worldcover": WORLDCOVER,
    "nlcd": NLCD,
    "corine": {**dict(_corine()), 48: (), 128: (), 999: ()},
}


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """What numbers and packed colours mean: a map's class number, UNKNOWN for none. `source` is its name."""

    source: str
    numbers: Mapping[int, int]
    colors: Mapping[int, int]


def read_mapping(source: str, names: Sequence[str]) -> ClassMapping:
    """Return a mapping to a map's classes (`names`, "unchanged" first): one of KNOWN, or a JSON file.

    The file's keys are numbers or colours "#rrggbb", its values names of classes, or null where unknown. Raises
    OptionError for a name that is neither known nor a file, InputError for a file that says something else.
    """
    if source in KNOWN:
        return _resolve(source, KNOWN[source], names)
    path = Path(source)
    if not path.is_file():
        raise OptionError(f"`mapping` {source}: name a JSON file, or one of {', '.join(KNOWN)}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{source}: is no valid JSON ({error})") from error
    if not isinstance(content, dict) or not content:
        raise InputError(f'{source}: write {{"10": "tree", "#00ff00": "water", "0": null}}')
    wanted = {name.casefold() for name in names}
    for name in content.values():
        if name is not None and str(name).casefold() not in wanted:
            raise InputError(f"{source}: '{name}' is no class of the map; it has {', '.join(names)}")
    kinds = {key: () if name is None else (str(name),) for key, name in content.items()}
    return _resolve(source, {_key(source, key): value for key, value in kinds.items()}, names)


def _key(source: str, text: str) -> int | str:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return text.lower()
    raise InputError(f"{source}: '{text}' is neither a number nor a colour #rrggbb")


def _resolve(source: str, kinds: Kinds, names: Sequence[str]) -> ClassMapping:
    place = {name.casefold(): number for number, name in enumerate(names)}
    numbers, colors = dict[int, int](), dict[int, int]()
    for key, wanted in kinds.items():
        found = next((place[name.casefold()] for name in wanted if name.casefold() in place), None)
        number = UNKNOWN if found is None else found
        if isinstance(key, int):
            numbers[key] = number
        else:
            colors[int(key[1:], 16)] = number
    if all(number in (0, UNKNOWN) for number in (*numbers.values(), *colors.values())):
        raise InputError(f"{source}: contains no class of the map, which has {', '.join(names[1:])}")
    return ClassMapping(source, numbers, colors)


@dataclass(frozen=True, slots=True)
class MappedRaster:
    """A raster with another legend, read as classes of a map. Colours count where the mapping has any that fit."""

    path: str
    mapping: ClassMapping

    def read(self, grid: Grid, window: Window | None = None) -> ClassArray:
        """Return (rows, cols) classes over a window of `grid`, UNKNOWN where file or mapping have none.

        Raises InputError for a number or colour that the mapping does not have.
        """
        numbers, known, palette = read_numbers(self.path, grid, window, self._means_something)
        if len(numbers) == 3:
            red, green, blue = numbers.astype(np.int64)
            return self._mapped(
                (red << 16) | (green << 8) | blue, known, self.mapping.colors, "the colour #{:06x}"
            )
        plain = numbers[0].astype(np.int64)
        if palette is not None and np.isin(palette[np.unique(plain[known])], list(self.mapping.colors)).all():
            return self._mapped(palette[plain], known, self.mapping.colors, "the colour #{:06x}")
        return self._mapped(plain, known, self.mapping.numbers, "the value {}")

    def _means_something(self, nodata: float, bands: int, _palette: IntArray | None) -> bool:
        """Return whether the mapping gives the file's own nodata number a meaning, "unchanged" included."""
        return (
            bands < 3
            and self.mapping.numbers.get(int(nodata) if nodata == nodata else -1, UNKNOWN) != UNKNOWN
        )

    def _mapped(self, values: IntArray, known: Any, table: Mapping[int, int], words: str) -> ClassArray:
        kinds, place = np.unique(values, return_inverse=True)
        found = np.array([table.get(kind, -1) for kind in kinds.tolist()])[place].reshape(values.shape)
        strange = known & (found < 0)
        if strange.any():
            value, count = int(values[strange][0]), np.count_nonzero(strange)
            raise InputError(
                f"{self.path}: {words.format(value)} is not in the mapping {self.mapping.source} ({count:,} pixels)"
            )
        return np.where(known, found, UNKNOWN).astype(np.uint8)
