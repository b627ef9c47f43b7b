"""DropBlock (Ghiasi, Lin and Le, "DropBlock: a regularization method for convolutional networks", NeurIPS 2018)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DropBlock(nn.Module):
    """In training, sets squares of `side_px` to 0 that cover about `share` of each map, and scales up the rest."""

    def __init__(self, share: float = 0.1, side_px: int = 7) -> None:
        super().__init__()
        self._share, self._side_px = share, side_px

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        rows, cols = x.shape[-2:]
        side = min(self._side_px, rows, cols)
        side -= 1 - side % 2  # odd, so that a square has a middle
        rate = self._share / side**2
        middles = torch.rand(x.shape[0], 1, rows, cols, device=x.device) < rate
        dropped = F.max_pool2d(middles.to(x.dtype), side, stride=1, padding=side // 2)
        kept = 1 - dropped
        return x * kept * (kept.numel() / kept.sum().clamp(min=1))
