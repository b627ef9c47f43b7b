"""Who watches a training, and what it is told."""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch: its number from 1, the steps taken so far, the last learning rate, seconds, the share of them spent
    waiting for examples, mean loss terms, and scores on the validation split."""

    epoch: int
    step: int
    learning_rate: float
    seconds: float
    waiting: float
    losses: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    def flat(self) -> dict[str, Any]:
        """Return all numbers by name."""
        row = {"epoch": self.epoch, "step": self.step, "learning_rate": self.learning_rate,
               "seconds": round(self.seconds, 2), "waiting": round(self.waiting, 4)}  # fmt: skip
        losses = {f"loss_{name}": round(value, 6) for name, value in self.losses.items()}
        return {**row, **losses, **{name: round(value, 6) for name, value in self.scores.items()}}


class TrainingObserver(Protocol):
    """Whoever watches a training."""

    def notice(self, text: str) -> None:
        """Take one line that the user should read."""

    def begin(self, steps: int, done: int) -> None:
        """A training of `steps` steps begins, or goes on after `done` of them."""

    def stepped(self, epoch: int, loss: float) -> None:
        """One more step has been taken."""

    def epoch_ended(self, row: EpochRow, best: bool) -> None:
        """An epoch and its validation have ended; `best` so far or not."""

    def finish(self) -> None:
        """The training has ended, well or not."""


class SilentTrainingObserver:
    """An observer that keeps the notices and shows nothing."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Keep one line."""
        self.notices.append(text)

    def begin(self, steps: int, done: int) -> None:
        """Show nothing."""

    def stepped(self, epoch: int, loss: float) -> None:
        """Show nothing."""

    def epoch_ended(self, row: EpochRow, best: bool) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""
