"""Speed of a network on a device: timed forward passes."""

import time

import torch
from torch import nn

from lsafnet_cli.system.devices import BatchSize, Device

LEAST_BATCHES = 3


def tile_seconds(
    network: nn.Module, bands: int, size_px: int, device: Device, batch_size: int | None = 1, seconds: float = 0.0
) -> float:  # fmt: skip
    """Return the best time of a tile in batches of `batch_size`, or of the fastest size if it is None.

    Batches run for `seconds`, but at least three. `network` is prepared for `device`.
    """
    where = device.torch_device
    sizes = BatchSize(batch_size, device, size_px)
    best, begun, batches = float("inf"), time.perf_counter(), 0
    while batches < LEAST_BATCHES or time.perf_counter() - begun < seconds:
        images = torch.randn(2, sizes.size, bands, size_px, size_px, device=where)
        elapsed = _batch_seconds(network, images, where)
        best = min(best, elapsed / sizes.size)
        sizes.worked(sizes.size, elapsed)
        batches += 1
    return best


def _batch_seconds(network: nn.Module, images: torch.Tensor, where: torch.device) -> float:
    start = time.perf_counter()
    with torch.inference_mode():
        network(images[0], images[1])
    if where.type == "cuda":
        torch.cuda.synchronize(where)
    return time.perf_counter() - start
