"""Estimated time of a batch: the network is timed on a tile, with a surcharge for everything else."""

from dataclasses import dataclass, replace

import torch
from affine import Affine

from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.plan import BatchPlan
from lsafnet_cli.batch.worker_devices import threads_each, worker_devices
from lsafnet_cli.checkpoints.choose import load_ensemble
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.prediction.infer import FLIPS, prepared_network
from lsafnet_cli.prediction.speed import tile_seconds
from lsafnet_cli.prediction.tile import plan_tiles
from lsafnet_cli.system.devices import choose_device

SCENE_SECONDS = 0.15  # to open a scene and name its files; see benchmarks/README.md, section batch


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tiles of the scenes to do, seconds for each on one worker, and seconds for all of it on `workers`."""

    tiles: int
    tile_seconds: float
    workers: int
    seconds: float


def estimate_batch(plan: BatchPlan, options: BatchOptions) -> Estimate:
    """Return how long the scenes to do would take on this machine's devices, all alike the first."""
    devices = worker_devices(options.devices)
    checkpoint = load_ensemble(options.predict.checkpoint, options.predict.ensemble)
    device = choose_device(replace(options.predict.device, device=devices[0]))
    size = options.predict.tile.size_px or checkpoint.tile_px
    grids = [
        Grid(None, Affine.identity(), one.size.width, one.size.height) for one in plan.todo if one.size.pixels
    ]
    tiles = sum(len(plan_tiles(grid, size, options.predict.tile)) for grid in grids)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads_each(devices) or threads)
        each = sum(
            tile_seconds(prepared_network(member.checkpoint.network, device), member.info.bands, size, device)
            for member in checkpoint.members
        ) * (len(FLIPS) if options.predict.tta else 1)
    finally:
        torch.set_num_threads(threads)
    workers = max(1, min(len(devices), len(plan.todo)))
    return Estimate(tiles, each, workers, (tiles * each + len(plan.todo) * SCENE_SECONDS) / workers)
