"""Devices of the workers of one machine: `--devices auto`, `cuda:0,cuda:1`, `4xcpu`."""

import os
import re
from pathlib import Path

from lsafnet_cli.errors import OptionError
from lsafnet_cli.system.cores import usable_cores

CARD_FILES = (
    "/dev/nvidiactl",
    "/dev/dxg",
    "/dev/kfd",
)  # without one of them there is no need to wait for torch
MOST_WORKERS = 256
AUTO = "auto"


def worker_devices(text: str) -> list[str]:
    """Return the device of each worker. Raises OptionError for what cannot be read.

    `auto` is one worker for each CUDA device, or one on the processor where there is none.
    """
    if text == AUTO:
        return _cards() or ["cpu"]
    devices = [device for part in text.split(",") for device in _devices(text, part.strip())]
    cards = [device for device in devices if device != "cpu"]
    if len(set(cards)) < len(cards):
        raise OptionError(f"`devices` {text}: a GPU has one worker; name each once")
    if len(devices) > MOST_WORKERS:
        raise OptionError(f"`devices` {text}: at most {MOST_WORKERS} workers")
    return devices


def _devices(text: str, part: str) -> list[str]:
    match = re.fullmatch(r"(?:(\d+)x)?cpu|cuda(?::\d+)?", part)
    if match is None or match[1] == "0":
        raise OptionError(f"`devices` {text}: write auto, cpu, 4xcpu, or GPUs such as cuda:0,cuda:1")
    return ["cpu"] * int(match[1] or 1) if part.endswith("cpu") else [part]


def _cards() -> list[str]:
    if not any(Path(name).exists() for name in CARD_FILES):
        return []
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


def threads_each(devices: list[str]) -> int | None:
    """Return how many of the processor's threads each worker has; None where one has them all."""
    if len(devices) == 1:
        return None
    cores = usable_cores()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, (min(cores, int(limit)) if limit.isdecimal() else cores) // len(devices))
