"""An assessment as tables for people, Markdown, CSV, and a picture."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lsafnet_cli.accuracy.assess import Assessment, ClassAccuracy, Interval
from lsafnet_cli.maps.plots import write_figure
from lsafnet_cli.maps.summary_formats import FromTo, markdown_lines

CSV_COLUMNS = ("kind", "from", "to", "name", "points", "mapped_ha", "value", "low", "high")


def assessment_tables(report: Assessment) -> Iterator[FromTo]:
    """Yield the accuracies and the areas."""
    yield _accuracy_table(report)
    yield _area_table(report)


def _accuracy_table(report: Assessment) -> FromTo:
    rows = [("all", _words(report.overall_accuracy), "", f"{report.points:,}", "")]
    rows += [
        (user.name, _words(user), _words(producer), f"{user.points:,}", f"{producer.points:,}")
        for user, producer in zip(report.users, report.producers, strict=True)
    ]
    headings = ("", "user's", "producer's", "n map", "n ref.")
    note = f"{report.points:,} points in {report.strata:,} strata; 95 % intervals; all: overall accuracy"
    title = f"Accuracy of {Path(report.map).name} by {Path(report.points_file).name}"
    return FromTo(title, headings, tuple(rows), note)


def _words(share: Interval | ClassAccuracy) -> str:
    if share.value is None:
        return "-"
    if share.low is None or share.high is None:
        return f"{share.value:.3f}"
    return f"{share.value:.3f} ({share.low:.3f} to {share.high:.3f})"


def _area_table(report: Assessment) -> FromTo:
    in_ha = report.assessed_ha is not None
    rows = []
    for one in report.areas:
        share = one.adjusted_share
        mapped, *adjusted = (
            (one.mapped_ha, one.adjusted_ha, one.low_ha, one.high_ha)
            if in_ha
            else (one.mapped_share, share.value, share.low, share.high)
        )
        texts = [f"{x:,.2f}" if in_ha else f"{x:.4f}" for x in (mapped, *adjusted) if x is not None]
        between = f"{texts[2]} to {texts[3]}" if len(texts) == 4 else "-"
        rows.append((one.name, texts[0], texts[1], between))
    unit = "ha" if in_ha else "share of the map"
    headings = ("", f"mapped, {unit}", "adjusted", "95 % interval")
    note = f"adjusted over {report.assessed_ha:,.2f} ha" if report.assessed_ha is not None else ""
    return FromTo("Areas", headings, tuple(rows), note)


def matrix_table(report: Assessment) -> FromTo:
    """Return the error matrix: rows the map, columns the reference."""
    rows = [
        (name, *(f"{share:.4f}" if share else "-" for share in row), f"{sum(row):.4f}")
        for name, row in zip(report.classes, report.matrix, strict=True)
    ]
    columns = np.array(report.matrix).sum(axis=0).tolist()
    rows.append(("sum", *(f"{share:.4f}" for share in columns), f"{sum(columns):.4f}"))
    headings = ("map / reference", *report.classes, "sum")
    return FromTo("Error matrix in shares of the ground", headings, tuple(rows), "")


def markdown_text(report: Assessment) -> str:
    """Return an assessment as Markdown."""
    tables = (*assessment_tables(report), matrix_table(report))
    return "\n".join(line for table in tables for line in markdown_lines(table))


def csv_text(report: Assessment) -> str:
    """Return an assessment as CSV: a line for each accuracy and each area."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, CSV_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_csv_rows(report))
    return sink.getvalue()


def _csv_rows(report: Assessment) -> Iterator[dict[str, Any]]:
    overall = report.overall_accuracy
    yield {
        "kind": "overall", "points": report.points,
        "value": overall.value, "low": overall.low, "high": overall.high,
    }  # fmt: skip
    for kind, rows in (("user", report.users), ("producer", report.producers)):
        for row in rows:
            yield {
                "kind": kind, "from": row.from_class, "to": row.to_class, "name": row.name,
                "points": row.points, "value": row.value, "low": row.low, "high": row.high,
            }  # fmt: skip
    for area in report.areas:
        share = area.adjusted_share
        names = {"from": area.from_class, "to": area.to_class, "name": area.name}
        yield {
            "kind": "area_ha", **names, "mapped_ha": area.mapped_ha,
            "value": area.adjusted_ha, "low": area.low_ha, "high": area.high_ha,
        }  # fmt: skip
        yield {"kind": "area_share", **names, "value": share.value, "low": share.low, "high": share.high}


def plot_assessment(report: Assessment, target: Path) -> None:
    """Draw each change's mapped and adjusted area with its interval. Raises OutputError."""
    write_figure(lambda: _draw(report), target)


def _draw(report: Assessment) -> Any:
    from matplotlib.figure import Figure

    in_ha = report.assessed_ha is not None
    changes = [one for one in report.areas if one.name != report.classes[0]] or list(report.areas)
    figure = Figure(figsize=(8, 1.6 + 0.42 * len(changes)), layout="constrained")
    axes = figure.add_subplot()
    for place, one in enumerate(reversed(changes)):
        share = one.adjusted_share
        mapped = one.mapped_ha if in_ha else one.mapped_share
        value, low, high = (
            (one.adjusted_ha, one.low_ha, one.high_ha) if in_ha else (share.value, share.low, share.high)
        )
        axes.plot([mapped or 0.0], [place], "D", color="0.55", label="mapped" if place == 0 else None)
        if value is not None:
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], color="#1f5fa8", linewidth=2)
            axes.plot([value], [place], "o", color="#1f5fa8", label="adjusted, 95 %" if place == 0 else None)
    axes.set_yticks(range(len(changes)), [one.name for one in reversed(changes)])
    axes.set_xlim(left=0)
    axes.set_xlabel("hectares" if in_ha else "share of the map")
    axes.set_title(f"{Path(report.map).name}: areas adjusted for the map's errors", loc="left", fontsize=10)
    axes.legend(loc="best", frameon=False)
    axes.grid(axis="x", color="0.9")
    return figure
