"""How a batch is shown: its plan, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json
from lsafnet_cli.terminal.flags import in_flags
from lsafnet_cli.terminal.room import print_table, say

if TYPE_CHECKING:
    from lsafnet_cli.batch.driver import BatchReport
    from lsafnet_cli.batch.files import Pairing
    from lsafnet_cli.batch.plan import BatchPlan


def show_batch(report: BatchReport, as_json: bool) -> None:
    """Print how a batch ended, the failures in a table; or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    if report.failures:
        shown = Table(
            "scene", "exit code", Column("why", overflow="fold"), title="Failed", title_justify="left"
        )
        for record in report.failures:
            shown.add_row(Text(record.name), str(record.exit_code), Text(in_flags(record.error)))
        print_table(shown)
    say(_batch_words(report))
    for name, path in report.outputs.items():
        print(f"{name}: {path}")


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
        left_out = {"unpaired": found.unpaired, "doubled": found.doubled, "notes": found.notes}
        show_json({**plan.as_dict(), **left_out, "estimated_seconds": round(seconds, 1)})
        return
    shown = Table("scene", "before", "after", "pixels", "MB", Column("to do", overflow="fold"))
    for scene in plan.scenes:
        spec, size = scene.spec, scene.size
        pixels = f"{size.width:,} x {size.height:,}" if size.pixels else "cannot be read"
        cells = (spec.name, spec.before, spec.after, pixels, f"{size.file_bytes / 1e6:,.1f}")
        shown.add_row(*map(Text, (*cells, ", ".join(scene.reasons) or "nothing: done")))
    print_table(shown)
    for text in (
        *found.notes,
        *(f"no partner: {path}" for path in found.unpaired),
        *(f"doubled: {d}" for d in found.doubled),
    ):
        say(printable(text))
    say(
        f"{len(plan.todo):,} of {len(plan.scenes):,} scenes to do, {plan.pixels / 1e6:,.1f} Mpx, "
        f"about {seconds:,.0f} s on this machine"
    )
