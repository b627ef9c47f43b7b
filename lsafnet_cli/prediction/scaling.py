"""Scaling: raw values are normalised for the network, and its change logits are calibrated."""

import math

import torch
from torch import Tensor, nn

from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, Normalization
from lsafnet.context import ContextFilter
from lsafnet.logits import ChangeLogits
from lsafnet_cli.scenes.stretch import Stretch


class DateScaling(nn.Module):
    """Normalises raw values of both dates: stretch, then (value - mean) / std.

    Both are one multiplication and one addition, with a clamp if there is a stretch.
    """

    def __init__(
        self,
        normalization: Normalization,
        stretches: tuple[Stretch | None, Stretch | None],
        value_range: tuple[float, float],
    ) -> None:
        super().__init__()
        dates = (normalization.before, normalization.after)
        parts = [_scaling(*date, value_range) for date in zip(dates, stretches, strict=True)]
        gain, offset, lowest, highest = (
            torch.stack(part)[:, None].float() for part in zip(*parts, strict=True)
        )
        self.clamped = any(stretch is not None for stretch in stretches)
        self.gain, self.offset, self.lowest, self.highest = map(nn.Buffer, (gain, offset, lowest, highest))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return float32 (2, batch, bands, rows, cols)."""
        values = torch.addcmul(self.offset, numbers.to(torch.float32), self.gain)
        return torch.clamp(values, self.lowest, self.highest) if self.clamped else values


def _scaling(
    date: BandStatistics, stretch: Stretch | None, value_range: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return gain, offset, lowest and highest value of one date, (bands, 1, 1) each."""
    mean, std = (_per_band(values) for values in (date.mean, date.std))
    gain, offset = 1 / std, -mean / std
    if stretch is None:
        everything = torch.full_like(mean, math.inf)
        return gain, offset, -everything, everything
    low, high = _per_band(stretch.low), _per_band(stretch.high)
    slope = (value_range[1] - value_range[0]) / (high - low)
    lowest, highest = ((limit - mean) / std for limit in value_range)
    return slope * gain, (value_range[0] - low * slope) * gain + offset, lowest, highest


def _per_band(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


class Calibration(nn.Module):
    """Calibrates change logits as a checkpoint says: its scale bias, its context, then temperature and bias.

    scale: by how much the network sees the images enlarged. Reduced images get no scale bias.
    """

    def __init__(self, info: CheckpointInfo, scale: float = 1.0) -> None:
        super().__init__()
        decision = info.decision
        self._plain, self._slope = decision.plain, 1 / decision.temperature
        self._of_scale = info.scale_bias * max(math.log2(scale), 0.0)
        self.bias = nn.Buffer(torch.tensor(decision.bias, dtype=torch.float32))
        self.context = None if info.context is None else ContextFilter(info.context)

    def forward(self, logits: ChangeLogits, valid: Tensor | None = None) -> ChangeLogits:
        """Return the logits with calibrated change; valid: bool (batch, 1, rows, cols), None where all is valid."""
        change = logits.change
        if self._of_scale:
            change = change + self._of_scale
        if self.context is not None:
            change = self.context(change, valid)
        if not self._plain:
            change = torch.add(self.bias, change, alpha=self._slope)
        return logits._replace(change=change)
