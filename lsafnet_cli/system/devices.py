"""Device, precision and batch size of the network."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lsafnet_cli.errors import DeviceError
from lsafnet_cli.observer import LOG
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.system.heap import says_out_of_memory

LARGEST_CPU_BATCH_PX = 512 * 512  # larger batches gain nothing on a CPU and exceed its caches
LARGEST_CUDA_BATCH = 256
WORTHWHILE_GAIN = 1.05  # a larger batch must be this much faster per tile to be kept
COMPILED_CUDA_BATCH_PX = (
    16 * LARGEST_CPU_BATCH_PX
)  # a size that fills a device: each other one is compiled anew


@dataclass(frozen=True, slots=True)
class Device:
    """A device and its precision: the number type of convolutions, fp32, bf16 or fp16."""

    torch_device: torch.device
    precision: str
    compiled: bool = False

    @property
    def lanes(self) -> int:
        """Number of batches computed at the same time: two on a CPU, so that steps of one batch that use a single
        core leave the others to the second batch.
        """
        return 1 if self.is_cuda else min(2, torch.get_num_threads())

    def made_current(self) -> AbstractContextManager[Any]:
        """Make a CUDA device this thread's current one within a block, which kernels of torch.compile run on."""
        return torch.cuda.device(self.torch_device) if self.is_cuda else nullcontext()

    @property
    def is_cuda(self) -> bool:
        """Whether the device computes asynchronously to the host."""
        return self.torch_device.type == "cuda"


def choose_device(options: DeviceOptions) -> Device:
    """Return the device of the options; `auto` is CUDA if available. Raises DeviceError."""
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()  # the meta device holds no data
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"`device` {name}: this device is not available; try cpu") from error
    return Device(device, _precision(device, options.precision), options.compiled)


def _precision(device: torch.device, wanted: str) -> str:
    if wanted == "fp16" and device.type == "cpu":
        raise DeviceError("`precision` fp16: a CPU computes in fp32 or bf16; fp16 needs a CUDA device")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        with torch.cuda.device(device):  # of this one, and not of the current one
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if processor_has_bf16() else "fp32"


def processor_has_bf16() -> bool:
    """Return whether this CPU has bfloat16 instructions; without them fp32 is faster."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def free_device_bytes(device: Device) -> int | None:
    """Return the free memory of a device, bytes; None for the CPU."""
    return torch.cuda.mem_get_info(device.torch_device)[0] if device.is_cuda else None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is an out-of-memory error of the host or of a device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and says_out_of_memory(error)


@contextmanager
def divided_threads(lanes: int) -> Iterator[None]:
    """Divide the CPU's threads among lanes that compute at the same time."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // lanes))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class BatchSize:
    """Batch size: a fixed number of tiles, or the fastest one, found on the first tiles of the run.

    The search costs nothing, for its batches are part of the work: each size runs twice, once to warm up
    and once on the clock, and doubles while a tile gets cheaper. Out of memory halves any size. A compiled
    network is compiled anew for each size, and a few times at most: its size is not searched.
    """

    def __init__(self, fixed: int | None, device: Device, tile_px: int) -> None:
        whole_px = COMPILED_CUDA_BATCH_PX if device.is_cuda else LARGEST_CPU_BATCH_PX
        self.size = fixed or (max(1, whole_px // tile_px**2) if device.compiled else 1)
        self.tuning = fixed is None and not device.compiled
        self._tile_px = tile_px
        self._largest = LARGEST_CUDA_BATCH if device.is_cuda else max(1, LARGEST_CPU_BATCH_PX // tile_px**2)
        self._best_size, self._best_rate = self.size, 0.0
        self._warm = False

    def worked(self, tiles: int, seconds: float) -> None:
        """Record that a batch of `tiles` took `seconds`; incomplete batches are ignored."""
        if not self.tuning or tiles < self.size:
            return
        if not self._warm:
            self._warm = True
            return
        rate = tiles / max(seconds, 1e-9)
        if rate > self._best_rate * WORTHWHILE_GAIN:
            self._best_size, self._best_rate = self.size, rate
            self._try(self.size * 2)
        else:
            self._settle(self._best_size)

    def _try(self, size: int) -> None:
        if size > self._largest:
            self._settle(self.size)
        else:
            self.size, self._warm = size, False

    def _settle(self, size: int) -> None:
        self.size, self.tuning = size, False
        LOG.debug("batches of %d tiles of %d pixels", size, self._tile_px)

    def ran_out_of_memory(self, tiles: int) -> None:
        """Halve the batch size after `tiles` did not fit into memory. Raises DeviceError if a single tile
        does not fit."""
        if tiles == 1:
            raise DeviceError(
                f"out of memory with a single tile of {self._tile_px} pixels; lower `size_px`, or use "
                "`precision` bf16 or another `device`"
            )
        self._settle(min(self.size, tiles // 2))
