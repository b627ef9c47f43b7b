"""Speed: the device's matrix rate, and the whole command from disk to map and to polygons beside it."""

import time
from itertools import product
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

import one_conv
from gpu.work import Rows, Work
from lsafnet import load_checkpoint
from lsafnet.checkpoint.info import CheckpointInfo, read_checkpoint_info
from lsafnet.registry import build_network
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.geometry.windows import tile_starts

SCENE_PX = 16384
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
RATES = "matrix-rates.pt"


def matrix_rates(work: Work) -> Rows:
    """The TFLOP/s of a large matrix product in each number type: what networks are held against."""
    rates = {}
    for precision in work.precisions:
        rates[precision] = matrix_rate(work, DTYPES[precision])
        yield {"form": precision, "TFLOP/s": round(rates[precision] / 1e12, 3), "ok": None}
    torch.save(rates, work.folder / RATES)


def matrix_rate(work: Work, dtype: torch.dtype) -> float:
    """Return the FLOP/s of a product of two large square matrices."""
    side, rounds = (512, 3) if work.small else (8192, 20)
    matrix = torch.randn(side, side, device=work.device, dtype=dtype)
    for _ in range(3):
        matrix @ matrix
    work.wait()
    start = time.perf_counter()
    for _ in range(rounds):
        matrix @ matrix
    work.wait()
    return 2 * side**3 * rounds / (time.perf_counter() - start)


def scene(work: Work) -> Rows:
    """Write the scene that throughput is measured on, so that its own time is not that of the measurement."""
    size = work.side_px(SCENE_PX)
    start = time.perf_counter()
    files = work.pair(size)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    seconds = round(time.perf_counter() - start, 1)
    yield {"side, px": size, "MB": round(megabytes, 1), "seconds": seconds, "ok": megabytes > 0}


def throughput(work: Work) -> Rows:
    """Mpx/s, efficiency, utilisation and share of the matrix rate, for lsafnet and the shipped checkpoint.

    Tiles of 512 px come first, in both forms, since there may be no time for all. The compiled form is compiled
    before it is measured; polygons, which do not depend on it, are drawn in the plain one.
    """
    rates = work.folder / RATES
    precision = "fp32" if work.small else "bf16"
    peak = torch.load(rates, weights_only=True)[precision] if rates.exists() else None
    side = work.side_px(SCENE_PX)
    for tile, form, name in product(tiles_of(work), forms_of(work), ("lsafnet", "shipped")):
        checkpoint = checkpoint_of(work, name, tile)
        flop = flop_per_pair(read_checkpoint_info(checkpoint), tile)
        options = ["--precision", precision, "--batch", str(batch_of(work, tile)), *form]
        row = {"network": name, "tile": tile, "form": " ".join([precision, *form])}
        try:
            alone = work.measure("bare", checkpoint, side, *options)["seconds"]
            whole = work.measure("predict", checkpoint, side, *options)
            polygons = work.measure("polygons", checkpoint, side, *options)["seconds"] if not form else None
        except RuntimeError as error:  # the other rows go on
            yield {**row, "problem": str(error), "ok": False}
            continue
        tiles = len(tile_starts(side, tile, tile // 4)) ** 2
        rate = tiles * flop / whole["seconds"]
        yield {
            **row,
            "Mpx/s": figure(side**2 / whole["seconds"] / 1e6),
            "with polygons": polygons and figure(side**2 / polygons / 1e6),
            "efficiency": round(alone / whole["seconds"], 3),
            "utilisation, %": whole["busy"] and round(whole["busy"]),
            "of the matrix rate": peak and figure(rate / peak),
            "peak MB": round(whole["peak_mb"]),
            "ok": None,
        }


def figure(value: float) -> float:
    """Return a number in four digits."""
    return float(f"{value:.4g}")


def forms_of(work: Work) -> tuple[tuple[str, ...], ...]:
    """Return the options of the forms that are measured."""
    return ((),) if work.small else ((), ("--compile",))


def tiles_of(work: Work) -> tuple[int, ...]:
    """Return the sides of tiles that are measured."""
    return (64,) if work.small else (512, 1024)


def batch_of(work: Work, tile_px: int) -> int:
    """Return a batch that fills the device."""
    return 1 if work.small else 16 * 512**2 // tile_px**2


def checkpoint_of(work: Work, name: str, tile_px: int) -> Path:
    """Return lsafnet, untrained, or the shipped checkpoint, for tiles of a size."""
    path = work.folder / f"{name}-{tile_px}.safetensors"
    if path.exists():
        return path
    if name != "shipped":
        return one_conv.save_untrained(path, name, tile_px)
    return one_conv.save_for_tiles(path, load_checkpoint(shipped_checkpoint()), tile_px)


def flop_per_pair(info: CheckpointInfo, tile_px: int) -> float:
    """Return the FLOP (2 x multiply-add) of a network for a pair of tiles."""
    with torch.device("meta"):
        network = build_network(info.network, num_classes=info.num_classes, bands=info.bands, **info.options)
        images = torch.empty(2, 1, info.bands, tile_px, tile_px)
    with FlopCounterMode(display=False) as counter:
        network.eval()(*images)
    return float(counter.get_total_flops())
