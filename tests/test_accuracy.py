"""Estimates from samples: those of two papers, and intervals that hold what they should."""

import numpy as np
import pytest

from lsafnet_cli.accuracy.allocation import SampleSize, allocate, total_for
from lsafnet_cli.accuracy.drawing import draw_points
from lsafnet_cli.accuracy.estimators import Z95, StratifiedSample, estimate
from lsafnet_cli.accuracy.strata import StrataOptions, Stratum, make_strata
from lsafnet_cli.errors import OptionError
from lsafnet_cli.maps.table import count_changes
from lsafnet_cli.observer import Observer

from .change_maps import LAND, write_map

# Olofsson et al. 2014, Table 8: deforestation, forest gain, stable forest, stable non-forest; rows are the map
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])  # of 30 m
PIXEL_HA = 0.09


def points_of(counts):
    """Return the (mapped, reference) classes of the points behind an error matrix."""
    mapped, reference = np.indices(counts.shape).reshape(2, -1)
    return mapped.repeat(counts.ravel()), reference.repeat(counts.ravel())


@pytest.fixture
def paper():
    mapped, reference = points_of(COUNTS)
    return estimate(StratifiedSample(mapped, mapped, reference, PIXELS * PIXEL_HA, PIXELS, 4))


def test_areas_of_the_paper_are_found_with_their_intervals(paper):
    hectares = PIXELS.sum() * PIXEL_HA
    np.testing.assert_allclose(paper.area.value * hectares, [21_158, 11_686, 285_770, 581_386], atol=0.5)
    np.testing.assert_allclose(Z95 * paper.area.error * hectares, [6_158, 3_756, 15_510, 16_282], atol=1)


def test_accuracies_of_the_paper_are_found_with_their_intervals(paper):
    for found, value, half in (
        (paper.overall, 0.95, 0.02),
        (paper.users, [0.88, 0.73, 0.93, 0.96], [0.07, 0.10, 0.04, 0.02]),
        (paper.producers, [0.75, 0.85, 0.93, 0.96], [0.21, 0.25, 0.03, 0.02]),
    ):
        np.testing.assert_allclose(found.value, value, atol=0.005)
        np.testing.assert_allclose(Z95 * found.error, half, atol=0.005)


def test_the_error_matrix_of_the_paper_is_in_shares_of_the_ground(paper):
    weights = PIXELS / PIXELS.sum()
    np.testing.assert_allclose(paper.matrix.sum(axis=1), weights)
    np.testing.assert_allclose(paper.matrix[0, 0], weights[0] * 66 / 75)


def test_strata_that_are_not_the_maps_classes_give_the_numbers_of_stehmans_example():
    a, b, c, d = range(4)
    stratum = np.repeat([a, b, c, d], 10)
    mapped = np.array([a] * 7 + [b] * 3 + [a] + [b] * 11 + [c] * 6 + [b, b] + [d] * 10)
    reference = np.array(
        [a] * 5
        + [c, b, a, b, c]
        + [a]
        + [b] * 5
        + [a, a, b, b]
        + [c] * 5
        + [d, d, b, b, a]
        + [d] * 7
        + [c, c, b]
    )
    pixels = np.array([40_000, 30_000, 20_000, 10_000])
    found = estimate(StratifiedSample(stratum, mapped, reference, pixels.astype(float), pixels, 4))
    told = [
        (found.area.value[a], 0.35), (found.area.error[a], 0.082), (found.area.value[c], 0.20),
        (found.area.error[c], 0.064), (found.overall.value, 0.63), (found.overall.error, 0.085),
        (found.users.value[b], 0.574), (found.users.error[b], 0.125), (found.producers.value[b], 0.794),
        (found.producers.error[b], 0.117), (found.matrix[b, c], 0.08),
    ]  # fmt: skip
    for value, published in told:
        assert value == pytest.approx(published, abs=0.0005)


def test_a_sample_of_every_pixel_has_no_error():
    mapped, reference = points_of(COUNTS)
    pixels = COUNTS.sum(axis=1)
    found = estimate(StratifiedSample(mapped, mapped, reference, pixels.astype(float), pixels, 4))
    assert found.overall.value == pytest.approx(np.trace(COUNTS) / COUNTS.sum())
    assert found.overall.error == 0
    assert (found.area.error == 0).all()


def test_one_point_alone_leaves_errors_unknown_but_values_known():
    mapped, reference = np.array([0, 0, 1]), np.array([0, 1, 1])
    found = estimate(
        StratifiedSample(mapped, mapped, reference, np.array([10.0, 10.0]), np.array([10, 10]), 2)
    )
    assert found.overall.value == 0.75
    assert np.isnan(found.overall.error)


def test_intervals_hold_the_truth_in_95_of_100_samples(tmp_path):
    rng = np.random.default_rng(3)
    mapped = rng.choice([0, 2, 4], (60, 100), p=[0.5, 0.3, 0.2])
    truth = np.where(rng.random(mapped.shape) < 0.3, rng.choice([0, 2, 4], mapped.shape), mapped)
    path, quiet = str(write_map(tmp_path / "map.tif", mapped, crs=None)), Observer()
    strata = make_strata(count_changes(path, LAND, quiet), StrataOptions())
    pixels, weight = np.array([s.pixels for s in strata]), np.array([s.weight for s in strata])
    place = {0: 0, 2: 1, 4: 2}
    number = np.vectorize(place.get)
    classes, wanted = number(np.stack([mapped, truth])), np.full(3, 300)
    cells = np.zeros((3, 3))
    np.add.at(cells, tuple(classes.reshape(2, -1)), 1)
    known = np.concatenate(
        [[np.trace(cells) / cells.sum()], cells.sum(axis=0) / cells.sum(), np.diag(cells) / cells.sum(axis=1),
         np.diag(cells) / cells.sum(axis=0)]
    )  # fmt: skip
    held = np.zeros(len(known))
    for seed in range(1000):
        draw = draw_points(path, LAND, strata, wanted, seed, quiet)
        seen = classes[:, draw.row, draw.col]
        found = estimate(StratifiedSample(draw.stratum, seen[0], seen[1], weight, pixels, 3))
        parts = (found.overall, found.area, found.users, found.producers)
        low, high = (
            np.concatenate([np.atleast_1d(getattr(p, end)) for p in parts]) for end in ("low", "high")
        )
        held += (low <= known) & (known <= high)
    assert (held >= 930).all(), held
    assert (held <= 970).all(), held


STRATA = tuple(
    Stratum(name, (code,), pixels, float(pixels))
    for code, (name, pixels) in enumerate(
        {"stable": 645_000, "forest": 320_000, "loss": 20_000, "gain": 15_000}.items()
    )
)


def test_the_sample_size_of_the_paper_is_found():
    weight, accuracy = np.array([0.02, 0.015, 0.32, 0.645]), np.array([0.7, 0.6, 0.9, 0.95])
    assert total_for(weight, accuracy, 0.01) == 641


@pytest.mark.parametrize(
    ("size", "points"),
    [
        (SampleSize(), [50, 50, 50, 50]),
        (SampleSize(per_stratum=7), [7, 7, 7, 7]),
        (SampleSize(total=640), [160, 160, 160, 160]),
        (SampleSize(total=1000, allocation="proportional"), [645, 320, 20, 15]),
        (SampleSize(total=641, allocation="proportional", per_stratum=75), [328, 163, 75, 75]),
    ],
)
def test_points_are_shared_out_as_asked(size, points):
    assert allocate(STRATA, size).tolist() == points


def test_neymans_allocation_makes_the_error_of_the_overall_accuracy_least():
    expected = {"stable": 0.95, "forest": 0.9, "loss": 0.7, "gain": 0.6}
    weight, accuracy = np.array([s.weight for s in STRATA]) / 1e6, np.array(list(expected.values()))

    def variance(allocation):
        points = allocate(STRATA, SampleSize(1000, allocation=allocation, expected=expected))
        assert points.sum() == 1000
        return (weight**2 * accuracy * (1 - accuracy) / points).sum()

    least = variance("neyman")
    assert all(least < variance(other) for other in ("equal", "proportional", "optimal"))


def test_no_stratum_gets_more_points_than_pixels_and_others_get_what_is_left():
    strata = (*STRATA[:1], Stratum("tiny", (9,), 5, 5.0))
    assert allocate(strata, SampleSize(total=100)).tolist() == [95, 5]


def test_a_total_that_is_too_small_is_refused():
    with pytest.raises(OptionError, match="4 strata need at least 8 points"):
        allocate(STRATA, SampleSize(total=7))
    with pytest.raises(OptionError, match="is no stratum; there are stable, forest"):
        allocate(STRATA, SampleSize(total=70, expected={"lake": 0.5}))
