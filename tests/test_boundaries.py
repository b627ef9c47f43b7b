"""The borders of the changed area: pixels and scores that a hand counts."""

import numpy as np
import pytest
import torch

from lsafnet import ChangeMetrics
from lsafnet.scores.boundaries import halo_px


def square(left, top=2, side=4, shape=(10, 14)):
    """Return (rows, cols) with one changed square, whose border is 4 * side - 4 pixels."""
    changed = np.zeros(shape, bool)
    changed[top : top + side, left : left + side] = True
    return changed


def boundary_scores(predicted, labelled, valid=None, tolerance_px=2):
    metrics = ChangeMetrics(2)
    metrics.update_boundaries(predicted, labelled, valid, tolerance_px)
    found = metrics.compute()
    return tuple(found[f"boundary_{name}"] for name in ("precision", "recall", "f1"))


@pytest.mark.parametrize(
    ("left", "tolerance_px", "share"),
    [
        (2, 0, 1),  # the same square
        (3, 0, 6 / 12),  # one col beside it: of both lower and upper side three pixels meet
        (3, 1, 1),
        (6, 2, 6 / 12),  # end to end: the facing side and the two pixels behind it are near enough
        (6, 0, 0),
    ],
)
def test_borders_are_met_within_the_tolerance(left, tolerance_px, share):
    found = boundary_scores(square(2), square(left), tolerance_px=tolerance_px)
    assert found == pytest.approx((share, share, share))


def test_precision_is_of_the_map_and_recall_of_the_labels():
    both = square(2) | square(9)
    assert boundary_scores(square(2), both) == pytest.approx((1, 1 / 2, 2 / 3))
    assert boundary_scores(both, square(2)) == pytest.approx((1 / 2, 1, 2 / 3))


def test_neither_the_edge_of_a_map_nor_pixels_without_data_make_a_border():
    everything = np.ones((6, 6), bool)
    assert boundary_scores(everything, everything) == (0, 0, 0)
    half = np.zeros((6, 6), bool)
    half[:, :3] = True
    valid = np.ones((6, 6), bool)
    valid[:, 3] = False
    assert boundary_scores(half, half, valid) == (0, 0, 0)
    assert boundary_scores(half, half) == (1, 1, 1)


def test_border_scores_are_there_only_where_borders_were_counted():
    assert "boundary_f1" not in ChangeMetrics(2).compute()


@pytest.mark.parametrize("tolerance_px", [0, 1, 3])
def test_parts_with_what_lies_around_them_count_as_the_whole(tolerance_px):
    rng = np.random.default_rng(3)
    maps = [np.kron(rng.integers(0, 2, (8, 9)), np.ones((4, 4), int)).astype(bool) for _ in range(2)]
    valid = rng.random(maps[0].shape) > 0.1
    whole, parts = ChangeMetrics(2), ChangeMetrics(2)
    whole.update_boundaries(*maps, valid, tolerance_px)
    halo = halo_px(tolerance_px)
    for top, end in ((0, 5), (5, 6), (6, 32)):
        first = max(0, top - halo)
        rows = slice(first, end + halo)
        inner = slice(top - first, end - first), slice(None)
        given = (torch.from_numpy(x[rows].copy()) for x in (*maps, valid))
        parts.update_boundaries(*given, tolerance_px, inner)
    assert parts.compute() == whole.compute()


def test_maps_in_a_batch_do_not_touch_each_other():
    batch = np.stack([square(2), square(3)]), np.stack([square(3), square(2)])
    assert boundary_scores(*batch, tolerance_px=0) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
