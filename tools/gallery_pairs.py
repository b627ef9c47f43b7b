"""The pairs of the gallery as tools/gallery_pairs.toml describes them, and how a map is judged by what was seen."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsafnet_cli.legend.classes import Legend

Codes = NDArray[np.unsignedinteger]
FOUND, IN_PART, LEFT_ALONE = 0.5, 0.2, 0.1  # shares of a place that are called changed


@dataclass(frozen=True, slots=True)
class Place:
    """A box (left, top, right, bottom) in pixels, what a person saw in it, and its land cover at both dates."""

    box: tuple[int, int, int, int]
    what: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether its land cover is another one."""
        return self.before != self.after

    @property
    def land_cover(self) -> str:
        """The land cover of both dates in words."""
        return f"{self.before} to {self.after}" if self.changed else f"{self.before} both times"


@dataclass(frozen=True, slots=True)
class GalleryPair:
    """Two files of one place. `hidden` says why it may not be shown, "" where it may; then `credit` says whose it is.

    `label` is a picture in which all but the colour `unchanged` has changed.
    """

    name: str
    title: str
    before: str
    after: str
    place: str
    dates: tuple[str, str]
    gsd_m: float
    seen: str
    places: tuple[Place, ...] = ()
    credit: str = ""
    hidden: str = ""
    label: str = ""
    unchanged: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if bool(self.credit) == bool(self.hidden):
            raise ValueError(f"{self.name}: a pair is shown with a credit, or hidden for a reason")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a map says of a place: the share of it that is called changed, and as what most of that (a transition)."""

    place: Place
    share: float
    mostly: str

    @property
    def verdict(self) -> str:
        """Right or wrong, in words."""
        if not self.place.changed:
            return "left alone" if self.share <= LEFT_ALONE else "false change"
        if self.share < IN_PART:
            return "missed"
        named = "" if self.mostly == self.place.land_cover else ", named wrongly"
        return f"{'found' if self.share >= FOUND else 'found in part'}{named}"


def read_pairs(path: Path) -> tuple[GalleryPair, ...]:
    """Return the pairs of a TOML file. Raises ValueError for one without credit and without a reason to hide it."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(_pair(entry, content["credits"]) for entry in content["pair"])


def _pair(entry: dict[str, Any], credits_: dict[str, str]) -> GalleryPair:
    places = tuple(
        Place(tuple(one["box"]), one["what"], one["before"], one["after"]) for one in entry.get("places", ())
    )
    lists: dict[str, Any] = {name: tuple(entry[name]) for name in ("dates", "unchanged") if name in entry}
    credit = credits_[entry["credit"]] if "credit" in entry else ""
    values: dict[str, Any] = {**entry, **lists, "places": places, "credit": credit}
    return GalleryPair(**values)


def judge(codes: Codes, legend: Legend, place: Place) -> Judgement:
    """Return what a map (rows, cols) of transition codes says of a place."""
    left, top, right, bottom = place.box
    inside = codes[top:bottom, left:right]
    known = inside[inside != legend.nodata]
    changed = known[known != 0]
    if not changed.size:
        return Judgement(place, 0.0, "")
    return Judgement(place, changed.size / known.size, legend.labels[int(np.bincount(changed).argmax())])


def f1_of_change(codes: Codes, nodata: int, label: Path, unchanged: tuple[int, int, int]) -> float:
    """Return the F1 of the changed pixels of a map against a label in which all but one colour has changed."""
    with Image.open(label) as picture:
        truth = (np.asarray(picture.convert("RGB")) != np.array(unchanged)).any(axis=-1)
    valid = codes != nodata
    found = (codes != 0) & valid
    both, either = (int(np.count_nonzero(one)) for one in (found & truth, (found | truth) & valid))
    return 2 * both / max(1, both + either)
