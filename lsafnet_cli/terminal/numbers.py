"""How the numbers of maps are shown: areas and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json

if TYPE_CHECKING:
    from lsafnet_cli.evaluation.report import Evaluation
    from lsafnet_cli.maps.summarize import MapSummary
    from lsafnet_cli.maps.summary_formats import FromTo


def show_summary(summary: MapSummary, form: str) -> None:
    """Print the numbers of a map: "table", "csv", "json" or "markdown"."""
    from lsafnet_cli.maps.summary_formats import csv_text, from_to_table, markdown_text

    if form == "json":
        show_json(summary.as_dict())
    elif form == "table":
        console = Console(soft_wrap=True)
        for part in map(from_to_table, summary.parts):
            shown = [_rich_table(part)] if part.rows else [Text(part.title)]
            console.print(*shown, Text(part.note), "", sep="\n")
    else:
        print(csv_text(summary) if form == "csv" else markdown_text(summary), end="")


def show_evaluation(report: Evaluation, as_json: bool) -> None:
    """Print scores: tables for a person, or JSON."""
    from lsafnet_cli.evaluation.tables import evaluation_tables

    if as_json:
        show_json(report.as_dict())
        return
    console = Console(soft_wrap=True)
    for part in evaluation_tables(report):
        console.print(
            _rich_table(part, whole_names=True), Text(f"{part.note}\n" if part.note else ""), sep="\n"
        )


def _rich_table(part: FromTo, whole_names: bool = False) -> Table:
    shown = Table(title=Text(printable(part.title)), title_justify="left")
    for index, heading in enumerate(part.headings):
        name = index == 0
        shown.add_column(Text(heading), justify="left" if name else "right", no_wrap=name and whole_names)
    for row in part.rows:
        shown.add_row(*map(Text, row))
    return shown
