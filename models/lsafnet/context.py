"""Spatial context of change: the logit of a pixel learns from those around it.

One step of mean-field inference in an autologistic (Ising) model of the change map, in which pixels of like state
attract each other by a Gaussian of their distance: Besag, "Spatial interaction and the statistical analysis of
lattice systems", J. R. Stat. Soc. B 36, 1974; the Gaussian kernel and the inference are those of Krähenbühl and
Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NeurIPS 2011, without colours.
"""

import torch
from torch import Tensor, nn

from lsafnet.checkpoint.context import ChangeContext


class ContextFilter(nn.Module):
    """Adds weight * (Gaussian mean of tanh(logit / 2)) to change logits."""

    def __init__(self, context: ChangeContext) -> None:
        super().__init__()
        self._sigma_px, self._weight = context.sigma_px, context.weight
        self._kept: dict[tuple[int, torch.device], Tensor] = {}
        self._half = nn.Buffer(torch.full((1, 1, 1), -0.5), persistent=False)

    def forward(self, change: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return float32 logits (batch, 1, rows, cols) like `change`.

        valid: bool (batch, 1, rows, cols); elsewhere nothing is known, which speaks neither for change nor
        against it, as where a logit is NaN. Beyond the border of the image nothing is assumed: the mean is that of
        the pixels inside.
        """
        logits = change[:, 0].float()
        # tanh(x / 2) is 2 * (sigmoid(x) - 1/2); the half is taken off in the first product, whose rows sum to 1
        state = torch.nan_to_num(torch.sigmoid(logits), nan=0.5)
        if valid is not None:
            state = torch.where(valid[:, 0], state, 0.5)
        count, height, width = logits.shape
        rows, cols = (self._mean(size, logits.device) for size in (height, width))
        mean = torch.baddbmm(self._half.expand_as(logits), rows.expand(count, -1, -1), state)
        return torch.baddbmm(logits, mean, cols.T.expand(count, -1, -1), alpha=2 * self._weight)[:, None]

    def _mean(self, size: int, device: torch.device) -> Tensor:
        """Return `gaussian_mean`, kept for each size unless a program is being exported."""
        if torch.compiler.is_compiling():
            return gaussian_mean(size, self._sigma_px, device)
        if (size, device) not in self._kept:
            self._kept[size, device] = gaussian_mean(size, self._sigma_px, device)
        return self._kept[size, device]


def gaussian_mean(size: int, sigma_px: float, device: torch.device | None = None) -> Tensor:
    """Return float32 (size, size): its product with a column of pixels is their Gaussian mean, row by row."""
    place = torch.arange(size, dtype=torch.float32, device=device)
    weights = torch.exp(-0.5 * ((place[:, None] - place) / sigma_px) ** 2)
    return weights / weights.sum(1, keepdim=True)
