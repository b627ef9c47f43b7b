"""Strata of a sample: groups of a map's codes, with the pixels and the ground of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.legend.classes import UNCHANGED, Legend
from lsafnet_cli.maps.count import CodeCounts
from lsafnet_cli.options.words import split_words, without_backslashes
from lsafnet_cli.polygons.wishes import GROUPS, wanted_codes

STRATA = ("transition", "from", "to", "change")
RARE = "other changes"


@dataclass(frozen=True, slots=True)
class Stratum:
    """Some codes of a map: how many pixels have one of them, and their ground, m2 (NaN without a CRS)."""

    name: str
    codes: tuple[int, ...]
    pixels: int
    ground_m2: float

    @property
    def weight(self) -> float:
        """What it counts in estimates: its ground, or its pixels where that is not known."""
        return float(self.pixels) if np.isnan(self.ground_m2) else self.ground_m2


@dataclass(frozen=True, slots=True)
class StrataOptions:
    """How codes become strata: each transition one (or all of one class before, or after, or all changes).

    groups: strata by name, each of wishes "from:to", which go before the rest. rare_percent: changes whose
    strata cover less of the valid area than this become one stratum.
    """

    by: str = "transition"
    groups: Mapping[str, tuple[str, ...]] | None = None
    rare_percent: float = 0.0

    def __post_init__(self) -> None:
        if self.by not in STRATA:
            raise OptionError(f"`by` {self.by}: choose from {', '.join(STRATA)}")
        if not 0 <= self.rare_percent < 100:
            raise OptionError(f"`rare_percent` {self.rare_percent}: give a percentage from 0 to below 100")


def parse_groups(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read "urban growth=ground:building,vegetation:building". Raises OptionError for anything else."""
    groups: dict[str, tuple[str, ...]] = {}
    for text in texts:
        *names, wishes = split_words(text, "=")
        name = without_backslashes("=".join(names))
        parts = tuple(without_backslashes(part) for part in split_words(wishes, ",") if part)
        if not (name and parts) or name in groups:
            raise OptionError(
                f'`groups` {text}: write NAME=FROM:TO,..., each name once, as "gain=*:building"; '
                "= and , in the name of a class are written \\= and \\,"
            )
        groups[name] = parts
    return groups


def make_strata(counts: CodeCounts, options: StrataOptions) -> tuple[Stratum, ...]:
    """Return the strata that hold pixels: unchanged first, then changes, the largest first.

    Raises InputError for a map without a valid pixel, OptionError for groups that name no transition of it.
    """
    legend, members = counts.legend, dict[str, list[int]]()
    grouped: dict[int, str] = {}
    for name, wishes in (options.groups or {}).items():
        for code in wanted_codes(legend, wishes, GROUPS):
            if grouped.setdefault(code, name) != name:
                label = legend.labels[code]
                raise OptionError(f"`groups` {name}: '{label}' is in the group {grouped[code]} already")
    for code in np.flatnonzero(counts.pixels[:-1]).tolist():
        members.setdefault(grouped.get(code) or _usual_name(code, legend, options.by), []).append(code)
    if not members:
        raise InputError(f"{counts.source}: has no valid pixel, so there is nothing to sample")
    strata = [_stratum(name, codes, counts) for name, codes in members.items()]
    return _ordered(_with_rare_merged(strata, counts, options.rare_percent))


def _usual_name(code: int, legend: Legend, by: str) -> str:
    if code == UNCHANGED or not legend.semantic:
        return legend.labels[code]
    if by == "change":
        return "changed"
    transition = legend.transitions[code - 1]
    if by == "transition":
        return transition.name
    return f"{by} {legend.names[transition.from_class if by == 'from' else transition.to_class]}"


def _stratum(name: str, codes: Sequence[int], counts: CodeCounts) -> Stratum:
    picked = list(codes)
    return Stratum(name, tuple(picked), int(counts.pixels[picked].sum()), float(counts.ground[picked].sum()))


def _with_rare_merged(strata: list[Stratum], counts: CodeCounts, percent: float) -> list[Stratum]:
    least = percent / 100 * sum(stratum.weight for stratum in strata)
    rare = [one for one in strata if UNCHANGED not in one.codes and one.weight < least]
    if len(rare) < 2:
        return strata
    merged = _stratum(RARE, sorted(code for one in rare for code in one.codes), counts)
    return [*(one for one in strata if one not in rare), merged]


def _ordered(strata: list[Stratum]) -> tuple[Stratum, ...]:
    return tuple(sorted(strata, key=lambda one: (UNCHANGED not in one.codes, -one.weight, one.codes)))


def stratum_of_codes(strata: Sequence[Stratum], legend: Legend) -> NDArray[np.int64]:
    """Return (nodata + 1,) numbers: a code's stratum, -1 where it has none."""
    table = np.full(legend.nodata + 1, -1, np.int64)
    for number, stratum in enumerate(strata):
        table[list(stratum.codes)] = number
    return table
