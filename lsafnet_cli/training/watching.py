"""Metrics of an epoch."""

from dataclasses import dataclass, field
from typing import Any

TRAINING_SCORES = ("miou", "oa", "sek", "f_scd")


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

    def words(self, best: bool) -> str:
        """Return the numbers in one line; `best`: the best SeK so far."""
        scores = ", ".join(f"{name} {self.scores[name]:.3f}" for name in TRAINING_SCORES)
        return (
            f"loss {self.losses['total']:.3f}, {scores}{' (best)' if best else ''}, "
            f"{self.seconds:.0f} s, {self.waiting:.0%} of it waiting for examples"
        )

    def flat(self) -> dict[str, Any]:
        """Return all numbers by name."""
        row = {"epoch": self.epoch, "step": self.step, "learning_rate": self.learning_rate,
               "seconds": round(self.seconds, 2), "waiting": round(self.waiting, 4)}  # fmt: skip
        losses = {f"loss_{name}": round(value, 6) for name, value in self.losses.items()}
        return {**row, **losses, **{name: round(value, 6) for name, value in self.scores.items()}}
