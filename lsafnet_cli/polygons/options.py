"""What a user can wish of polygons, and which transitions a wish such as "water:building" means."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from lsafnet_cli.classes import Legend
from lsafnet_cli.errors import OptionError

ANY = "*"


@dataclass(frozen=True, slots=True)
class PolygonOptions:
    """How a map becomes polygons. Lengths and areas are on the ground; pixels where the map has no CRS.

    `classes` are wishes "from:to"; none means every transition. Dates of None are those of the files.
    """

    min_area_m2: float = 0.0
    simplify_m: float = 0.0
    smooth: bool = False
    dissolve: bool = False
    classes: tuple[str, ...] = ()
    before_date: date | None = None
    after_date: date | None = None

    def __post_init__(self) -> None:
        for option, value in (("--min-area", self.min_area_m2), ("--simplify", self.simplify_m)):
            if not (math.isfinite(value) and value >= 0):
                raise OptionError(f"{option} {value}: write 0 or more")
        for wish in self.classes:
            if len(wish.split(":")) != 2 or not all(wish.split(":")):
                raise OptionError(
                    f'--classes {wish}: write FROM:TO, such as "water:building" or "*:building"'
                )
        if self.before_date and self.after_date and self.before_date > self.after_date:
            raise OptionError(
                f"--before-date {self.before_date} is later than --after-date {self.after_date}"
            )

    @property
    def shaped(self) -> str:
        """The first option that makes polygons other than the plain ones; "" where none does."""
        wishes = {
            "--min-area": self.min_area_m2, "--simplify": self.simplify_m, "--smooth": self.smooth,
            "--dissolve": self.dissolve, "--classes": self.classes,
        }  # fmt: skip
        return next((option for option, value in wishes.items() if value), "")

    @property
    def generalised(self) -> bool:
        """Whether borders are drawn anew."""
        return self.smooth or self.simplify_m > 0


def parse_date(option: str, text: str | None) -> date | None:
    """Read "2024-05-31". Raises OptionError for anything else."""
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise OptionError(f"{option} {text}: write a date as 2024-05-31") from None


def wanted_codes(legend: Legend, wishes: tuple[str, ...]) -> list[int]:
    """Return the transition codes that a user wishes. Raises OptionError for a class that the legend lacks."""
    if not wishes:
        return [transition.code for transition in legend.transitions]
    if not legend.semantic:
        raise OptionError(f"--classes {wishes[0]}: this map tells changed from unchanged only")
    pairs = {pair for wish in wishes for pair in _pairs(legend, wish)}
    return [t.code for t in legend.transitions if (t.from_class, t.to_class) in pairs]


def _pairs(legend: Legend, wish: str) -> Iterator[tuple[int, int]]:
    before, after = (_class_numbers(legend, wish, name.strip()) for name in wish.split(":"))
    yield from ((source, target) for source in before for target in after)


def _class_numbers(legend: Legend, wish: str, name: str) -> list[int]:
    numbers = range(1, len(legend.names))
    if name == ANY:
        return list(numbers)
    found = [number for number in numbers if legend.names[number].casefold() == name.casefold()]
    if not found:
        raise OptionError(
            f"--classes {wish}: the map has no class {name}; it has {', '.join(legend.names[1:])}"
        )
    return found
