"""What the maps of consecutive intervals say of a pixel together, pixel by pixel."""

import itertools

import numpy as np
import pytest

from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.series.chain import INCOMPLETE, NODATA, UNKNOWN, IntervalRows, follow_chain

from .change_maps import GROUND_TO_WATER, LAND, WATER_TO_BUILDING, WATER_TO_GROUND
from .maps import large_legend

WATER, GROUND, BUILDING = 1, 2, 3


def chain_of(*intervals, legend=LAND):
    """Return what is said of one row of pixels; an interval is its codes, or codes with both land covers."""
    rows = []
    for one in intervals:
        arrays = one if isinstance(one, tuple) else (one,)
        kinds = (legend.dtype, np.uint8, np.uint8)
        rows.append(
            IntervalRows(*(np.array([part], kind) for part, kind in zip(arrays, kinds, strict=False)))
        )
    return follow_chain(rows, legend)


def test_the_last_change_counts_and_all_changes_are_counted():
    chain = chain_of([2, 2, 0, 0], [0, 4, 4, 0], [0, 2, 0, 0])
    assert chain.when.tolist() == [[1, 3, 2, 0]]
    assert chain.times.tolist() == [[1, 3, 1, 0]]
    assert chain.observed.tolist() == [[3, 3, 3, 3]]


def test_no_data_is_never_no_change():
    chain = chain_of([255, 255, 0, 2], [255, 0, 255, 255])
    assert chain.when.tolist() == [[NODATA, INCOMPLETE, INCOMPLETE, 1]]
    assert chain.times.tolist() == [[NODATA, INCOMPLETE, INCOMPLETE, 1]]
    assert chain.observed.tolist() == [[0, 1, 1, 1]]
    assert chain.first.tolist() == [[NODATA, UNKNOWN, UNKNOWN, WATER]]


def test_first_and_last_class_are_those_of_the_first_and_last_change_where_no_land_cover_is_kept():
    chain = chain_of([WATER_TO_GROUND, 0, 0], [GROUND_TO_WATER, WATER_TO_BUILDING, 0])
    assert chain.first.tolist() == [[WATER, WATER, UNKNOWN]]
    assert chain.last.tolist() == [[WATER, BUILDING, UNKNOWN]]


def test_land_cover_tells_the_classes_of_pixels_that_never_changed():
    kept = ([0, 0], [BUILDING, NODATA], [GROUND, NODATA])
    chain = chain_of(kept, kept)
    assert chain.first.tolist() == [[BUILDING, UNKNOWN]]
    assert chain.last.tolist() == [[GROUND, UNKNOWN]]


def test_where_a_pixel_changed_its_transition_counts_and_not_the_land_cover():
    chain = chain_of(([WATER_TO_GROUND], [BUILDING], [BUILDING]))
    assert (chain.first.item(), chain.last.item()) == (WATER, GROUND)


def test_intervals_disagree_where_after_and_before_differ_at_their_date():
    chain = chain_of(
        ([WATER_TO_GROUND, WATER_TO_GROUND, 0, 0], [1, 1, 1, 255], [2, 2, 1, 255]),
        ([GROUND_TO_WATER, WATER_TO_BUILDING, 0, 0], [2, 1, 3, 1], [1, 3, 3, 1]),
        ([0, 0, 0, 0], [3, 3, 3, 1], [3, 3, 3, 1]),
    )
    assert chain.compared == (3, 4)
    assert chain.disagreeing == (2, 1)
    assert chain.apart.tolist() == [[1, 1, 1, 0]]


def test_nothing_is_compared_where_a_class_is_known_from_one_side_only():
    chain = chain_of([WATER_TO_GROUND, 255], [0, WATER_TO_BUILDING])
    assert chain.compared == (0,)
    assert chain.apart.tolist() == [[NODATA, NODATA]]


def test_a_gap_between_two_intervals_is_not_bridged():
    chain = chain_of([WATER_TO_GROUND], [255], [WATER_TO_BUILDING])
    assert chain.compared == (0, 0)
    assert chain.when.item() == 3


def test_maps_of_many_classes_are_followed_too():
    legend = large_legend(20)
    first, second = 1 + (3 - 1) * 20 + (17 - 1), 1 + (17 - 1) * 20 + (20 - 1)
    chain = chain_of([first, 65535], [second, second], legend=legend)
    assert chain.first.tolist() == [[3, 17]]
    assert chain.last.tolist() == [[20, 20]]
    assert chain.compared == (1,)
    assert chain.disagreeing == (0,)


def test_a_network_without_classes_knows_when_and_how_often():
    binary = Legend(("unchanged", "changed"), ((255, 255, 255), (255, 0, 0)), semantic=False)
    chain = chain_of([1, 0, 255], [0, 1, 1], legend=binary)
    assert chain.when.tolist() == [[1, 2, 2]]
    assert chain.first.tolist() == [[UNKNOWN] * 3]
    assert chain.compared == (0,)


def test_a_chain_agrees_with_a_walk_from_pixel_to_pixel():
    rng = np.random.default_rng(0)
    codes = rng.choice([0, 0, 0, 2, 3, 4, 255], (4, 9, 11)).astype(np.uint8)
    covers = rng.choice([1, 2, 3, 255], (4, 2, 9, 11)).astype(np.uint8)
    chain = follow_chain([IntervalRows(c, *cover) for c, cover in zip(codes, covers, strict=True)], LAND)
    for place in np.ndindex(9, 11):
        found = walk([int(c[place]) for c in codes], [tuple(map(int, cover[:, *place])) for cover in covers])
        assert {name: int(getattr(chain, name)[place]) for name in found} == found


def walk(codes, covers):
    """Follow one pixel through its intervals in plain Python."""
    ends = [ends_of(code, *cover) for code, cover in zip(codes, covers, strict=True)]
    changes = [number for number, code in enumerate(codes, 1) if code not in (0, 255)]
    observed = sum(code != 255 for code in codes)
    met = [(one[1], other[0]) for one, other in itertools.pairwise(ends) if one[1] and other[0]]
    known = [cls for pair in ends for cls in pair if cls]
    if not observed:
        return {"when": 255, "times": 255, "observed": 0, "first": 255, "last": 255, "apart": 255}
    none = 0 if observed == len(codes) else INCOMPLETE
    return {
        "when": changes[-1] if changes else none,
        "times": len(changes) or none,
        "observed": observed,
        "first": known[0] if known else 0,
        "last": known[-1] if known else 0,
        "apart": sum(one != other for one, other in met) if met else 255,
    }


def ends_of(code, before, after):
    """Return the classes at both ends of an interval, 0 where not known."""
    if code == 255:
        return 0, 0
    if code:
        return (code - 1) // 3 + 1, (code - 1) % 3 + 1
    return before % 255, after % 255


def test_a_chain_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        follow_chain([], LAND)
