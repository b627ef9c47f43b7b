"""A summary as text: cells of a from-to table for people, Markdown, and CSV for other programs."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from lsafnet_cli.errors import printable
from lsafnet_cli.files.spreadsheets import spreadsheet_cell
from lsafnet_cli.maps.summarize import AreaSummary, MapSummary

CSV_COLUMNS = ("area", "zone", "kind", "from", "to", "pixels", "ha", "percent")


@dataclass(frozen=True, slots=True)
class FromTo:
    """The cells of a from-to table: headings, a row for each class changed from, then gains and nets."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def from_to_table(part: AreaSummary) -> FromTo:
    """Return the cells for one part of a map, without classes that occur in no transition."""
    kept, classes = part.changing, part.classes
    rows = [
        (
            classes[s].name,
            *(_cell(part, s, t) for t in kept),
            _amount(classes[s].loss_ha, classes[s].loss_pixels),
        )
        for s in kept
    ]
    if kept:
        rows.append(("gained", *(_amount(classes[t].gain_ha, classes[t].gain_pixels) for t in kept), ""))
        nets = ((classes[t].net_ha, classes[t].gain_pixels - classes[t].loss_pixels) for t in kept)
        rows.append(("net", *(_amount(ha, pixels, sign="+") for ha, pixels in nets), ""))
    headings = ("from / to", *(classes[t].name for t in kept), "lost")
    return FromTo(part.title, headings, tuple(rows), _note(part))


def zones_table(summary: MapSummary) -> FromTo:
    """Return one table of all zones: a row for each, with changed area and net change of each class."""
    shown = [
        index for index in range(len(summary.classes)) if any(index in z.changing for z in summary.zones)
    ]
    rows = [
        (
            zone.title,
            _amount(zone.table.valid_ha, zone.table.valid_pixels),
            _amount(zone.table.changed_ha, zone.table.changed_pixels),
            f"{zone.changed_percent:.2f}%" if zone.changed_percent is not None else "-",
            *(
                _amount(c.net_ha, c.gain_pixels - c.loss_pixels, sign="+")
                for c in (zone.classes[index] for index in shown)
            ),
        )
        for zone in summary.zones
    ]
    headings = ("zone", "with data", "changed", "share", *(f"net {summary.classes[i]}" for i in shown))
    unit = "ha" if summary.whole.table.valid_ha is not None else "pixels"
    return FromTo("All zones", headings, tuple(rows), f"in {unit}; net = gain - loss")


def _cell(part: AreaSummary, source: int, target: int) -> str:
    pixels, percent = part.matrix_pixels[source][target], part.matrix_percent[source][target]
    if not pixels or percent is None:
        return "-"
    return f"{_amount(part.matrix_ha[source][target], pixels)} ({percent:.2f}%)"


def _amount(ha: float | None, pixels: int, sign: str = "") -> str:
    return f"{ha:{sign},.2f}" if ha is not None else f"{pixels:{sign},}"


def _note(part: AreaSummary) -> str:
    table = part.table
    unit = "ha" if table.valid_ha is not None else "pixels"
    valid, nodata, changed = (
        f"{_amount(ha, pixels)} {unit}"
        for ha, pixels in (
            (table.valid_ha, table.valid_pixels),
            (table.nodata_ha, table.nodata_pixels),
            (table.changed_ha, table.changed_pixels),
        )
    )
    share = f" ({part.changed_percent:.2f}%)" if part.changed_percent is not None else ""
    return f"in {unit}; with data {valid}, changed {changed}{share}, without data {nodata}"


def markdown_text(summary: MapSummary) -> str:
    """Return a summary as Markdown: the finding in one sentence, then a heading and a from-to table for each part."""
    tables = [*map(from_to_table, summary.parts), *([zones_table(summary)] if summary.zones else [])]
    return "\n".join(
        [f"{_plain(summary.finding)}.", "", *(line for table in tables for line in markdown_lines(table))]
    )


def markdown_lines(table: FromTo) -> Iterator[str]:
    """Yield a table as Markdown, line by line."""
    yield from (f"## {_plain(table.title)}", "")
    if table.rows:
        yield _markdown_row(table.headings)
        yield "|---|" + "---:|" * (len(table.headings) - 1)
        yield from map(_markdown_row, table.rows)
        yield ""
    if table.note:
        yield from (table.note[0].upper() + table.note[1:] + ".", "")


def _markdown_row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Return a text on one line with Markdown escaped."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return printable(" ".join(text.split()))


def csv_text(summary: MapSummary) -> str:
    """Return a summary as CSV: one line for each transition that occurs, gain, loss, and total."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, CSV_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for part in summary.parts:
        for row in _csv_rows(part):
            cells = {"area": part.area, "zone": part.zone, **row}
            writer.writerow({column: spreadsheet_cell(value) for column, value in cells.items()})
    return sink.getvalue()


def _csv_rows(part: AreaSummary) -> Iterator[dict[str, object]]:
    """Yield a part's rows; percent are of its ground with data."""
    table, percent = part.table, part.matrix_percent
    valid = {"pixels": table.valid_pixels, "ha": table.valid_ha}
    changed = {"pixels": table.changed_pixels, "ha": table.changed_ha}
    yield {"kind": "valid", **valid, "percent": 100.0 if table.valid_pixels else None}
    yield {"kind": "changed", **changed, "percent": part.changed_percent}
    yield {"kind": "nodata", "pixels": table.nodata_pixels, "ha": table.nodata_ha}
    for row in table.transitions:
        share = part.changed_percent
        if part.classes:
            source, target = divmod(row.code - 1, len(part.classes))
            share = percent[source][target]
        yield {
            "kind": "transition",
            "from": row.from_class,
            "to": row.to_class or row.name,
            "pixels": row.pixels,
            "ha": row.area_ha,
            "percent": share,
        }
    for index, change in enumerate(part.classes):
        others = [other for other in range(len(part.classes)) if other != index]
        gain, loss = ([percent[o][index] for o in others], [percent[index][o] for o in others])
        gained = {"pixels": change.gain_pixels, "ha": change.gain_ha, "percent": _sum(gain)}
        lost = {"pixels": change.loss_pixels, "ha": change.loss_ha, "percent": _sum(loss)}
        yield {"kind": "gain", "to": change.name, **gained}
        yield {"kind": "loss", "from": change.name, **lost}


def _sum(percents: list[float | None]) -> float:
    return round(sum(percent or 0.0 for percent in percents), 6)
