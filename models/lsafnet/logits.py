"""The output of all networks, and maps from it."""

from typing import NamedTuple

from torch import Tensor


class ChangeLogits(NamedTuple):
    """Logits at the size of the input images.

    change: (batch, 1, rows, cols), positive where changed.
    before, after: (batch, K, rows, cols) land cover of each date; index 0, "unchanged", is never an answer.
    Both are None for binary networks.
    """

    change: Tensor
    before: Tensor | None
    after: Tensor | None

    def float(self) -> "ChangeLogits":
        """Return them as float32."""
        before, after = (None if date is None else date.float() for date in (self.before, self.after))
        return ChangeLogits(self.change.float(), before, after)


class SupervisedLogits(NamedTuple):
    """Output in training of a network for which "unchanged" is a class like the others.

    The first three are those of `ChangeLogits`; index 0 of `before` and `after` is a target here. `auxiliary` holds
    further maps of (before, after), each (batch, K, rows, cols), for deep supervision.
    """

    change: Tensor
    before: Tensor
    after: Tensor
    auxiliary: tuple[tuple[Tensor, Tensor], ...] = ()

    def float(self) -> "SupervisedLogits":
        """Return them as float32."""
        auxiliary = tuple((before.float(), after.float()) for before, after in self.auxiliary)
        return SupervisedLogits(self.change.float(), self.before.float(), self.after.float(), auxiliary)


def land_cover(logits: Tensor) -> Tensor:
    """Return the (batch, rows, cols) int64 class 1..K-1 of each pixel of (batch, K, rows, cols) logits."""
    return logits[:, 1:].argmax(dim=1) + 1


def change_maps(logits: ChangeLogits) -> tuple[Tensor, Tensor]:
    """Return the two semantic change maps: (batch, rows, cols) int64, the class where changed, else 0.

    A pixel is changed where its change probability is above one half. Networks without semantic maps
    give 1, "changed", on both dates.
    """
    changed = (logits.change[:, 0] > 0).long()
    if logits.before is None or logits.after is None:
        return changed, changed
    return land_cover(logits.before) * changed, land_cover(logits.after) * changed
