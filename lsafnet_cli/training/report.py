"""Report of a training run."""

from dataclasses import dataclass
from typing import Any

from lsafnet_cli.errors import OutputError
from lsafnet_cli.training.setup import TrainingSetup
from lsafnet_cli.training.state import BEST, Progress, RunFolder
from lsafnet_cli.training.watching import EpochRow


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Result of a training. `best` and `last` are epochs; `best_checkpoint` holds the weights of the first.

    `start` has the scores of the checkpoint that the training started from, None without one.
    """

    run: str
    network: str
    epochs: int
    steps: int
    train_items: int
    val_items: int
    best: EpochRow
    last: EpochRow
    best_checkpoint: str
    seconds: float
    waiting: float
    stopped_early: bool
    start: dict[str, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        names = ("run", "network", "epochs", "steps", "train_items", "val_items", "best_checkpoint",
                 "seconds", "waiting", "stopped_early", "start")  # fmt: skip
        own = {name: getattr(self, name) for name in names}
        return {**own, "best": self.best.flat(), "last": self.last.flat()}


def report_of(run: RunFolder, setup: TrainingSetup, progress: Progress, steps: int) -> TrainingReport:
    """Return the report of a run after so many steps. Raises OutputError if no epoch has ended."""
    history, best = progress.history, progress.best
    if best is None:
        raise OutputError(f"{run.path}: no epoch has ended")
    seconds = sum(row.seconds for row in history)
    return TrainingReport(
        run=str(run.path),
        network=setup.info.network,
        epochs=len(history),
        steps=steps,
        train_items=sum(len(source.items) for source in setup.train),
        val_items=sum(len(source.items) for source in setup.val),
        best=best,
        last=history[-1],
        best_checkpoint=str(run.path / BEST),
        seconds=round(seconds, 2),
        waiting=round(sum(row.waiting * row.seconds for row in history) / seconds, 4) if seconds else 0.0,
        stopped_early=len(history) < setup.options.epochs,
        start=progress.start,
    )
