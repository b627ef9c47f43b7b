"""Estimated time of a batch: the network is timed on a tile, with a surcharge for everything else."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.plan import BatchPlan
from lsafnet_cli.batch.worker_devices import threads_each, worker_devices
from lsafnet_cli.checkpoints.choose import NamedCheckpoint, load_ensemble
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.options import TileOptions
from lsafnet_cli.prediction.infer import FLIPS, prepared_network
from lsafnet_cli.prediction.input_scale import network_px, tiles_seen
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
    scenes = [
        _scene_work(one.size.grid, checkpoint, options.predict.tile) for one in plan.todo if one.size.grid
    ]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads_each(devices) or threads)
        looks = len(FLIPS) if options.predict.tta else 1
        seconds = [
            looks
            * tile_seconds(
                prepared_network(member.checkpoint.network, device), member.info.bands, size, device
            )
            for member in checkpoint.members
        ]
    finally:
        torch.set_num_threads(threads)
    workers = max(1, min(len(devices), len(plan.todo)))
    tiles = sum(one.tiles for one in scenes)
    networks = sum(
        one.tiles * each * (seen / size) ** 2
        for one in scenes
        for each, seen in zip(seconds, one.network_px, strict=True)
    )
    total = (networks + len(plan.todo) * SCENE_SECONDS) / workers
    return Estimate(tiles, networks / max(tiles, 1), workers, total)


class _SceneWork(NamedTuple):
    """Tiles of a scene, and their side in pixels as each network sees them."""

    tiles: int
    network_px: tuple[int, ...]


def _scene_work(grid: Grid, checkpoint: NamedCheckpoint, options: TileOptions) -> _SceneWork:
    tile_px, scales = tiles_seen(grid, checkpoint, options)
    return _SceneWork(
        len(plan_tiles(grid, tile_px, options)), tuple(network_px(tile_px, scale) for scale in scales)
    )
