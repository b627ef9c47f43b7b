"""The pixels of a run: reading, inferring, stitching and writing, all at the same time."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from lsafnet_cli.background import Background, run_ahead
from lsafnet_cli.devices import BatchSize
from lsafnet_cli.memory import freed_memory_kept
from lsafnet_cli.run import Run
from lsafnet_cli.stages.infer import Scorer, infer_tiles, make_batches
from lsafnet_cli.stages.stitch import stitch_tiles
from lsafnet_cli.stages.tile import Swath, cut_tiles, read_tile_rows
from lsafnet_cli.stages.write import CODES, PartStore, PartWriter
from lsafnet_cli.types import Grid, Observer

BATCHES_AHEAD = 2
PATCHES_WAITING = 8


def compute_parts(run: Run, store: PartStore, observer: Observer) -> None:
    """Compute every part that is not in the store yet."""
    scorer: Scorer | None = None
    size = BatchSize(run.options.device.batch_size, run.device)
    with run.timed("map"), watched(observer, "map", run.pair.grid), freed_memory_kept():
        for swath in run.swaths:
            done = run.layout.finished_rows(store, (CODES, *run.decision.layers), swath.owned)
            observer.advance(done * (swath.owned[1] - swath.owned[0]))
            if done < run.plan.height:
                scorer = scorer or Scorer(run.checkpoint.checkpoint, run.stretches, run.device)
                compute_swath(run, store, observer, swath, done, scorer, size)


def compute_swath(
    run: Run, store: PartStore, observer: Observer, swath: Swath, done: int, scorer: Scorer, size: BatchSize
) -> None:
    """Compute the parts of one swath below row `done`."""
    pair, plan = run.pair.cut(swath.window), swath.plan
    first_row = next(row for row in range(len(plan.row_starts)) if plan.bottom(row) > done)
    left = int(swath.window.col_off)
    writer = PartWriter(store, run.layout, swath.owned, left, run.decision, done)
    with ExitStack() as stack:
        tile_rows = read_tile_rows(pair, plan, run.options.read.threads, first_row)
        rows_ahead = stack.enter_context(closing(run_ahead(tile_rows, run.memory.rows_ahead)))
        batches = make_batches(cut_tiles(rows_ahead, plan), size, run.device)
        batches_ahead = stack.enter_context(closing(run_ahead(batches, BATCHES_AHEAD)))
        background = stack.enter_context(Background(writer.put, PATCHES_WAITING))
        for patch in stitch_tiles(infer_tiles(scorer, batches_ahead, size), plan, run.decision):
            background.put(patch)
            observer.advance(patch.pixel_count)
    writer.write_until(run.plan.height)


@contextmanager
def watched(observer: Observer, stage: str, grid: Grid) -> Iterator[None]:
    """Tell the observer that a stage over the whole grid begins and ends."""
    observer.start(stage, grid.pixel_count)
    try:
        yield
    finally:
        observer.finish()
