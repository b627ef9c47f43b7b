"""How a run is watched on stderr: bars and notices for people, JSON lines for programs, debug lines."""

import json
import logging
import sys
import time
from typing import Any

from tqdm import tqdm

from lsafnet_cli.errors import printable
from lsafnet_cli.observer import LOG, Observer
from lsafnet_cli.terminal.flags import in_flags
from lsafnet_cli.terminal.room import in_lines, is_narrow
from lsafnet_cli.terminal.waiting import end_waiting, show_waiting

SHORT_BAR_FORMAT = "{desc} {percentage:3.0f}% |{bar}| {remaining} left"  # in narrow terminals
BAR_FORMAT = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} {unit}  {rate_fmt}  {remaining} left"
JSON_EVERY_SECONDS = 0.2
DEBUG = 2  # how often -v is given


class BarObserver(Observer):
    """Shows notices, a bar with rate and time left, and below it a line for each item in progress, on stderr.

    `bars`: True, False, or None for where stderr is a terminal. `details`: also what is said about single items.
    """

    def __init__(self, bars: bool | None = None, details: bool = False) -> None:
        super().__init__()
        self._disable, self._details = None if bars is None else not bars, details
        self._bar: Any = None
        self._lines: dict[str, Any] = {}  # of items in progress
        self._done: dict[str, int] = {}
        self._stage, self._unit, self._items, self._ended = "", "px", 0, 0

    def notice(self, text: str, item: str = "") -> None:
        """Print one line, above the bars where there are any."""
        if self._details or not item:
            line = f"{item}: {text}" if item else text
            text = f"note: {printable(in_flags(line))}"
            if (
                sys.stderr.isatty()
            ):  # programs that read the stream are promised one line, whatever COLUMNS says
                text = in_lines(text, sys.stderr)
            tqdm.write(text, file=sys.stderr)

    def wait(self, stage: str) -> None:
        """Show the stage beside a spinner, or as a line where bars are wished and stderr is no terminal."""
        if self._disable is False and self._bar is None and not sys.stderr.isatty():
            tqdm.write(f"{stage} ...", file=sys.stderr)
        elif not self._disable and self._bar is None:
            show_waiting(stage)

    def start(self, stage: str, total: int, unit: str = "px", *, done: int = 0, items: int = 0) -> None:
        """Begin a bar."""
        end_waiting()
        look = SHORT_BAR_FORMAT if is_narrow(sys.stderr) else BAR_FORMAT
        self._stage, self._unit, self._items, self._ended = stage, unit, items, 0
        self._bar = self._new_bar(self._title(), total=total, initial=done, unit=unit, bar_format=look)

    def advance(self, amount: int, item: str = "", **facts: float) -> None:
        """Move the bar on, and say what is being worked on."""
        self._bar.update(amount)
        if facts:
            numbers = (f"{name} {value:.3f}" for name, value in facts.items())
            self._bar.set_description_str(", ".join((item, *numbers)), refresh=False)
        elif item:
            self._done[item] = self._done.get(item, 0) + amount
            if item not in self._lines:
                self._lines[item] = self._new_bar(
                    "", position=len(self._lines) + 1, leave=False, bar_format="{desc}"
                )
            self._lines[item].set_description_str(f"{printable(item)}: {self._done[item]:,} {self._unit}")

    def finish(self, item: str = "", text: str = "", **facts: Any) -> None:  # noqa: ARG002
        """End the bars, or an item's line."""
        if not item:
            for bar in (*self._lines.values(), self._bar):
                bar.close()
            self._lines.clear()
            self._bar = None
            return
        self._ended += 1
        self._bar.set_description_str(self._title())
        if item in self._lines:
            self._lines.pop(item).close()
        if text and self._details:
            tqdm.write(printable(in_flags(f"{item}: {text}")), file=sys.stderr)

    def _title(self) -> str:
        return f"{self._stage} {self._ended}/{self._items}" if self._items else self._stage

    def _new_bar(self, text: str, **look: Any) -> Any:
        return tqdm(desc=text, unit_scale=True, disable=self._disable, file=sys.stderr, **look)


class JsonObserver(Observer):
    """Writes each event as one line of JSON on stderr (docs/progress.md)."""

    def __init__(self) -> None:
        super().__init__()
        self._stage: dict[str, Any] = {}
        self._unit, self._done, self._told_at = "px", 0, 0.0

    def notice(self, text: str, item: str = "") -> None:
        """Write the notice."""
        self._write("notice", self._named(item), text=text)

    def wait(self, stage: str) -> None:
        """Write the name of a stage of unknown length."""
        if not self._stage:
            self._write("wait", {"stage": stage})

    def start(self, stage: str, total: int, unit: str = "px", *, done: int = 0, items: int = 0) -> None:
        """Write the stage's name and size."""
        self._stage, self._unit, self._done, self._told_at = {"stage": stage}, unit, done, 0.0
        count = {"items": items} if items else {}
        self._write("start", {f"total_{unit}": total, f"done_{unit}": done, **count})

    def advance(self, amount: int, item: str = "", **facts: float) -> None:
        """Write how much is done, several times a second at most."""
        self._done += amount
        if time.monotonic() - self._told_at >= JSON_EVERY_SECONDS:
            self._told_at = time.monotonic()
            self._write("advance", {f"done_{self._unit}": self._done, **self._named(item), **facts})

    def finish(self, item: str = "", text: str = "", **facts: Any) -> None:
        """Write how the stage or an item ended."""
        words = {"text": text} if text else {}
        self._write("finish", {f"done_{self._unit}": self._done, **self._named(item), **words, **facts})
        if not item:
            self._stage = {}

    @staticmethod
    def _named(item: str) -> dict[str, str]:
        return {"item": item} if item else {}

    def _write(self, event: str, values: dict[str, Any], **more: Any) -> None:
        line = json.dumps({"event": event, **self._stage, **values, **more})
        print(in_flags(line), file=sys.stderr, flush=True)


class _DebugHandler(logging.Handler):
    """Shows what is logged above the bars, or as JSON lines."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, its traceback included."""
        text = self.format(record)
        if self._as_json:
            print(json.dumps({"event": "debug", "text": text}), file=sys.stderr, flush=True)
        else:
            tqdm.write(f"debug: {text}", file=sys.stderr)


def make_observer(
    quiet: bool = False, progress: str = "auto", verbose: int = 0, *, details: bool | None = None
) -> Observer:
    """Return the observer that --quiet, --progress and --verbose ask for; `details` default to --verbose.

    From -vv on, debug lines are shown as well, and the traceback of an error.
    """
    for handler in [one for one in LOG.handlers if isinstance(one, _DebugHandler)]:
        LOG.removeHandler(handler)
    LOG.setLevel(logging.DEBUG if verbose >= DEBUG else logging.NOTSET)
    if verbose >= DEBUG:
        LOG.addHandler(_DebugHandler(progress == "json"))
    if quiet:
        return Observer()
    if progress == "json":
        return JsonObserver()
    bars = {"auto": None, "bar": True, "none": False}[progress]
    return BarObserver(bars, verbose > 0 if details is None else details)
