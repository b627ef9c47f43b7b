"""Both dates at once: what a network shares between them runs on one batch of both."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lsafnet.logits import ChangeLogits


def split_dates(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the before and the after half of a batch of both dates."""
    before, after = maps.chunk(2)
    return before, after


def both_dates(module: Callable[[Tensor], Tensor], before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `module` makes of each date, computed as one batch."""
    return split_dates(module(torch.cat([before, after])))


def fill_up(image: Tensor, multiple: int) -> Tensor:
    """Return (batch, bands, rows, cols) with its last row and col repeated up to a multiple of pixels."""
    rows, cols = image.shape[-2], image.shape[-1]
    return F.pad(image, (0, -cols % multiple, 0, -rows % multiple), mode="replicate")


def cut_back(logits: ChangeLogits, image: Tensor) -> ChangeLogits:
    """Return the logits of `image` alone, without those of what `fill_up` has added to it."""
    rows, cols = image.shape[-2], image.shape[-1]
    change, before, after = (None if x is None else x[..., :rows, :cols] for x in logits)
    return ChangeLogits(change, before, after)  # type: ignore[arg-type]  # change is never None
