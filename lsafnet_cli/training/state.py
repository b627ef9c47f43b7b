"""The folder of a training run: state to resume from, checkpoints, metrics; each file is complete or missing."""

import csv
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from lsafnet_cli.errors import InputError, OutputError, reason_of
from lsafnet_cli.files.fingerprints import differences
from lsafnet_cli.files.replacing import coming, output_errors, replacing
from lsafnet_cli.system.locks import LOCK, locked_outputs
from lsafnet_cli.training.watching import EpochRow

STATE, BEST, LAST = "state.pt", "best.safetensors", "last.safetensors"
METRICS, CURVES, FACTS = "metrics.csv", "curves.png", "training.json"
FILES = (STATE, BEST, LAST, METRICS, CURVES, FACTS)


def epoch_file(epoch: int) -> str:
    """Return the name of the checkpoint of an epoch."""
    return f"epoch-{epoch:03d}.safetensors"


@dataclass(slots=True)
class EpochTotals:
    """What an epoch under way has added up so far."""

    steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)

    def add(self, terms: Mapping[str, float], seconds: float, waited: float) -> None:
        """Count one step."""
        self.steps += 1
        self.seconds += seconds
        self.waited += waited
        for name, value in terms.items():
            self.losses[name] = self.losses.get(name, 0.0) + value

    @property
    def means(self) -> dict[str, float]:
        """Mean loss terms."""
        return {name: total / max(1, self.steps) for name, total in self.losses.items()}

    @property
    def waiting(self) -> float:
        """The share of the time that was spent waiting for examples."""
        return self.waited / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Progress:
    """How far a run has come, beside what the trainer keeps. `start`: the scores of a checkpoint it starts from."""

    history: list[EpochRow] = field(default_factory=list)
    tally: EpochTotals = field(default_factory=EpochTotals)
    complete: bool = False
    start: dict[str, float] | None = None

    @property
    def best(self) -> EpochRow | None:
        """The first epoch of the highest SeK."""
        return max(self.history, key=lambda row: row.scores["sek"], default=None)


class RunFolder:
    """The folder of a run. Raises OutputError where it cannot be written."""

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        self.path, self._device = path, device or torch.device("cpu")

    @contextmanager
    def held(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Make the folder and hold it for this process alone."""
        path = self.path.resolve()
        with output_errors(self.path / STATE):
            path.mkdir(parents=True, exist_ok=True)
        with locked_outputs([path], tell):
            yield

    def begin(self, fingerprint: Mapping[str, Any], resume: bool, overwrite: bool) -> None:
        """Note what is being trained. What a killed run left half written goes; so does what is overwritten.

        Raises OutputError for a folder that holds other things than a training, or one that is not to be resumed.
        """
        half = {coming(self.path / name) for name in FILES}
        with output_errors(self.path / STATE):
            for path in half:
                path.unlink(missing_ok=True)
            strange = any(path.name != LOCK for path in self.path.iterdir())
        known = (self.path / FACTS).exists()
        if strange and not known and not overwrite:
            raise OutputError(
                f"{self.path}: contains other files than those of a training; name an empty folder"
            )
        if known and not resume and not overwrite:
            raise OutputError(f"{self.path}: contains a training; add `overwrite` to replace it")
        anew = overwrite and not (resume and self._unfinished(fingerprint))
        self.write_facts({"options": fingerprint, "complete": False})
        if anew:
            with output_errors(self.path / STATE):
                for name in FILES[:-1]:
                    (self.path / name).unlink(missing_ok=True)

    def _unfinished(self, fingerprint: Mapping[str, Any]) -> bool:
        """Return whether the folder holds an unfinished training of the same options."""
        try:
            facts = json.loads((self.path / FACTS).read_text(encoding="utf-8"))
            return not facts["complete"] and not differences(facts["options"], fingerprint)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False

    def save(self, trainer: Mapping[str, Any], progress: Progress, fingerprint: Mapping[str, Any]) -> None:
        """Save all that the run goes on from."""
        kept = {
            "trainer": dict(trainer),
            "history": [asdict(row) for row in progress.history],
            "tally": asdict(progress.tally),
            "complete": progress.complete,
            "start": progress.start,
            "fingerprint": json.dumps(fingerprint, sort_keys=True),
            "random": random_states(self._device),
        }
        self._replace(STATE, lambda path: torch.save(kept, path))

    def load(
        self, fingerprint: Mapping[str, Any], overwrite: bool = False
    ) -> tuple[dict[str, Any], Progress] | None:
        """Return the trainer's state and the progress, None where there is none.

        Raises OutputError where the state is of a run with other options and must not be overwritten.
        """
        path = self.path / STATE
        if not path.exists():
            return None
        try:
            kept = torch.load(path, map_location="cpu", weights_only=True)
            before = json.loads(kept["fingerprint"])
            history = [EpochRow(**row) for row in kept["history"]]
            progress = Progress(history, EpochTotals(**kept["tally"]), kept["complete"], kept.get("start"))
        except (
            RuntimeError,
            pickle.UnpicklingError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            EOFError,
            OSError,
            RecursionError,
        ) as error:
            raise InputError(
                f"{path}: cannot resume from this file ({reason_of(error)}); add `overwrite` to start over"
            ) from error
        if changed := differences(before, fingerprint):
            if overwrite:  # killed before it was removed
                return None
            raise OutputError(
                f"{self.path}: contains a training with another {', '.join(changed)}; name another folder, "
                "or add `overwrite` to start over"
            )
        restore_random_states(kept["random"], self._device)
        return kept["trainer"], progress

    def write_history(self, history: list[EpochRow]) -> None:
        """Write the table of all epochs."""
        rows = [row.flat() for row in history]

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]) if rows else ["epoch"])
                writer.writeheader()
                writer.writerows(rows)

        self._replace(METRICS, write)

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Write what the run is and how it ended."""
        text = json.dumps(facts, indent=2, default=str)
        self._replace(FACTS, lambda path: path.write_text(text, encoding="utf-8"))

    def _replace(self, name: str, write: Callable[[Path], Any]) -> None:
        with replacing(self.path / name) as path:
            try:
                write(path)
            except RuntimeError as error:  # torch's word for a full disk
                raise OSError(str(error)) from error


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the states of the random numbers that a training on a device draws, there and on the host."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def restore_random_states(states: Mapping[str, torch.Tensor] | torch.Tensor, device: torch.device) -> None:
    """Restore what `random_states` returned; older runs kept the host's state alone."""
    states = {"cpu": states} if isinstance(states, torch.Tensor) else states
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
