"""What the program says on stderr: `--progress json` lines, and lines for people. Without QGIS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

ERROR = "lsafnet: "
NOTE = "note: "


@dataclass(frozen=True)
class Event:
    """One line: what kind (wait, start, advance, finish, notice, error or line), its words, its amount."""

    kind: str
    text: str = ""
    amount: int = 0


def read_event(line: str) -> Event:
    """Return what a line of stderr says; one that is no event is "error", "notice" or "line", by how it begins."""
    line = line.rstrip("\r\n")
    values = _json_of(line)
    if values is not None:
        kind = str(values["event"])
        text = values.get("stage" if kind in ("wait", "start") else "text", "")
        return Event(kind, str(text), _amount(values, "total_" if kind == "start" else "done_"))
    if line.startswith(ERROR):
        return Event("error", line[len(ERROR) :])
    if line.startswith(NOTE):
        return Event("notice", line[len(NOTE) :])
    return Event("line", line)


def _json_of(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) and "event" in values else None


def _amount(values: dict[str, Any], prefix: str) -> int:
    """Return the amount under whatever unit the program counts in: pixels, scenes, steps ..."""
    return next((int(value) for name, value in values.items() if name.startswith(prefix)), 0)


class Progress:
    """Keeps how far a run has come, from the events it is told."""

    def __init__(self) -> None:
        self.stage = ""
        self._total = self._done = 0

    def take(self, event: Event) -> None:
        """Take the next event."""
        if event.kind == "start":
            self.stage, self._total, self._done = event.text, event.amount, 0
        elif event.kind in ("advance", "finish"):
            self._done = event.amount

    @property
    def percent(self) -> float:
        """How much of the stage is done, 0..100."""
        return min(100.0, 100 * self._done / self._total) if self._total else 0.0
