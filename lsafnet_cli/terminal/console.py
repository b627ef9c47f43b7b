"""What all commands show: notices and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from lsafnet.texts import is_hidden
from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.flags import in_flags
from lsafnet_cli.terminal.room import print_table, say
from lsafnet_cli.terminal.waiting import end_waiting

if TYPE_CHECKING:
    from lsafnet_cli.maps.table import ChangeTable
    from lsafnet_cli.polygons.vectorization import PolygonReport
    from lsafnet_cli.prediction.redecide import RedecideReport
    from lsafnet_cli.prediction.report import RunReport
    from lsafnet_cli.report_page.page import PageReport


def show_error(text: str) -> None:
    """Print one line on stderr."""
    print(f"lsafnet: {printable(in_flags(text))}", file=sys.stderr)


def show_json(values: dict[str, Any]) -> None:
    """Print a result for another program, its notices in the words of the command line."""
    end_waiting()
    text = in_flags(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))
    print("".join(json.dumps(char)[1:-1] if is_hidden(char) and char != "\n" else char for char in text))


def show_report(report: RunReport, as_json: bool, verbose: bool = False) -> None:
    """Print what a run found: a table for a person, or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    _show_found(report.finding, report.table, report.outputs)
    if verbose:
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items())
        print(f"note: {stages} on {report.device}", file=sys.stderr)


def _show_found(finding: str, table: ChangeTable, outputs: Mapping[str, str]) -> None:
    """Print the finding, the from-to table, the pixels with and without data, and where the files lie."""
    say(printable(finding))
    print_table(transition_table(table), names=2)
    say(_summary(table))
    for name, path in outputs.items():
        print(f"{name}: {printable(path)}")


def show_decided(report: RedecideReport, as_json: bool) -> None:
    """Print what a map holds that was decided again: a table for a person, or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    _show_found(report.finding, report.table, report.outputs)


def show_polygon_report(report: PolygonReport, as_json: bool) -> None:
    """Print how many polygons were written, and where."""
    if as_json:
        show_json(report.as_dict())
        return
    print(f"{report.polygon_count:,} polygons of {printable(report.map)}")
    for path in report.outputs:
        print(f"polygons: {printable(path)}")


def show_page(report: PageReport, as_json: bool) -> None:
    """Print what is on a page, and where it was written."""
    if as_json:
        show_json(report.as_dict())
        return
    say(_summary(report.table))
    rows, cols = report.picture_shape
    size = f"{report.size_bytes / 1e6:.1f} MB, all of the map in {cols:,} x {rows:,} pixels"
    print(f"page: {printable(report.path)} ({size})")


def transition_table(table: ChangeTable) -> Table:
    """Return the transitions of a map, largest first."""
    shown = Table("from", "to", title="What changed", title_justify="left")
    for heading in ("pixels", "ha", "share"):
        shown.add_column(heading, justify="right")
    for row in table.transitions:
        area = f"{row.area_ha:,.2f}" if row.area_ha is not None else "-"
        names = (row.from_class or "-", row.to_class or row.name)
        shown.add_row(*map(Text, names), f"{row.pixels:,}", area, f"{row.share:.2%}")
    return shown


def _summary(table: ChangeTable) -> str:
    changed = f"changed: {table.changed_pixels:,} of {table.valid_pixels:,} pixels with data"
    if table.changed_ha is not None:
        changed += f", {table.changed_ha:,.2f} of {table.valid_ha:,.2f} ha"
    return f"{changed}; {table.nodata_pixels:,} pixels without data"
