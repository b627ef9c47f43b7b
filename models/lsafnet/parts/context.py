"""Local and global context: the weights w(x), and the modules LGCE and LGAA that use them.

Zhou et al., "A late-stage bitemporal feature fusion network for semantic change detection", IEEE GRSL 22
(2025), eq. 3-8, after Dai et al., "Attentional feature fusion", WACV 2021.
"""

import torch
from torch import Tensor, nn

from lsafnet.parts.layers import pointwise

PAPER_KEYS = ("local_context", "global_context")


def _bottleneck(channels: int) -> list[nn.Module]:
    narrow = max(channels // 4, 1)
    return [*pointwise(channels, narrow), nn.Conv2d(narrow, channels, 1), nn.BatchNorm2d(channels)]


class ContextWeights(nn.Module):
    """w(x) = sigmoid(local(x) + global(x)) (eq. 3): a weight 0..1 for each value of x.

    Both contexts are conv1x1(c -> c/4), BN, ReLU, conv1x1(c/4 -> c), BN; the global one sees the mean over
    rows and cols, so training needs a batch of two or more. Eq. 3 as printed places BN otherwise; the text,
    the work it cites and the released code agree on this order. `keys` are the names of the two contexts.
    """

    def __init__(self, channels: int, keys: tuple[str, str] = PAPER_KEYS) -> None:
        super().__init__()
        self.add_module(keys[0], nn.Sequential(*_bottleneck(channels)))
        self.add_module(keys[1], nn.Sequential(nn.AdaptiveAvgPool2d(1), *_bottleneck(channels)))

    def forward(self, x: Tensor) -> Tensor:
        local_context, global_context = self.children()
        return torch.sigmoid(local_context(x) + global_context(x))


class LGCE(ContextWeights):
    """Local-global context enhancement: x * w(x) (eq. 8)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * super().forward(x)


class LGAA(ContextWeights):
    """Local-global attentional aggregation: a * w(a + b) + b * (1 - w(a + b)) (eq. 5), times `gain`."""

    def __init__(self, channels: int, keys: tuple[str, str] = PAPER_KEYS, gain: float = 1) -> None:
        super().__init__(channels, keys)
        self._gain = gain

    def forward(self, a: Tensor, b: Tensor) -> Tensor:  # type: ignore[override]  # two maps in, not one
        weights = super().forward(a + b)
        fused = a * weights + b * (1 - weights)
        return fused if self._gain == 1 else self._gain * fused


class ConcatFusion(nn.Module):
    """What LGAA replaces (Table III): concatenate two maps of `channels`, reduce by a pointwise layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = pointwise(2 * channels, channels)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        fused: Tensor = self.reduce(torch.cat([a, b], dim=1))
        return fused
