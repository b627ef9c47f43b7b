"""Boundary F1 of the changed area, by max-pooling of bools on the device.

After the boundary F1 of Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic
segmentation?", BMVC 2013, for the one class "changed", with counts over all maps together in place of a mean
over images, and with the distance max(rows, cols) in place of the Euclidean one.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

NEIGHBOUR_PX = 1


def halo_px(tolerance_px: int) -> int:
    """Return how many pixels around a window its boundary counts depend on."""
    return tolerance_px + NEIGHBOUR_PX


def boundary_counts(
    predicted: Tensor, labelled: Tensor, valid: Tensor, tolerance_px: int, inner: tuple[slice, slice]
) -> Tensor:
    """Return (4,) int64: predicted boundary pixels, those of them near a labelled one; and the same the other way.

    predicted, labelled, valid: (maps, rows, cols) bool, whether changed and whether known. Only the rows and cols
    of `inner` are counted; the pixels around them are there to be seen, `halo_px` of them where the scene goes on.
    """
    seen = _boundary(predicted, valid), _boundary(labelled, valid)
    near = _grown(seen[0], tolerance_px), _grown(seen[1], tolerance_px)
    counted = [part[:, inner[0], inner[1]] for part in (*seen, *near)]
    mine, theirs, near_mine, near_theirs = counted
    return torch.stack([mine.sum(), (mine & near_theirs).sum(), theirs.sum(), (theirs & near_mine).sum()])


def _boundary(changed: Tensor, valid: Tensor) -> Tensor:
    """Return where a changed pixel has an unchanged one among its eight neighbours.

    Neither the edge of the map nor a pixel that is not valid makes a boundary.
    """
    return changed & valid & _grown(~changed & valid, NEIGHBOUR_PX)


def _grown(mask: Tensor, reach_px: int) -> Tensor:
    """Return where (maps, rows, cols) `mask` is True within `reach_px` rows and cols: max-pooling with stride 1."""
    return _pooled(_pooled(mask, reach_px, -2), reach_px, -1)


def _pooled(mask: Tensor, reach_px: int, dim: int) -> Tensor:
    """Return the maximum of bools over 2 * reach_px + 1 places along a dimension, False beyond its ends.

    The window doubles from step to step, on single bytes: torch's own pooling takes floats, and on a processor
    makes indices as well.
    """
    size, window = 2 * reach_px + 1, 1
    padding = (reach_px, reach_px) if dim == -1 else (0, 0, reach_px, reach_px)
    pooled = F.pad(mask, padding, value=False)
    while window < size:
        step = min(window, size - window)
        length = pooled.shape[dim] - step
        pooled = pooled.narrow(dim, 0, length) | pooled.narrow(dim, step, length)
        window += step
    return pooled
