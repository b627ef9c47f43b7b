"""Infer: the pixels under tiles become probabilities, batch by batch, on the device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lsafnet.checkpoint import Checkpoint
from lsafnet.checkpoint_info import BandStatistics
from lsafnet.logits import ChangeLogits
from lsafnet_cli.errors import DeviceError
from lsafnet_cli.stages.read import BoolArray, NumberArray
from lsafnet_cli.stages.tile import TilePixels
from lsafnet_cli.types import DeviceOptions, Stretch, Tile

CPU_BATCH, CUDA_BATCH = 4, 16
AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class TileScores:
    """Probabilities under one tile, (scores, size, size) on the device, and `valid` (size, size) on the host.

    Scores are change first, then the land cover 1..K-1 of before, then that of after.
    """

    tile: Tile
    scores: Tensor
    valid: BoolArray


@dataclass(frozen=True, slots=True)
class Device:
    """A device and the number type that convolutions run in there; None is plain fp32."""

    torch_device: torch.device
    autocast: torch.dtype | None

    @property
    def is_cuda(self) -> bool:
        """Whether copies to it are worth pinning."""
        return self.torch_device.type == "cuda"


def choose_device(options: DeviceOptions) -> Device:
    """Return the device the options name; `auto` is CUDA where there is one. Raises DeviceError."""
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"--device {name}: there is no such device here; try cpu") from error
    return Device(device, _autocast_dtype(device, options.precision))


def _autocast_dtype(device: torch.device, precision: str) -> torch.dtype | None:
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else None
    if precision == "fp16" and device.type == "cpu":
        raise DeviceError("--precision fp16: processors compute fp32 or bf16; fp16 needs a CUDA device")
    return AUTOCAST_DTYPES.get(precision)


class DateScaling(nn.Module):
    """Raw numbers of one date become what the network was trained on: stretch, then (value - mean) / std."""

    def __init__(
        self, date: BandStatistics, stretch: Stretch | None, value_range: tuple[float, float]
    ) -> None:
        super().__init__()
        mean, std = (torch.tensor(values).reshape(-1, 1, 1) for values in (date.mean, date.std))
        low, gain = torch.zeros_like(mean), torch.ones_like(mean)
        self.limits: tuple[float, float] | None = None
        if stretch is not None:
            self.limits = value_range
            low, high = (torch.tensor(v).reshape(-1, 1, 1) for v in (stretch.low, stretch.high))
            gain = (value_range[1] - value_range[0]) / (high - low)
        self.low, self.gain, self.mean, self.std = (nn.Buffer(t) for t in (low, gain, mean, std))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return float32 (batch, bands, rows, cols)."""
        values = numbers.to(torch.float32)
        if self.limits is not None:
            values = ((values - self.low) * self.gain + self.limits[0]).clamp(*self.limits)
        return (values - self.mean) / self.std


class Scorer(nn.Module):
    """A network with its scaling: raw numbers and validity in, probabilities out.

    Pixels without data in either date are given the mean, so that they look alike in both.
    """

    def __init__(
        self, checkpoint: Checkpoint, stretches: tuple[Stretch | None, Stretch | None], device: Device
    ) -> None:
        super().__init__()
        info = checkpoint.info
        self.network = checkpoint.network.eval()
        self.before = DateScaling(info.normalization.before, stretches[0], info.value_range)
        self.after = DateScaling(info.normalization.after, stretches[1], info.value_range)
        self.device = device
        self.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, before: Tensor, after: Tensor, valid: Tensor) -> Tensor:
        """Return (batch, scores, rows, cols) float32 from (batch, bands, rows, cols) and (batch, 1, rows, cols)."""
        before, after = (
            torch.where(valid, scaling(numbers), 0.0).contiguous(memory_format=torch.channels_last)
            for scaling, numbers in ((self.before, before), (self.after, after))
        )
        autocast = self.device.autocast
        with torch.autocast(self.device.torch_device.type, autocast, enabled=autocast is not None):
            logits = self.network(before, after)
        return probabilities(logits)


def probabilities(logits: ChangeLogits) -> Tensor:
    """Return (batch, scores, rows, cols): sigmoid of change, softmax over the classes 1..K-1 of each date."""
    change = logits.change.float().sigmoid()
    if logits.before is None or logits.after is None:
        return change
    before, after = (date[:, 1:].float().softmax(dim=1) for date in (logits.before, logits.after))
    return torch.cat([change, before, after], dim=1)


def infer_tiles(scorer: Scorer, tiles: Iterator[TilePixels], batch_size: int | None) -> Iterator[TileScores]:
    """Yield the scores of each tile, in order."""
    size = batch_size or (CUDA_BATCH if scorer.device.is_cuda else CPU_BATCH)
    while batch := list(islice(tiles, size)):
        with torch.inference_mode():
            before, after, valid = (
                _to_device(arrays, scorer.device)
                for arrays in (
                    [tile.before for tile in batch],
                    [tile.after for tile in batch],
                    [tile.valid[None] for tile in batch],
                )
            )
            scores = scorer(before, after, valid)
        for pixels, score in zip(batch, scores, strict=True):
            yield TileScores(pixels.tile, score, pixels.valid)


def _to_device(arrays: Sequence[NumberArray | BoolArray], device: Device) -> Tensor:
    stacked: np.ndarray[Any, Any] = np.stack(arrays)
    tensor = torch.from_numpy(stacked)
    if device.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device.torch_device, non_blocking=True)
