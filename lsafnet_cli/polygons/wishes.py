"""Selections of transitions such as "water:building"."""

from collections.abc import Iterator

from lsafnet_cli.errors import OptionError
from lsafnet_cli.legend.classes import Legend

ANY = "*"


def wanted_codes(legend: Legend, wishes: tuple[str, ...], option: str = "classes") -> list[int]:
    """Return the transition codes selected by an option.

    Raises OptionError for a selection that is no FROM:TO, and for a class that the legend lacks.
    """
    if not wishes:
        return [transition.code for transition in legend.transitions]
    if not legend.semantic:
        raise OptionError(f"`{option}` {wishes[0]}: this is a binary change map without land-cover classes")
    pairs = {pair for wish in wishes for pair in _pairs(legend, wish, option)}
    return [t.code for t in legend.transitions if (t.from_class, t.to_class) in pairs]


def _pairs(legend: Legend, wish: str, option: str) -> Iterator[tuple[int, int]]:
    """Yield (from, to) class numbers of a selection. Names may contain colons: every split is tried."""
    parts = wish.split(":")
    cuts = [(":".join(parts[:cut]), ":".join(parts[cut:])) for cut in range(1, len(parts))]
    if not any(before.strip() and after.strip() for before, after in cuts):
        raise OptionError(f'`{option}` {wish}: write FROM:TO, such as "water:building" or "*:building"')
    read = [[_class_numbers(legend, name.strip()) for name in cut] for cut in cuts]
    possible = [(before, after) for before, after in read if before and after]
    if len(possible) > 1:
        raise OptionError(
            f"`{option}` {wish}: is ambiguous, with {len(possible)} readings; write * for one side"
        )
    if not possible:
        strange = [name.strip() for name in cuts[0] if not _class_numbers(legend, name.strip())]
        raise OptionError(
            f"`{option}` {wish}: the map has no class {strange[0]}; it has {', '.join(legend.names[1:])}"
        )
    before, after = possible[0]
    yield from ((source, target) for source in before for target in after)


def _class_numbers(legend: Legend, name: str) -> list[int]:
    """Return the numbers of the classes with a name; empty if there are none."""
    numbers = range(1, len(legend.names))
    return [n for n in numbers if name == ANY or legend.names[n].casefold() == name.casefold()]
