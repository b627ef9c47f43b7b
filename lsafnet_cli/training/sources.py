"""Sources of a training: items of one or several data sets, in shares, with common label values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.matching import Item
from lsafnet_cli.errors import InputError

USUAL_ZOOM = (0.5, 1.8)
SEASONAL = ("vegetation", "low vegetation", "tree", "trees", "forest", "grass", "farmland", "crops")


@dataclass(frozen=True, slots=True)
class Source:
    """A data set's items to draw from.

    share: how many of each round of examples are its. renumbering: (numbers,) of its labels' numbers, those that
    all sources have in common. zoom: least and greatest size of a pixel of a pair, in pixels of its images.
    """

    items: tuple[Item, ...]
    renumbering: NDArray[np.uint8]
    share: int = 1
    zoom: tuple[float, float] = USUAL_ZOOM


@dataclass(frozen=True, slots=True)
class Turns:
    """Which source an example of an epoch is of: in every round of `sum(shares)` each comes as often as its share."""

    shares: tuple[int, ...]

    @property
    def order(self) -> tuple[tuple[int, int], ...]:
        """(source, which of its turns) of a round, the sources evenly mixed."""
        turns = [
            ((turn + 0.5) / share, source, turn)
            for source, share in enumerate(self.shares)
            for turn in range(share)
        ]
        return tuple((source, turn) for _, source, turn in sorted(turns))

    def of(self, number: int) -> tuple[int, int]:
        """Return the source of an example and how many of its examples the epoch had before."""
        rounds, place = divmod(number, sum(self.shares))
        source, turn = self.order[place]
        return source, rounds * self.shares[source] + turn


def common_sets(found: Sequence[LabelSets]) -> LabelSets:
    """Return the sets of all data sets."""
    return reduce(LabelSets.united, found)


def zoom_of(description: Mapping[str, Any], path: object) -> tuple[float, float]:
    """Return the range of zooms that a description asks for. Raises InputError."""
    given = description.get("zoom", USUAL_ZOOM)
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = 0.0
    if not 0 < low <= high < 64:
        raise InputError(f"{path}: zoom is {given!r}; write two increasing numbers above 0, such as [0.5, 2]")
    return low, high


def seasonal_classes(names: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the classes whose colour follows the season, by their names."""
    return tuple(number for number, name in enumerate(names) if name.lower() in SEASONAL)
