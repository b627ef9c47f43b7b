"""Answers: logits, maps, batches, memory that runs out, two processes at once, the doctor."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from gpu.work import Rows, Work, codes_of, share_equal
from lsafnet import NETWORKS, ChangeLogits, build_network, change_maps
from lsafnet.prepare import prepare_network
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.observer import LOG
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.prediction.infer import Scorer

LIMITS = {"fp32": 0.01, "bf16": 0.5, "fp16": 0.1}
"""How far logits may lie from float32 on the processor, root mean square, in standard deviations of theirs. Those of
other pixels or weights lie 1.4 apart; untrained networks magnify rounding, and convolutions on CUDA may take TF32."""
EQUAL_CODES = 0.999
COMPILE_SECONDS = 90  # after which no further network is compiled: one may take as long as half of that
EQUAL_CODES_OF_A_TRY = 0.998  # of a small cut in tiles of 64 px, where one tile rounded otherwise weighs more


def logits(work: Work) -> Rows:
    """Every network, untrained, on the device in each number type, against float32 on the processor."""
    for name in NETWORKS:
        yield from compare_logits(work, name, work.precisions)


def compiled_logits(work: Work) -> Rows:
    """The same with torch.compile, as far as time allows; on a processor it would take too long."""
    if work.small:
        yield {"network": "-", "form": "compiled: on CUDA only", "ok": None}
        return
    end = time.monotonic() + COMPILE_SECONDS
    for name in NETWORKS:
        if time.monotonic() > end:
            yield {"network": name, "form": "compiled: no time left", "ok": None}
        else:
            yield from compare_logits(work, name, ("bf16",), compiled=True)


def compare_logits(work: Work, name: str, precisions: Sequence[str], compiled: bool = False) -> Rows:
    """Yield how far a network's logits on the device lie from those of its plain form on the processor."""
    torch.manual_seed(0)
    network = build_network(name, num_classes=7).eval()
    settle(network)
    size = 32 if work.small else 256
    images = torch.randn(2, 2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(*images)
    for precision in precisions:
        prepared = prepare_network(network, work.device, precision, compile=compiled)
        with torch.inference_mode():
            found = prepared(*images.to(work.device))
        found = ChangeLogits(*(None if x is None else x.cpu() for x in found))
        worst = max(apart(x, y) for x, y in zip(found, expected, strict=True) if y is not None)
        alike = [x == y for x, y in zip(change_maps(found), change_maps(expected), strict=True)]
        yield {
            "network": name,
            "form": f"{precision}{', compiled' if compiled else ''}",
            "difference": round(worst, 6),
            "equal pixels": round(float((alike[0] & alike[1]).float().mean()), 5),
            "ok": worst <= LIMITS[precision],
        }


def settle(network: nn.Module) -> None:
    """Give batch norms the statistics of noise, so that an untrained network's numbers stay in range."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean of all that passes
    images = torch.randn(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        network.train()(*images)
    network.eval()


def apart(found: Tensor, expected: Tensor) -> float:
    """Return the root mean square difference in standard deviations; infinite where a number is none."""
    if not found.isfinite().all():
        return float("inf")
    return float((found - expected).square().mean().sqrt() / expected.std())


def codes(work: Work) -> Rows:
    """The shipped checkpoint over the sample pair in every form and several batch sizes, against the processor."""
    size = work.side_px(1024)
    expected, _ = work.predict(size, "reference", DeviceOptions("cpu", "fp32"))
    forms = [(precision, None, False) for precision in work.precisions]
    forms += [("fp32", batch, False) for batch in ((2, 5) if work.small else (1, 3, 16, 64))]
    forms += [] if work.small else [("bf16", None, True)]
    for precision, batch, compiled in forms:
        device = DeviceOptions(work.device, precision, batch, compiled)
        found, report = work.predict(size, "found", device)
        equal = share_equal(found, expected)
        yield {
            "form": f"{precision}{', compiled' if compiled else ''}",
            "batch": batch or "auto",
            "equal codes": round(equal, 6),
            "seconds": report.seconds.get("map"),
            "ok": equal >= (EQUAL_CODES_OF_A_TRY if work.small else EQUAL_CODES),
        }


def memory(work: Work) -> Rows:
    """Memory that runs out halves the batch, and the map stays the same."""
    size, batch = work.side_px(4096), 8 if work.small else 64
    options = DeviceOptions(work.device, "fp32", batch)
    expected, _ = work.predict(size, "roomy", options)
    with tight_memory(work, batch) as cap, noted_batches() as notes:
        found, _ = work.predict(size, "tight", options)
    equal = share_equal(found, expected)
    settled = notes[-1] if notes else batch
    yield {
        "cap": cap,
        "batch": batch,
        "batch in the end": settled,
        "equal codes": round(equal, 6),
        "ok": settled < batch and equal >= EQUAL_CODES,
    }


@contextmanager
def tight_memory(work: Work, batch: int) -> Iterator[str]:
    """Leave the device too little memory for a batch; on a processor, let larger batches say so."""
    if work.small:
        forward = Scorer.forward

        def fail(scorer: Scorer, pixels: Any) -> Tensor:
            if len(pixels.tiles) > batch // 4:
                raise torch.OutOfMemoryError("out of memory, as a try")
            return forward(scorer, pixels)

        with mock.patch.object(Scorer, "forward", fail):
            yield "pretended"
        return
    peak = torch.cuda.max_memory_reserved(work.device)
    whole = torch.cuda.get_device_properties(work.device).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.5 * peak / whole, work.device)
    try:
        yield f"{0.5 * peak / 2**20:.0f} MiB"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, work.device)


@contextmanager
def noted_batches() -> Iterator[list[int]]:
    """Give the batch sizes that runs settle for."""
    sizes: list[int] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if str(record.msg).startswith("batches of") and isinstance(record.args, tuple):
                sizes.append(int(str(record.args[0])))

    listener, level = Listener(), LOG.level
    LOG.addHandler(listener)
    LOG.setLevel(logging.DEBUG)
    try:
        yield sizes
    finally:
        LOG.removeHandler(listener)
        LOG.setLevel(level)


def two_processes(work: Work) -> Rows:
    """Two commands at once on one device write what one alone writes."""
    size = work.side_px(1024)
    expected, _ = work.predict(size, "alone", DeviceOptions(work.device, "fp32"))
    outputs = [work.folder / f"beside{number}.tif" for number in (1, 2)]
    options = f"--device {work.device} --precision fp32 --overwrite -q".split()
    options += ["--tile", str(work.tile_px)] if work.tile_px else []
    shared = [*work.pair(size), "--checkpoint", shipped_checkpoint(), *options]
    command = [sys.executable, "-m", "lsafnet_cli.app", "predict", *map(str, shared)]
    runs = [subprocess.Popen([*command, "-o", str(output)], stdout=subprocess.DEVNULL) for output in outputs]
    for number, (run, output) in enumerate(zip(runs, outputs, strict=True), 1):
        ended = run.wait()
        equal = share_equal(codes_of(output), expected) if ended == 0 else 0.0
        yield {
            "process": number,
            "exit code": ended,
            "equal codes": round(equal, 6),
            "ok": equal >= EQUAL_CODES,
        }


def doctor(work: Work) -> Rows:
    """`lsafnet doctor` knows the device and finds nothing wrong with it."""
    words = [sys.executable, "-m", "lsafnet_cli.app", "doctor", "--json", "--seconds", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    (work.folder / "doctor.json").write_text(done.stdout, encoding="utf-8")
    for device in found["devices"]:
        yield {
            "device": device["name"],
            "model": device["model"],
            "precision": device["precision"],
            "Mpx/s": device["megapixels_per_second"],
            "ok": device["problem"] is None,
        }
    named = any(device["name"].startswith(work.device.partition(":")[0]) for device in found["devices"])
    yield {"device": "all", "exit code": done.returncode, "ok": named}
