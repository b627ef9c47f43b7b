"""One `predict`, and the polygons of its map, by stage, in a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/stages.py CHECKPOINT BEFORE AFTER OUTPUT

Processor seconds are exact where torch has one thread: a stage's are those of the threads that its functions run in.
Seconds of stages that run at the same time overlap. Prints JSON: {stage: [processor seconds, seconds]}.
"""

import time

BEGUN = time.perf_counter()

import argparse  # noqa: E402 - the clock comes first
import json  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable, Iterator, Mapping, Sequence  # noqa: E402
from contextlib import ExitStack, contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402
from threading import local  # noqa: E402
from typing import Any  # noqa: E402
from unittest import mock  # noqa: E402

import one_conv  # noqa: E402
from lsafnet import prepare  # noqa: E402
from lsafnet_cli.options import DeviceOptions, OutputOptions, PredictOptions  # noqa: E402
from lsafnet_cli.prediction import deliver, infer, pipeline, plan, scaling, shifts, stitch, write  # noqa: E402
from lsafnet_cli.scenes import images  # noqa: E402

Places = Sequence[tuple[object, str]]
Clock = Callable[[], float]
IMPORTS, NETWORK, FIRST_PASS, REST = "imports", "network", "first pass", "the rest"
POLYGON_IMPORTS, POLYGONS, WHOLE = "imports for polygons", "polygons", "whole process"
STAGES: dict[str, Places] = {
    "opening the pair": ((pipeline, "read_pair"),),
    "loading the checkpoint": ((pipeline, "load_ensemble"),),
    "planning": ((pipeline, "prepare_run"),),
    "domain": ((plan, "pair_reasons"),),
    "preparing the network": ((infer, "prepare_network"),),
    "reading and warping": ((images.ImageReader, "read"),),
    "shift between the dates": ((shifts, "_measure_middle"),),
    "stacking": ((infer, "_stacked"),),
    "scaling": ((scaling.DateScaling, "forward"),),
    NETWORK: ((prepare.PreparedNetwork, "forward"),),
    "softmax": ((infer, "probabilities"), (scaling.Calibration, "forward")),
    "blending": tuple((stitch.Blender, name) for name in ("_add", "_begin", "_finish")),
    "decision": ((stitch, "send_patch"), (stitch.ComingPatch, "wait")),
    "parts": ((write.PartWriter, "put"), (write.PartWriter, "write_until")),
    "map and overviews": ((write.MapWriter, "write_layer"),),
    "table": ((deliver, "change_table"),),
    "publishing": ((pipeline, "publish"),),
}
"""Stage to the functions whose time it is, less that of other stages within them."""
ALONE = ("map and overviews", POLYGONS)  # work of other threads that do nothing else meanwhile is theirs


class StageClock:
    """Adds up processor seconds and seconds of stages over all threads; those of an inner one are not the outer's."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._within = local()

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count the time of a block for a stage."""
        processor = time.process_time if stage in ALONE else time.thread_time
        outer, self._within.stage = getattr(self._within, "stage", None), stage
        start = processor(), time.perf_counter()
        try:
            yield
        finally:
            for kind, (clock, begun) in enumerate(zip((processor, time.perf_counter), start, strict=True)):
                spent = clock() - begun
                self.seconds[stage][kind] += spent
                if outer is not None:
                    self.seconds[outer][kind] -= spent
            self._within.stage = outer

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts its time for a stage; the first pass of a network is one of its own."""

        def call(*arguments: Any, **named: Any) -> Any:
            with self.of(FIRST_PASS if stage == NETWORK and FIRST_PASS not in self.seconds else stage):
                return function(*arguments, **named)

        return call

    @contextmanager
    def watching(self, stages: Mapping[str, Places]) -> Iterator[None]:
        """Count the time of all functions of some stages within a block."""
        with ExitStack() as stack:
            for stage, places in stages.items():
                for owner, name in places:
                    replaced = self.timed(stage, getattr(owner, name))
                    stack.enter_context(mock.patch.object(owner, name, replaced))
            yield


def spent_so_far() -> list[float]:
    """Return processor seconds of this process, and seconds since it began to import."""
    return [time.process_time(), time.perf_counter() - BEGUN]


def main() -> None:
    """Measure one run and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("checkpoint", "before", "after", "output"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    one_conv.register()
    clock = StageClock()
    clock.seconds[IMPORTS] = spent_so_far()
    wanted = PredictOptions(
        checkpoint=options.checkpoint,
        device=DeviceOptions("cpu"),
        output=OutputOptions(overwrite=True, resume=False),
    )
    with clock.watching(STAGES):
        pipeline.predict_change(options.before, options.after, options.output, wanted)
    with clock.of(POLYGON_IMPORTS):
        from lsafnet_cli.polygons.vectorization import (
            vectorize_changes,
        )  # here, since runs without do not wait
    with clock.of(POLYGONS):
        vectorize_changes(options.output, [options.output.with_suffix(".gpkg")], overwrite=True)
    whole = spent_so_far()
    known = sum(processor for processor, _ in clock.seconds.values())
    clock.seconds[REST] = [whole[0] - known, 0.0]  # seconds that overlap leave no rest
    print(json.dumps({**clock.seconds, WHOLE: whole}))


if __name__ == "__main__":
    main()
