"""Devices, their free memory, and their speed with a checkpoint's network."""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from lsafnet.checkpoint.files import Checkpoint
from lsafnet_cli.errors import DeviceError, reason_of
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.prediction.infer import prepared_network
from lsafnet_cli.prediction.speed import tile_seconds
from lsafnet_cli.system.devices import choose_device, is_out_of_memory


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A device as `--device` names it. `precision` is what `--precision auto` takes there.

    `megapixels_per_second` counts pixels of the scene, in forward passes alone; None where it was not tried.
    """

    name: str
    model: str
    threads: int | None
    memory_bytes: int | None
    free_bytes: int | None
    precision: str
    megapixels_per_second: float | None = None
    problem: str | None = None


def device_facts(checkpoint: Checkpoint | None, seconds: float) -> list[DeviceFacts]:
    """Return the processor and every CUDA device; each is timed for `seconds` where these are above 0."""
    names = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    return [_facts(name, checkpoint if seconds > 0 else None, seconds) for name in names]


def _facts(name: str, checkpoint: Checkpoint | None, seconds: float) -> DeviceFacts:
    device = choose_device(DeviceOptions(device=name))
    threads = None if device.is_cuda else torch.get_num_threads()
    free, total = torch.cuda.mem_get_info(device.torch_device) if device.is_cuda else (None, None)
    model = torch.cuda.get_device_name(device.torch_device) if device.is_cuda else processor_name()
    rate = problem = None
    if checkpoint is not None:
        try:
            network = prepared_network(checkpoint.network, device)
            size = checkpoint.info.tile_px
            rate = size**2 / 1e6 / tile_seconds(network, checkpoint.info.bands, size, device, None, seconds)
        except (DeviceError, RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                problem = f"{name}: out of memory while the network was timed; lower `size_px`"
            else:
                problem = f"{name}: the network does not run there ({reason_of(error)})"
    return DeviceFacts(name, model, threads, total, free, device.precision, rate, problem)


def processor_name() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def cuda_words() -> str:
    """Return what this build of torch says about CUDA."""
    if torch.version.cuda is None:
        return "this build of torch has no CUDA"
    if not torch.cuda.is_available():
        return f"torch is built for CUDA {torch.version.cuda}, but no device is available"
    return f"CUDA {torch.version.cuda}"
