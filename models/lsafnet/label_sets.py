"""Partial labels: sets of classes, and the change between two of them.

Most labels are "building or not". Training takes them as sets: the loss of a pixel is minus the
logarithm of the summed probability of its set (Xu et al., "A semantic loss function for deep learning with symbolic
knowledge", ICML 2018, for sets of classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

UNCHANGED, CHANGED, UNSURE = 0, 1, 2
"""Results of comparing two labels of one pixel; the last one if it is undetermined."""
MOST_CODES = 255


@dataclass(frozen=True)
class LabelSets:
    """Meanings of label values: 0 unknown, 1..K-1 a class, K and up the sets of classes in `sets`."""

    num_classes: int
    sets: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.num_classes + len(self.sets) > MOST_CODES:
            raise ValueError(
                f"{self.num_classes} classes and {len(self.sets)} sets; at most {MOST_CODES} are possible"
            )
        for one in self.sets:
            if len(one) < 2 or list(one) != sorted(set(one)) or not 1 <= one[0] <= one[-1] < self.num_classes:
                raise ValueError(
                    f"{one} is no increasing list of two or more of the classes 1..{self.num_classes - 1}"
                )

    @property
    def count(self) -> int:
        """Number of label values with a meaning."""
        return self.num_classes + len(self.sets)

    def members_of(self, number: int) -> frozenset[int]:
        """Return the classes that a number allows: none for 0."""
        if number < self.num_classes:
            return frozenset({number} if number else ())
        return frozenset(self.sets[number - self.num_classes])

    @cached_property
    def members(self) -> npt.NDArray[np.bool_]:
        """(numbers, K) whether a number allows a class; 0 allows all of 1..K-1."""
        table = np.zeros((self.count, self.num_classes), bool)
        for number in range(self.count):
            table[number, list(self.members_of(number) or range(1, self.num_classes))] = True
        return table

    @cached_property
    def comparison(self) -> npt.NDArray[np.uint8]:
        """(numbers, numbers) CHANGED where sets share nothing, UNCHANGED for one and the same class, else UNSURE."""
        shared = self.members.astype(np.int64) @ self.members.T.astype(np.int64)
        table = np.where(shared == 0, CHANGED, UNSURE).astype(np.uint8)
        single = np.arange(1, self.num_classes)
        table[single, single] = UNCHANGED
        return table

    def number_of(self, classes: Sequence[int]) -> int:
        """Return the number that stands for some classes: 0 for none or all of them, KeyError for an unlisted set."""
        wanted = tuple(sorted(set(classes)))
        if not wanted or len(wanted) == self.num_classes - 1 > 1:
            return 0
        if len(wanted) == 1:
            return wanted[0]
        if wanted not in self.sets:
            raise KeyError(wanted)
        return self.num_classes + self.sets.index(wanted)

    def united(self, other: LabelSets) -> LabelSets:
        """Return the sets of both."""
        if other.num_classes != self.num_classes:
            raise ValueError(f"{self.num_classes} and {other.num_classes} classes; they must be the same")
        return LabelSets(
            self.num_classes, self.sets + tuple(one for one in other.sets if one not in self.sets)
        )

    def renumbering(self, other: LabelSets) -> npt.NDArray[np.uint8]:
        """Return (count,) the numbers in `other`, which has all these sets, of the numbers here."""
        return np.array([other.number_of(sorted(self.members_of(n))) for n in range(self.count)], np.uint8)
