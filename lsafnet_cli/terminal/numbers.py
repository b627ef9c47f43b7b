"""How the numbers of maps are shown: areas and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json
from lsafnet_cli.terminal.room import print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsafnet_cli.accuracy.assess import Assessment
    from lsafnet_cli.accuracy.sample import SampleReport
    from lsafnet_cli.evaluation.calibrate import CalibrationReport
    from lsafnet_cli.evaluation.land_cover import LandCoverEvaluation
    from lsafnet_cli.evaluation.report import Evaluation
    from lsafnet_cli.maps.summarize import MapSummary
    from lsafnet_cli.maps.summary_formats import FromTo
    from lsafnet_cli.review.correct import ReviewReport


def show_summary(summary: MapSummary, form: str) -> None:
    """Print the numbers of a map: "table", "csv", "json" or "markdown"."""
    from lsafnet_cli.maps.summary_formats import csv_text, from_to_table, markdown_text, zones_table

    if form == "json":
        show_json(summary.as_dict())
    elif form == "table":
        say(printable(summary.finding))
        _show_tables(map(from_to_table, summary.parts))
        if summary.zones:
            _show_tables([zones_table(summary)])
    else:
        print(csv_text(summary) if form == "csv" else markdown_text(summary), end="")


def show_evaluation(report: Evaluation, as_json: bool) -> None:
    """Print scores: tables for a person, or JSON."""
    from lsafnet_cli.evaluation.tables import evaluation_tables

    if as_json:
        show_json(report.as_dict())
    else:
        _show_tables(evaluation_tables(report))


def show_land_cover(report: LandCoverEvaluation, as_json: bool) -> None:
    """Print how the land cover of one date compares with a reference: tables for a person, or JSON."""
    from lsafnet_cli.evaluation.tables import land_cover_tables

    if as_json:
        show_json(report.as_dict())
    else:
        _show_tables(land_cover_tables(report))


def show_sample(report: SampleReport, as_json: bool) -> None:
    """Print how many points each stratum got: a table for a person, or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    shown = Table("stratum", title="Sample", title_justify="left")
    for heading in ("points", "pixels", "ha"):
        shown.add_column(heading, justify="right")
    for row in report.strata:
        area = f"{row.area_ha:,.2f}" if row.area_ha is not None else "-"
        shown.add_row(Text(printable(row.name)), f"{row.points:,}", f"{row.pixels:,}", area)
    print_table(shown)
    print(f"points: {printable(report.output)} ({report.points:,}, seed {report.seed})")


def show_review(report: ReviewReport, as_json: bool) -> None:
    """Print what a review says of each transition: a table for a person, or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    shown = Table("transition", title="Reviewed polygons", title_justify="left")
    for heading in ("accepted", "rejected", "corrected", "accepted share", "of pixels"):
        shown.add_column(heading, justify="right")
    for row in report.transitions:
        counts = (f"{n:,}" for n in (row.accepted, row.rejected, row.corrected))
        shares = (_percent(share) for share in (row.accepted_share, row.accepted_pixel_share))
        shown.add_row(Text(printable(row.name)), *counts, *shares)
    print_table(shown)
    print(f"{report.reviewed:,} polygons reviewed, {report.still_open:,} still open")
    by_pixels = _percent(report.accepted_pixel_share)
    print(f"accepted: {_percent(report.accepted_share)} of the polygons, {by_pixels} of their pixels")
    print(f"map: {printable(report.output)} ({report.changed_pixels:,} pixels corrected)")
    if report.labels is not None:
        print(f"labels: {printable(report.labels)} ({report.label_tiles:,} tiles)")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def show_assessment(report: Assessment, form: str) -> None:
    """Print accuracies and adjusted areas: "table", "csv", "json" or "markdown"."""
    from lsafnet_cli.accuracy.tables import assessment_tables, csv_text, markdown_text, matrix_table

    if form == "json":
        show_json(report.as_dict())
    elif form == "table":
        _show_tables(assessment_tables(report))
        print_table(_rich_table(matrix_table(report)))
    else:
        print(csv_text(report) if form == "csv" else markdown_text(report), end="")


def _show_tables(parts: Iterable[FromTo]) -> None:
    """Print tables whole, what is noted below each, and an empty line."""
    for part in parts:
        if part.rows:
            print_table(_rich_table(part))
        else:
            print(printable(part.title))
        say(part.note)
        if part.note:
            print()


def show_calibration(report: CalibrationReport, as_json: bool) -> None:
    """Print a decision that was fitted, and how reliable probabilities are before and after it; or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    both = {"before": report.before, "after": report.after}
    shown = Table("", *both, title=f"Decision of {report.checkpoint}", title_justify="left")
    rows = {
        "changed above": [f"{one.decision.threshold:.4f}" for one in both.values()],
        "temperature": [f"{one.decision.temperature:.4f}" for one in both.values()],
        "bias": [f"{one.decision.bias:+.4f}" for one in both.values()],
        "calibration error (ECE)": [f"{one.calibration_error:.4f}" for one in both.values()],
        "F1 of changed": [f"{one.f1:.4f}" for one in both.values()],
    }
    for name, cells in rows.items():
        shown.add_row(name, *cells)
    print_table(shown)
    for name, one in both.items():
        table = Table("probability", "its mean", "have changed", "pixels", title=f"Reliability {name}")
        for row in one.rows:
            span = f"{row.low:.0%} to {row.high:.0%}"
            table.add_row(span, f"{row.probability:.1%}", f"{row.changed:.1%}", f"{row.pixels:,}")
        print_table(table)
    say(f"fitted on {printable(report.after.decision.fitted_on)}: {report.pixels:,} pixels")
    print(f"checkpoint: {printable(report.output)}")


def _rich_table(part: FromTo) -> Table:
    shown = Table(title=Text(printable(part.title)), title_justify="left")
    for index, heading in enumerate(part.headings):
        shown.add_column(Text(heading), justify="left" if index == 0 else "right")
    for row in part.rows:
        shown.add_row(*map(Text, row))
    return shown
