"""What can be wished of polygons: transitions such as "water:building", minimum areas by class, formats."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lsafnet_cli.errors import OptionError, OutputError
from lsafnet_cli.geometry.crs import name_of, way_to_wgs84
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.options import POLYGON_FORMATS, PolygonOptions
from lsafnet_cli.options.words import backslash_hint

ANY = "*"
GROUPS = "groups"  # whose wishes are separated by commas and follow =


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


def least_areas(legend: Legend, by_class: Mapping[str, float]) -> dict[int, float]:
    """Return the least area (m2) of each transition code that has a class of `by_class`: the smaller one of two.

    Raises OptionError for a class that the legend lacks.
    """
    if by_class and not legend.semantic:
        raise OptionError(
            f"`min_area_by_class` {next(iter(by_class))}: this map tells changed from unchanged only"
        )
    area_of: dict[int, float] = {}
    for name, area in by_class.items():
        if not (numbers := legend.numbers_of(name)):
            raise OptionError(
                f"`min_area_by_class` {name}: the map has no such class; it has {', '.join(legend.names[1:])}"
                f"{backslash_hint(legend.names, ',')}"
            )
        area_of |= dict.fromkeys(numbers, area)
    areas = {
        t.code: [area_of[number] for number in (t.from_class, t.to_class) if number in area_of]
        for t in legend.transitions
    }
    return {code: min(both) for code, both in areas.items() if both}


def check_classes(legend: Legend, options: PolygonOptions) -> None:
    """Raise OptionError for a class that options of polygons name and the legend lacks."""
    wanted_codes(legend, options.classes)
    least_areas(legend, options.min_area_by_class)


def is_geojson(path: Path) -> bool:
    """Return whether a polygon file is GeoJSON, by its name."""
    return POLYGON_FORMATS.get(path.suffix.lower()) == "GeoJSON"


def refuse_without_place(paths: Iterable[Path], grid: Grid) -> None:
    """Raise OutputError for formats in longitude and latitude if a grid cannot be transformed to WGS 84."""
    for path in paths:
        if is_geojson(path) and grid.crs is not None and way_to_wgs84(grid.crs) is None:
            raise OutputError(
                f"{path}: GeoJSON needs WGS 84, to which {name_of(grid.crs)} cannot be transformed; "
                "choose another format, such as .gpkg"
            )


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
            f"{backslash_hint(legend.names, '=,') if option == GROUPS else ''}"
        )
    before, after = possible[0]
    yield from ((source, target) for source in before for target in after)


def _class_numbers(legend: Legend, name: str) -> list[int]:
    """Return the numbers of the classes with a name; empty if there are none."""
    return list(range(1, len(legend.names))) if name == ANY else legend.numbers_of(name)
