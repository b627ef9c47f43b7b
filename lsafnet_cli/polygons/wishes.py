"""Which transitions a selection such as "water:building" means."""

from collections.abc import Iterator

from lsafnet_cli.errors import OptionError
from lsafnet_cli.legend.classes import Legend

ANY = "*"


def wanted_codes(legend: Legend, wishes: tuple[str, ...], option: str = "--classes") -> list[int]:
    """Return the transition codes that a user wishes by an option.

    Raises OptionError for what is no FROM:TO, and for a class that the legend lacks.
    """
    if not wishes:
        return [transition.code for transition in legend.transitions]
    if not legend.semantic:
        raise OptionError(f"{option} {wishes[0]}: this map tells changed from unchanged only")
    pairs = {pair for wish in wishes for pair in _pairs(legend, wish, option)}
    return [t.code for t in legend.transitions if (t.from_class, t.to_class) in pairs]


def _pairs(legend: Legend, wish: str, option: str) -> Iterator[tuple[int, int]]:
    names = [name.strip() for name in wish.split(":")]
    if len(names) != 2:
        raise OptionError(f'{option} {wish}: write FROM:TO, such as "water:building" or "*:building"')
    before, after = (_class_numbers(legend, f"{option} {wish}", name) for name in names)
    yield from ((source, target) for source in before for target in after)


def _class_numbers(legend: Legend, asked: str, name: str) -> list[int]:
    numbers = range(1, len(legend.names))
    if name == ANY:
        return list(numbers)
    found = [number for number in numbers if legend.names[number].casefold() == name.casefold()]
    if not found:
        raise OptionError(f"{asked}: the map has no class {name}; it has {', '.join(legend.names[1:])}")
    return found
