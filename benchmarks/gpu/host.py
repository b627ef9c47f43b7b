"""Host time per tile, by stage: what the processor does for each tile while the device computes."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import local
from typing import Any
from unittest import mock

import torch
from torch.profiler import ProfilerActivity, profile

from gpu.work import Rows, Work
from lsafnet_cli.geometry.windows import tile_starts
from lsafnet_cli.options import DeviceOptions, TileOptions
from lsafnet_cli.prediction import infer, stitch, write
from lsafnet_cli.scenes import images

TABLE = "host-profile.txt"
STAGES: dict[str, tuple[tuple[object, tuple[str, ...]], ...]] = {
    "read": ((images.ImageReader, ("read",)),),
    "stack": ((infer, ("_stacked",)),),
    "upload": ((infer, ("_send",)),),
    "launch": ((infer, ("score_batch",)),),
    "blend": ((stitch.Blender, ("add", "_add", "_begin", "_finish")),),
    "decide": ((stitch.Decision, ("decide",)),),
    "copy back": ((stitch, ("_start_copy",)), (stitch.ComingPatch, ("wait",))),
    "write": ((write.PartWriter, ("put",)),),
}
"""Stage to the functions whose time it is; of several names those that exist."""
ON_CUDA = ("upload",)  # stages that there are only there


def host_time(work: Work) -> Rows:
    """Milliseconds of each stage per tile, and what torch.profiler counts over two hundred tiles."""
    size, tile = work.side_px(5504), 64 if work.small else 512
    tiles = len(tile_starts(size, tile, tile // 4)) ** 2
    options = DeviceOptions(work.device, "fp32" if work.small else "bf16", 1 if work.small else 16)

    def run() -> float:
        _, report = work.predict(size, "host", options, TileOptions(size_px=tile))
        return report.seconds["map"]

    run()
    with timed_stages() as seconds:
        whole = run()
    for stage in STAGES:
        spent = seconds.get(stage, 0.0)
        expected = not (work.small and stage in ON_CUDA)
        yield {"stage": stage, "ms per tile": round(1000 * spent / tiles, 3), "ok": spent > 0 or not expected}
    yield {"stage": "whole map", "ms per tile": round(1000 * whole / tiles, 3), "ok": None}
    yield from profiled(work, run, tiles)


def profiled(work: Work, run: Callable[[], float], tiles: int) -> Rows:
    """Run once more under torch.profiler; keep its table, and count what is launched for each tile."""
    activities = [ProfilerActivity.CPU, *([] if work.small else [ProfilerActivity.CUDA])]
    with profile(activities=activities) as profiler:
        run()
    averages = profiler.key_averages()
    order = "self_cpu_time_total" if work.small else "self_device_time_total"
    (work.folder / TABLE).write_text(averages.table(sort_by=order, row_limit=60), encoding="utf-8")
    launched = ("cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchKernelExC", "cudaMemcpyAsync")
    kernels = sum(event.count for event in averages if event.key in launched)
    operations = sum(event.count for event in averages if event.key.startswith("aten::"))
    name, count = ("operations", operations) if work.small else ("kernels and copies", kernels)
    yield {"stage": f"{name} per tile", "count": round(count / tiles, 1), "table": TABLE, "ok": count > 0}


@contextmanager
def timed_stages() -> Iterator[dict[str, float]]:
    """Give the seconds of each stage, over all threads; a function within another of its stage counts once."""
    seconds: dict[str, float] = defaultdict(float)
    within = local()

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if getattr(within, "stage", None) == stage:
                return function(*arguments, **named)
            outer, within.stage = getattr(within, "stage", None), stage
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent = time.perf_counter() - start
                seconds[stage] += spent
                if outer is not None:
                    seconds[outer] -= spent
                within.stage = outer

        return call

    with ExitStack() as stack:
        for stage, places in STAGES.items():
            for owner, names in places:
                for name in names:
                    if hasattr(owner, name):
                        replaced = timed(stage, getattr(owner, name))
                        stack.enter_context(mock.patch.object(owner, name, replaced))
        yield seconds
        if torch.cuda.is_available():
            torch.cuda.synchronize()
