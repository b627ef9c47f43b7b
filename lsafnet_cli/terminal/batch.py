"""How a batch is shown: its bars, its plan, its end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from tqdm import tqdm

from lsafnet_cli.terminal.console import BAR_FORMAT, show_json

if TYPE_CHECKING:
    from lsafnet_cli.batch.driver import BatchObserver, BatchReport
    from lsafnet_cli.batch.pairing import Pairing
    from lsafnet_cli.batch.plan import BatchPlan
    from lsafnet_cli.batch.records import SceneRecord


class TerminalBatchObserver:
    """Shows a bar over all scenes, and under it what each worker is at, on stderr; without a terminal, lines."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._bars: dict[int, Any] = {}  # the overall one is number 0
        self._told: dict[str, int] = {}
        self._scenes = self._ended = self._failed = 0

    def notice(self, text: str) -> None:
        """Print one line, above the bars where there are any."""
        tqdm.write(f"note: {text}", file=sys.stderr)

    def scene_notice(self, name: str, text: str) -> None:
        """Print one line about a scene, if wished."""
        if self._verbose:
            self.notice(f"{name}: {text}")

    def begin(self, scenes: int, pixels: int) -> None:
        """Begin the overall bar."""
        self._scenes = scenes
        self._bars[0] = self._bar(0, f"0/{scenes} scenes", pixels)

    def advance(self, worker: int, name: str, pixels: int) -> None:
        """Move the overall bar on and say what a worker is at."""
        self._told[name] = self._told.get(name, 0) + pixels
        self._bars[0].update(pixels)
        if worker not in self._bars:
            self._bars[worker] = self._bar(worker, "", None)
        self._bars[worker].set_description_str(f"worker {worker}: {name}, {self._told[name]:,} px")

    def scene_ended(self, record: SceneRecord, pixels: int) -> None:
        """Count a scene; name it where it failed."""
        self._ended += 1
        self._bars[0].update(max(0, pixels - self._told.pop(record.name, 0)))
        failed = record.status == "failed"
        self._failed += failed
        self._bars[0].set_description_str(
            f"{self._ended}/{self._scenes} scenes" + (f", {self._failed} failed" if self._failed else "")
        )
        if failed:
            self.notice(f"{record.name} failed: {record.error}")
        elif self._verbose:
            self.notice(f"{record.name} is done ({record.seconds} s)")

    def finish(self) -> None:
        """End the bars."""
        for bar in self._bars.values():
            bar.close()

    @staticmethod
    def _bar(position: int, text: str, total: int | None) -> Any:
        form = BAR_FORMAT if total is not None else "{desc}"
        return tqdm(desc=text, total=total, unit="px", unit_scale=True, disable=None, file=sys.stderr,
                    bar_format=form, position=position, leave=position == 0)  # fmt: skip


def make_batch_observer(quiet: bool, verbose: bool) -> BatchObserver:
    """Return an observer that shows notices and progress, or nothing."""
    from lsafnet_cli.batch.driver import SilentBatchObserver

    return SilentBatchObserver() if quiet else TerminalBatchObserver(verbose)


def show_batch(report: BatchReport, as_json: bool) -> None:
    """Print how a batch ended, the failures in a table; or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    console = Console(soft_wrap=True)
    if report.failures:
        shown = Table(
            "scene", "exit code", Column("why", overflow="fold"), title="Failed", title_justify="left"
        )
        for record in report.failures:
            shown.add_row(Text(record.name), str(record.exit_code), Text(record.error))
        console.print(shown)
    console.print(Text(_batch_words(report)))
    for name, path in report.outputs.items():
        console.print(Text(f"{name}: {path}"))


def _batch_words(report: BatchReport) -> str:
    from lsafnet_cli.batch.records import counts

    found = counts(report.records)
    words = [f"{count:,} {status}" for status, count in found.items() if count or status == "done"]
    changed = sum(record.changed_ha or 0.0 for record in report.records)
    return (
        f"{len(report.records):,} scenes: {', '.join(words)} ({report.done_now:,} in this run, "
        f"{report.seconds:,.1f} s); changed: {changed:,.2f} ha"
    )


def show_batch_plan(plan: BatchPlan, found: Pairing, seconds: float, as_json: bool) -> None:
    """Print what a batch would do: every scene, what was left out, how long it may take; or JSON."""
    if as_json:
        left_out = {"unpaired": found.unpaired, "doubled": found.doubled}
        show_json({**plan.as_dict(), **left_out, "estimated_seconds": round(seconds, 1)})
        return
    console = Console(soft_wrap=True)
    shown = Table("scene", "before", "after", "pixels", "MB", Column("to do", overflow="fold"))
    for scene in plan.scenes:
        spec, size = scene.spec, scene.size
        pixels = f"{size.width:,} x {size.height:,}" if size.pixels else "cannot be read"
        cells = (spec.name, spec.before, spec.after, pixels, f"{size.file_bytes / 1e6:,.1f}")
        shown.add_row(*map(Text, (*cells, ", ".join(scene.reasons) or "nothing: done")))
    console.print(shown)
    for text in (
        *(f"no partner: {path}" for path in found.unpaired),
        *(f"doubled: {d}" for d in found.doubled),
    ):
        console.print(Text(text))
    console.print(Text(
        f"{len(plan.todo):,} of {len(plan.scenes):,} scenes to do, {plan.pixels / 1e6:,.1f} Mpx, "
        f"about {seconds:,.0f} s on this machine"
    ))  # fmt: skip
