"""Scenes cut into swaths, and parts: the map is as if never cut."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from lsafnet_cli.checkpoints.choose import load_named_checkpoint
from lsafnet_cli.files.fingerprints import write_fingerprint
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions, PredictOptions, ReadOptions, TileOptions
from lsafnet_cli.prediction.compute import compute_parts
from lsafnet_cli.prediction.memory import MemoryPlan, plan_memory
from lsafnet_cli.prediction.plan import prepare_run
from lsafnet_cli.prediction.resuming import cut_as_before
from lsafnet_cli.prediction.stitch import Decision
from lsafnet_cli.prediction.tile import plan_tiles
from lsafnet_cli.prediction.write import MapWriter, PartStore
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, UTM, noise, reading_checkpoint, write_raster


def layers_of(run, folder, widest_px):
    """Compute a run in swaths of at most `widest_px` and return its layers."""
    run = replace(run, memory=MemoryPlan(1, widest_px, 1 << 25))
    store = PartStore(folder / f"{widest_px}.tif")
    store.create()
    compute_parts(run, store, Observer())
    writer = MapWriter(store, run.layout, run.provenance)
    found = {}
    for layer in (CODES, *run.decision.layers):
        with rasterio.open(writer.mosaic(layer)) as dataset:
            found[layer] = dataset.read(1).astype(int)
    return found, len(run.swaths)


@pytest.mark.parametrize("blend", ["taper", "crop"])
def test_a_scene_cut_into_swaths_gives_the_same_map(tmp_path, tiny_checkpoint, blend):
    mask = np.full((130, 700), 255, "uint8")
    mask[20:90, 200:330] = 0
    images = [write_raster(tmp_path / f"{n}.tif", noise(n, 130, 700), mask=mask) for n in range(2)]
    options = PredictOptions(
        tile=TileOptions(blend=blend, row_band_px=50), output=OutputOptions(also=("probability", "before"))
    )
    checkpoint = load_named_checkpoint(tiny_checkpoint)
    run = prepare_run(read_pair(*images, ReadOptions(), 3), checkpoint, options, Observer())
    whole, one = layers_of(run, tmp_path, 10_000)
    for widest in (64, 200, 333):
        cut, count = layers_of(run, tmp_path, widest)
        assert count > one == 1
        assert (cut[CODES] == whole[CODES]).mean() >= 0.9999
        assert np.abs(cut["probability"] - whole["probability"]).max() <= 1
        assert (cut["before"] == whole["before"]).mean() >= 0.9999


def test_parts_of_narrower_swaths_are_used_where_more_memory_is_free_by_now(tmp_path, tiny_checkpoint):
    images = [write_raster(tmp_path / f"{n}.tif", noise(n, 70, 700)) for n in range(2)]
    checkpoint = load_named_checkpoint(tiny_checkpoint)
    run = prepare_run(read_pair(*images, ReadOptions(), 3), checkpoint, PredictOptions(), Observer())
    narrow, wide = (replace(run, memory=MemoryPlan(1, widest, 1 << 25)) for widest in (200, 400))
    store = PartStore(tmp_path / "c.tif")
    store.create()
    for known, now, expected in ((narrow, run, narrow), (narrow, wide, narrow), (wide, narrow, narrow)):
        write_fingerprint(store.folder, known.fingerprint())
        assert cut_as_before(now, store.output).layout == expected.layout


def planned(tmp_path, width, budget, device_bytes=None, **profile):
    """Return the memory plan of a pair as wide as `width`; its pixels are never read."""
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True} | profile
    images = []
    for name in ("before", "after"):
        path = tmp_path / f"{name}-{width}.tif"
        with rasterio.open(path, "w", driver="GTiff", width=width, height=2000, count=3, dtype="uint8",
                           crs=UTM, transform=PLACE, **layout):  # fmt: skip
            pass
        images.append(path)
    pair = align_pair(read_pair(*images, ReadOptions()))
    decision = Decision(reading_checkpoint(7).legend, 0.5, ("probability",))
    plan = plan_tiles(pair.grid, 512, TileOptions())
    return plan_memory(pair, plan, decision, budget, device_bytes)


def test_narrow_scenes_read_further_ahead_and_wide_ones_are_cut(tmp_path):
    narrow, wide = (planned(tmp_path, width, 2 << 30) for width in (5000, 500_000))
    assert narrow.rows_ahead > wide.rows_ahead == 1
    assert narrow.widest_px >= 5000
    assert 13_000 <= wide.widest_px < 100_000


def test_a_smaller_budget_gives_narrower_swaths(tmp_path):
    widths = [planned(tmp_path, 500_000, budget).widest_px for budget in (1 << 28, 1 << 30, 1 << 32)]
    assert widths == sorted(widths)
    assert widths[0] < widths[2]


def test_a_small_device_gives_narrower_swaths(tmp_path):
    assert planned(tmp_path, 500_000, 2 << 30, device_bytes=1 << 28).widest_px < 11_000


def test_files_of_full_width_strips_are_not_cut(tmp_path):
    plan = planned(tmp_path, 500_000, 1 << 28, tiled=False, blockxsize=500_000, blockysize=1)
    assert plan.widest_px == 500_000
