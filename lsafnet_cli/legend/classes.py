"""The legend of a change map: land-cover classes, transitions between them, their codes and colours."""

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet.texts import LONGEST_NAME, is_legible
from lsafnet_cli.legend.palettes import (
    UNCHANGED_COLOR,
    Color as Color,  # one of a legend's words
    transition_colors,
)

ClassArray = NDArray[np.uint8]

UNCHANGED = 0
SMALL_NODATA, LARGE_NODATA = 255, 65535
MOST_CLASSES = 254  # land-cover layers are uint8, where 0 and 255 are reserved; codes reach 64,516 of 65,535
MOST_CLASSES_IN_UINT8 = 15  # 15 * 15 transitions and "unchanged" leave code 255 free for nodata


@dataclass(frozen=True, slots=True)
class Transition:
    """What a transition code means: class numbers run over 1..K-1."""

    code: int
    from_class: int
    to_class: int
    name: str
    color: Color


@dataclass(frozen=True, slots=True)
class Legend:
    """The land-cover classes of a change map; index 0 is "unchanged".

    A legend of two entries (unchanged, changed) belongs to a binary network: its map has the codes 0 and 1,
    and its one transition has no from and to.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    semantic: bool = True

    def __post_init__(self) -> None:
        if len(self.names) != len(self.colors) or len(self.names) < 2:
            raise ValueError(f"a legend must have two or more classes with one colour each, not {self.names}")
        if not all(map(is_legible, self.names)):
            raise ValueError(f"class names must have 1 to {LONGEST_NAME} printable characters")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"class names must differ from each other: {', '.join(self.names)}")
        if self.class_count > MOST_CLASSES:
            raise ValueError(f"a map holds at most {MOST_CLASSES} land-cover classes, not {self.class_count}")

    @property
    def class_count(self) -> int:
        """Number of land-cover classes, K-1."""
        return len(self.names) - 1

    @property
    def dtype(self) -> str:
        """Name of the numpy dtype that holds every code and nodata."""
        return "uint8" if self.class_count <= MOST_CLASSES_IN_UINT8 else "uint16"

    @property
    def nodata(self) -> int:
        """The no-data value of the map."""
        return SMALL_NODATA if self.dtype == "uint8" else LARGE_NODATA

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """All transitions in the order of their codes, which start at 1."""
        if not self.semantic:
            return (Transition(1, 1, 1, self.names[1], self.colors[1]),)
        count, colors = self.class_count, transition_colors(self.colors[1:])
        return tuple(
            Transition(
                code,
                before,
                after,
                f"{self.names[before]} to {self.names[after]}",
                colors[before - 1][after - 1],
            )
            for before in range(1, count + 1)
            for after in range(1, count + 1)
            for code in [1 + (before - 1) * count + (after - 1)]
        )

    @property
    def code_count(self) -> int:
        """How many codes there are: "unchanged" and every transition."""
        return 1 + (self.class_count**2 if self.semantic else 1)

    @property
    def palette(self) -> dict[int, Color]:
        """Colour of each code, without nodata."""
        return {UNCHANGED: UNCHANGED_COLOR} | {t.code: t.color for t in self.transitions}

    @property
    def labels(self) -> dict[int, str]:
        """Name of each code, without nodata."""
        return {UNCHANGED: self.names[0]} | {t.code: t.name for t in self.transitions}

    def numbers_of(self, name: str) -> list[int]:
        """Return the numbers of the classes that somebody calls so: case does not count, _ may stand for a blank."""
        called = _as_called(name)
        return [number for number, known in enumerate(self.names) if number and _as_called(known) == called]

    def to_json(self) -> str:
        """Return the text that `from_json` reads; it goes into the map's tags."""
        classes = [{"name": n, "color": hex_color(c)} for n, c in zip(self.names, self.colors, strict=True)]
        return json.dumps({"semantic": self.semantic, "classes": classes}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Legend":
        """Parse the output of `to_json`. Raises ValueError for anything else."""
        try:
            content = json.loads(text)
            classes = content["classes"]
            colors = tuple(parse_color(entry["color"]) for entry in classes)
            return cls(tuple(entry["name"] for entry in classes), colors, content["semantic"] is True)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not a legend: {text[:80]}") from error


def _as_called(name: str) -> str:
    return name.casefold().replace("_", " ")


def parse_color(text: str) -> Color:
    """Parse "#rrggbb". Raises ValueError for anything else."""
    if not isinstance(text, str) or re.fullmatch("#[0-9a-fA-F]{6}", text) is None:
        raise ValueError(f"a colour must be written as #rrggbb, not {text!r}")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def hex_color(color: Color) -> str:
    """Write a colour as "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def transition_codes(before: Any, after: Any, changed: Any, class_count: int) -> Any:
    """Return (rows, cols) codes: 0 where nothing changed, else 1 + (before - 1) * class_count + (after - 1).

    Plain arithmetic, so that numpy arrays and torch tensors both work, on any device. Classes
    run over 1..class_count; their dtype must hold class_count squared; `changed` is bool or 0 and 1.
    """
    return changed * ((before - 1) * class_count + after)
