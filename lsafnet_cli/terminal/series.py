"""How a series is shown: what each interval changed, how often ground changed, how well the intervals agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json

if TYPE_CHECKING:
    from lsafnet_cli.series.report import SeriesReport


def show_series(report: SeriesReport, as_json: bool) -> None:
    """Print what a series found: tables for a person, or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    from lsafnet_cli.series.report import consistency_text

    console = Console(soft_wrap=True)
    console.print(interval_table(report))
    console.print(frequency_table(report))
    if report.consistency is not None:
        print(consistency_text(report.consistency))
    for name, path in report.outputs.items():
        console.print(Text(f"{name}: {printable(path)}"))


def interval_table(report: SeriesReport) -> Table:
    """Return the transitions of each interval, the largest first, and their sum."""
    shown = Table("interval", "from", "to", title="What changed, and when", title_justify="left")
    for heading in ("pixels", "ha", "share"):
        shown.add_column(heading, justify="right")
    for interval in report.intervals:
        table = interval.table
        for row in table.transitions:
            names = (interval.name, row.from_class or "-", row.to_class or row.name)
            shown.add_row(*map(Text, names), f"{row.pixels:,}", _area(row.area_ha), f"{row.share:.2%}")
        share = f"{table.changed_pixels / table.valid_pixels:.2%}" if table.valid_pixels else "-"
        total = (f"{table.changed_pixels:,}", _area(table.changed_ha), share)
        shown.add_row(Text(interval.name), Text("all changes"), "", *total, end_section=True)
    return shown


def frequency_table(report: SeriesReport) -> Table:
    """Return how much ground changed how often."""
    shown = Table("changes", title="How often", title_justify="left")
    for heading in ("pixels", "ha"):
        shown.add_column(heading, justify="right")
    for row in report.frequencies:
        shown.add_row(str(row.times) if row.times else "none", f"{row.pixels:,}", _area(row.ha))
    if report.incomplete_pixels:
        shown.add_row(
            "none seen, some intervals without data",
            f"{report.incomplete_pixels:,}",
            _area(report.incomplete_ha),
        )
    return shown


def _area(ha: float | None) -> str:
    return f"{ha:,.2f}" if ha is not None else "-"
