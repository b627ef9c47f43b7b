"""Regroup a legend: merge classes, count transitions as unchanged."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.errors import OptionError
from lsafnet_cli.legend.classes import Legend, transition_codes
from lsafnet_cli.options.words import backslash_hint, split_words, without_backslashes


@dataclass(frozen=True, slots=True)
class Regrouping:
    """A new legend, and the new code of each old one: (old nodata + 1,) numbers, nodata among them."""

    legend: Legend
    new_code: NDArray[np.uint16]


def regroup(legend: Legend, merges: Iterable[str], ignored: Iterable[int]) -> Regrouping:
    """Merge classes given as "a+b=c", and count the transition codes `ignored` as unchanged.

    A change between merged classes becomes unchanged. Names may have _ for blanks. Raises OptionError.
    """
    names, number_of = list(legend.names), np.arange(len(legend.names))
    colors = list(legend.colors)
    for merge in merges:
        if not legend.semantic:
            raise OptionError(f"`merged` {merge}: this is a binary change map without land-cover classes")
        parts, name = _parts(merge, legend)
        first = int(number_of[min(parts)])
        for part in parts:
            number_of[number_of == number_of[part]] = first
        names[first] = name
    kept = sorted({int(number) for number in number_of})
    if len(kept) == 2 and legend.semantic:
        raise OptionError("`merged`: only one class would be left, so nothing can change")
    place = {number: index for index, number in enumerate(kept)}
    new = np.array([place[int(number)] for number in number_of])
    try:
        merged = Legend(tuple(names[n] for n in kept), tuple(colors[n] for n in kept), legend.semantic)
    except ValueError as error:
        raise OptionError(f"`merged`: {error}") from error
    return Regrouping(merged, _new_codes(legend, merged, new, set(ignored)))


def _new_codes(
    old: Legend, merged: Legend, number_of: NDArray[np.int64], ignored: set[int]
) -> NDArray[np.uint16]:
    codes = np.zeros(old.nodata + 1, np.uint16)
    codes[old.nodata] = merged.nodata
    for one in old.transitions:
        before, after = int(number_of[one.from_class]), int(number_of[one.to_class])
        became_one = one.from_class != one.to_class and before == after
        if one.code not in ignored and not became_one:
            codes[one.code] = transition_codes(before, after, 1, merged.class_count)
    return codes


def _parts(merge: str, legend: Legend) -> tuple[list[int], str]:
    """Return the classes that "a+b=c" merges, and their new name."""
    left, *right = split_words(merge, "=")
    parts, name = [without_backslashes(part) for part in split_words(left, "+")], "=".join(right)
    if not name or len(parts) < 2:
        raise OptionError(
            f"`merged` {merge}: write FIRST+SECOND=NAME, for example low_vegetation+tree=vegetation; "
            "+ and = in a name are written \\+ and \\="
        )
    return [_number(part, merge, legend) for part in parts], without_backslashes(name)


def _number(name: str, merge: str, legend: Legend) -> int:
    if numbers := legend.numbers_of(name):
        return numbers[0]
    raise OptionError(
        f"`merged` {merge}: the map has no class {name}; it has {', '.join(legend.names[1:])}"
        f"{backslash_hint(legend.names, '+=')}"
    )
