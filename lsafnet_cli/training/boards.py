"""TensorBoard (extra `tensorboard`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsafnet_cli.errors import OptionError
from lsafnet_cli.training.watching import EpochRow

FOLDER = "tensorboard"


class Board:
    """Writes epochs to TensorBoard; without a writer nothing is written."""

    def __init__(self, writer: Any = None) -> None:
        self._writer = writer

    def add(self, row: EpochRow) -> None:
        """Show an epoch's numbers at its step."""
        if self._writer is None:
            return
        for group, values in (("loss", row.losses), ("score", row.scores)):
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, row.step)
        self._writer.add_scalar("learning_rate", row.learning_rate, row.step)
        self._writer.flush()


@contextmanager
def open_board(run: Path, wished: bool) -> Iterator[Board]:
    """Open the board of a run. Raises OptionError if TensorBoard is requested and not installed."""
    if not wished:
        yield Board()
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise OptionError("`tensorboard`: install it with pip install 'lsafnet[tensorboard]'") from None
    with SummaryWriter(str(run / FOLDER)) as writer:
        yield Board(writer)
