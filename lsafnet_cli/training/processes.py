"""One of several processes that train together, as `torchrun` starts them; usually the only one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lsafnet_cli.errors import OptionError

STEP_TIMEOUT, VALIDATION_TIMEOUT = timedelta(minutes=10), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Processes:
    """This process' number among `count`; `waiting` is the group in which they wait for the leading one."""

    rank: int = 0
    count: int = 1
    waiting: Any = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that validates, saves and speaks."""
        return self.rank == 0

    def together(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network as all processes train it: gradients are averaged over them."""
        if self.count == 1:
            return network
        devices = [device] if device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices, find_unused_parameters=True)

    def agree(self, value: Any) -> Any:
        """Return the leading process' value in all processes."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self.waiting)
        return values[0]


@contextmanager
def joined_processes(device: torch.device, batch_size: int, accumulate: int) -> Iterator[Processes]:
    """Join the processes that `torchrun` started, if it did. Raises OptionError where the batch does not divide."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if batch_size % (count * accumulate):
        raise OptionError(
            f"`batch_size` {batch_size}: must be a multiple of {count} processes x {accumulate} parts"
        )
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=STEP_TIMEOUT)
    # On the host: a watchdog of NCCL would end processes that wait for a long validation.
    waiting = dist.new_group(backend="gloo", timeout=VALIDATION_TIMEOUT)
    try:
        yield Processes(dist.get_rank(), count, waiting)
    finally:
        dist.destroy_process_group()


def own_device(name: str) -> str:
    """Return the device of this process: the CUDA device of its local number where several train together."""
    local = os.environ.get("LOCAL_RANK")
    if local is None or name not in ("auto", "cuda") or not torch.cuda.is_available():
        return name
    return f"cuda:{local}"
