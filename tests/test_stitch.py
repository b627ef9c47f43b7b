from unittest import mock

import numpy as np
import torch
from affine import Affine
from hypothesis import given, settings, strategies as st

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend, transition_codes
from lsafnet_cli.options import TileOptions
from lsafnet_cli.prediction import blend
from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.infer import TileScores
from lsafnet_cli.prediction.stitch import stitch_tiles
from lsafnet_cli.prediction.tile import plan_tiles

from .maps import from_to_classes

LEGEND = Legend(("unchanged", "a", "b", "c"), ((255, 255, 255), (1, 0, 0), (2, 0, 0), (3, 0, 0)))

LAYERS = ("from", "to", "before", "after", "probability")


def plainly_stitched(plan, tiles):
    """Add every tile to a whole-scene sum, divide by the summed weights, decide: the definition."""
    total = np.zeros((7, max(plan.height, plan.size), max(plan.width, plan.size)))
    weight = np.zeros(total.shape[1:])
    for scored in tiles:
        rows, cols = (slice(start, start + plan.size) for start in (scored.tile.top, scored.tile.left))
        here = np.outer(plan.row_weights[scored.tile.row], plan.col_weights[scored.tile.col])
        total[:, rows, cols] += scored.scores.numpy() * here
        weight[rows, cols] += here
    return (total / np.maximum(weight, 1e-9))[:, : plan.height, : plan.width]


@given(
    rows=st.integers(1, 150),
    cols=st.integers(1, 150),
    overlap=st.integers(0, 31),
    blending=st.sampled_from(["taper", "crop"]),
    holes=st.floats(0, 1),
    tiles_together=st.integers(1, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_stitching_strip_by_strip_equals_summing_whole_scenes(
    rows, cols, overlap, blending, holes, tiles_together, seed
):
    rng = np.random.default_rng(seed)
    plan = plan_tiles(Grid(None, Affine.identity(), cols, rows), 32, TileOptions(32, overlap, blending))
    valid = np.zeros((max(rows, 32), max(cols, 32)), bool)
    coarse = rng.random((rows // 40 + 1, cols // 40 + 1)) >= holes
    valid[:rows, :cols] = np.kron(coarse, np.ones((40, 40)))[:rows, :cols] > 0
    tiles = []
    for tile in plan:
        here = valid[tile.top : tile.top + 32, tile.left : tile.left + 32]
        scores = torch.from_numpy(rng.random((7, 32, 32), np.float32))
        if here.any():
            tiles.append(TileScores(tile, scores, here))
    expected = plainly_stitched(plan, tiles)
    decision = Decision(LEGEND, 0.5, LAYERS, "keep")
    found = {name: np.full((rows, cols), 255) for name in ("codes", *LAYERS)}
    with mock.patch.object(blend, "HOST_CANVAS_BYTES", tiles_together * 32 * 32 * 7 * 4):
        for patch in stitch_tiles(iter(tiles), plan, decision):
            height, width = patch.shape
            for name, layer in patch.layers.items():
                found[name][patch.top : patch.top + height, patch.left : patch.left + width] = layer
    check(found, expected, valid[:rows, :cols])


def check(found, expected, valid):
    for layer in found.values():
        assert (layer[~valid] == 255).all()
    before, after = expected[1:4].argmax(0) + 1, expected[4:].argmax(0) + 1
    clear = valid & (np.abs(expected[0] - 0.5) > 1e-5)
    for part in (expected[1:4], expected[4:]):
        ranked = np.sort(part, axis=0)
        clear &= ranked[-1] - ranked[-2] > 1e-4
    changed = expected[0] > 0.5
    codes = transition_codes(before, after, changed, 3)
    np.testing.assert_array_equal(found["codes"][clear], codes[clear])
    np.testing.assert_array_equal(found["before"][clear], before[clear])
    np.testing.assert_array_equal(found["after"][clear], after[clear])
    from_class, to_class = from_to_classes(codes, 3)
    np.testing.assert_array_equal(found["from"][clear], from_class[clear])
    np.testing.assert_array_equal(found["to"][clear], to_class[clear])
    assert np.abs(found["probability"][valid] - expected[0][valid] * 100).max(initial=0) <= 0.501
