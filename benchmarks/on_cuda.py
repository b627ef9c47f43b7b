"""The whole command on a CUDA device: tiles, batches and compiled forms; efficiency, utilisation, matrix rate."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import torch

from lsafnet_cli.geometry.windows import tile_starts

if TYPE_CHECKING:
    from run import Bench

SCENE_PX = 16384
FLOP_PER_PX = 720.9e9 / 512**2  # of lsafnet, both images, as counted with torch.utils.flop_counter
TILES_PX, BATCHES = (512, 1024), (1, 4, 16, 32)


def cuda(bench: "Bench") -> Iterator[tuple[object, ...]]:
    """The whole command with lsafnet in bf16 on a CUDA device; `compiled` is --compile."""
    peak = matrix_rate()
    yield (
        torch.cuda.get_device_name(), "batch", "Mpx/s", "efficiency", "utilisation, %",
        f"share of {peak / 1e12:.0f} TFLOP/s (bf16)",
    )  # fmt: skip
    for form, tile, batch in product(("", " compiled"), TILES_PX, BATCHES):
        checkpoint = bench.checkpoint("lsafnet", tile)
        options = ["--batch", str(batch), "--precision", "bf16", "--device", "cuda"]
        options += ["--compile"] if form else []
        try:
            alone = bench.measure("bare", checkpoint, SCENE_PX, *options)["seconds"]
            whole = bench.measure("predict", checkpoint, SCENE_PX, *options)
        except RuntimeError as error:  # a batch too large for the card says so, and the others go on
            yield f"tile {tile}{form}", batch, str(error).strip().splitlines()[-1][:80], "", "", ""
            continue
        yield f"tile {tile}{form}", batch, *_figures(tile, alone, whole, peak)


def _figures(tile: int, alone: float, whole: dict[str, Any], peak: float) -> Iterator[str]:
    seconds, busy = whole["seconds"], whole["busy"]
    tiles = len(tile_starts(SCENE_PX, tile, tile // 4)) ** 2
    yield f"{SCENE_PX**2 / seconds / 1e6:.1f}"
    yield f"{alone / seconds:.3f}"
    yield "?" if busy is None else f"{busy:.0f}"
    yield f"{tiles * tile**2 * FLOP_PER_PX / seconds / peak:.2f}"


def matrix_rate() -> float:
    """Return the FLOP/s of a large bf16 matrix product."""
    side, rounds = 8192, 20
    matrix = torch.randn(side, side, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        matrix @ matrix
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(rounds):
        matrix @ matrix
    end.record()
    torch.cuda.synchronize()
    return 2 * side**3 * rounds / (begin.elapsed_time(end) / 1000)
