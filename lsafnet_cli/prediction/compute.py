"""Computing the pixels of a run: reading, inference, stitching and writing run concurrently."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import cached_property

from rasterio.windows import Window

from lsafnet_cli.files.layers import CODES
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.prediction.infer import Scorer, infer_tiles, make_batches
from lsafnet_cli.prediction.plan import RunPlan
from lsafnet_cli.prediction.shifts import ShiftSampler
from lsafnet_cli.prediction.stitch import stitch_tiles
from lsafnet_cli.prediction.tile import Swath
from lsafnet_cli.prediction.tile_rows import cut_tiles, read_tile_rows
from lsafnet_cli.prediction.write import PartStore, PartWriter
from lsafnet_cli.scenes.registration import Registration
from lsafnet_cli.system.background import Background, run_ahead
from lsafnet_cli.system.devices import BatchSize
from lsafnet_cli.system.heap import FreedMemory

BATCHES_AHEAD = 2
PATCHES_WAITING = 8
MAP_STAGE = "map"  # name of the stage for observers, and in `seconds` of the report


def compute_parts(
    run: RunPlan, store: PartStore, observer: Observer, rows: tuple[int, int] | None = None
) -> Registration:
    """Compute every part that is missing in the store; return the shift between the dates measured there.

    `rows` [first, end) restricts this to some rows; they must start and end at borders of parts.
    """
    top, end = rows or (0, run.layout.end_row)
    grid = run.pair.grid if rows is None else run.pair.grid.cut(Window(0, top, run.plan.width, end - top))
    with run.timed(MAP_STAGE), watched(observer, MAP_STAGE, grid.pixel_count), FreedMemory() as freed:
        work = Computation(run, store, observer, freed)
        for swath in run.swaths:
            done = run.layout.finished_rows(store, (CODES, *run.decision.layers), swath.owned, top)
            finished_rows = max(0, min(done, end) - max(top, run.layout.corner[0]))
            observer.advance(finished_rows * (swath.owned[1] - swath.owned[0]))
            if done < end:
                work.compute(swath, done, end)
        for notice in work.notices():
            observer.notice(notice)
        return work.shifts.summarize()


class Computation:
    """State shared by the swaths of a run: the network, loaded once, and the batch size found so far."""

    def __init__(self, run: RunPlan, store: PartStore, observer: Observer, freed: FreedMemory) -> None:
        self._run, self._store, self._observer, self._freed = run, store, observer, freed
        self.shifts = ShiftSampler(len(run.plan))
        self._limits = run.limits
        self._size = BatchSize(run.options.device.batch_size, run.device, run.network_px)

    def notices(self) -> Iterator[str]:
        """Yield notices about the pixels that were read."""
        scenes = (self._run.pair.before.scene, self._run.pair.after.scene)
        for scene, limits in zip(scenes, self._limits, strict=True):
            if limits is not None and (text := limits.notice(scene.path)) is not None:
                yield text

    @cached_property
    def _scorer(self) -> Scorer:
        run = self._run
        checkpoints = [member.checkpoint for member in run.checkpoint.members]
        return Scorer(checkpoints, run.stretches, run.device, run.options.tta, run.scales)

    def compute(self, swath: Swath, done: int, end: int) -> None:
        """Compute the parts of one swath in rows [done, end): read, infer, stitch and write concurrently."""
        run, plan = self._run, swath.plan.above(end)
        pair = run.pair.cut(swath.window)
        first_row = next(row for row in range(len(plan.row_starts)) if plan.bottom(row) > done)
        left = int(swath.window.col_off)
        writer = PartWriter(self._store, run.layout, swath.owned, left, run.decision, done)
        with ExitStack() as stack:
            stack.enter_context(run.device.made_current())
            tile_rows = read_tile_rows(pair, plan, run.options.read.threads, first_row, self._limits)
            rows_ahead = stack.enter_context(closing(run_ahead(tile_rows, run.memory.rows_ahead)))
            batches = make_batches(self.shifts.watch(cut_tiles(rows_ahead, plan)), self._size, run.device)
            batches_ahead = stack.enter_context(closing(run_ahead(batches, BATCHES_AHEAD)))
            background = stack.enter_context(Background(writer.put, PATCHES_WAITING))
            scores = infer_tiles(self._scorer, batches_ahead, self._size)
            for patch in stitch_tiles(scores, plan, run.decision):
                background.put(patch)
                self._observer.advance(patch.pixel_count)
                self._freed.used_once()
        writer.write_until(end)
