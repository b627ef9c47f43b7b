"""What a series found, as one value that is printed, returned and written as JSON and CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lsafnet_cli.files.spreadsheets import spreadsheet_cell
from lsafnet_cli.maps.table import ChangeTable, area_text, hectares
from lsafnet_cli.series.chain import INCOMPLETE, NODATA
from lsafnet_cli.series.dates import DatedImage
from lsafnet_cli.series.intervals import Interval
from lsafnet_cli.series.layers import TIMES, WHEN
from lsafnet_cli.series.rasters import SeriesCounts, ValueCounts

CSV_COLUMNS = ("from_date", "to_date", "kind", "from", "to", "pixels", "ha", "percent")


@dataclass(frozen=True, slots=True)
class SeriesImage:
    """An image of a series: its date as far as it is known, and what tells it."""

    path: str
    date: str
    date_from: str


@dataclass(frozen=True, slots=True)
class SeriesInterval:
    """What changed between two consecutive dates; `last_change_ha` is the ground on which nothing changed later."""

    from_date: str
    to_date: str
    map: str
    table: ChangeTable
    last_change_pixels: int
    last_change_ha: float | None

    @property
    def name(self) -> str:
        """Both dates, as people read them."""
        return f"{self.from_date} to {self.to_date}"


@dataclass(frozen=True, slots=True)
class ChangeFrequency:
    """How much ground changed so many times."""

    times: int
    pixels: int
    ha: float | None


@dataclass(frozen=True, slots=True)
class Consistency:
    """At how many pixels the intervals before and after inner dates disagree about the class at that date.

    `by_date` has (date, compared pixels, disagreeing pixels); pixels are compared where both intervals know a class.
    """

    compared: int
    disagreeing: int
    share: float | None
    by_date: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """What `map_series` returns. `consistency` is None for a network without classes; areas are None without a CRS.

    incomplete: no change seen, but some intervals without data; nodata: no interval with data.
    """

    images: tuple[SeriesImage, ...]
    intervals: tuple[SeriesInterval, ...]
    frequencies: tuple[ChangeFrequency, ...]
    consistency: Consistency | None
    outputs: dict[str, str]
    width: int
    height: int
    crs: str | None
    polygon_count: int
    incomplete_pixels: int
    incomplete_ha: float | None
    nodata_pixels: int
    nodata_ha: float | None
    notices: tuple[str, ...]
    version: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SeriesReport":
        """Return the report that `as_dict` wrote, from JSON."""
        found = values["consistency"]
        return cls(
            **{
                **values,
                "images": tuple(SeriesImage(**one) for one in values["images"]),
                "intervals": tuple(
                    SeriesInterval(**{**one, "table": ChangeTable.from_dict(one["table"])})
                    for one in values["intervals"]
                ),
                "frequencies": tuple(ChangeFrequency(**one) for one in values["frequencies"]),
                "consistency": found
                and Consistency(**{**found, "by_date": tuple(map(tuple, found["by_date"]))}),
                "notices": tuple(values["notices"]),
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def images_of(dated: tuple[DatedImage, ...]) -> tuple[SeriesImage, ...]:
    """Return the images of a series, the earliest first."""
    return tuple(SeriesImage(one.path, one.date.text, one.date.source) for one in dated)


def intervals_of(intervals: tuple[Interval, ...], counts: SeriesCounts) -> tuple[SeriesInterval, ...]:
    """Return what each interval found."""
    when = counts.values[WHEN]
    return tuple(
        SeriesInterval(
            one.earlier.date.text, one.later.date.text, str(one.map), table, int(when.pixels[number]),
            _area(when, number),
        )
        for number, (one, table) in enumerate(zip(intervals, counts.tables, strict=True), 1)
    )  # fmt: skip


def frequencies_of(counts: SeriesCounts) -> tuple[ChangeFrequency, ...]:
    """Return how much ground never changed, changed once, and so on, as often as any did."""
    times = counts.values[TIMES]
    most = int(np.flatnonzero(times.pixels[:INCOMPLETE]).max(initial=0))
    return tuple(ChangeFrequency(n, int(times.pixels[n]), _area(times, n)) for n in range(most + 1))


def gaps_of(counts: SeriesCounts) -> dict[str, Any]:
    """Return how much ground shows no change but lacks data in some interval, and how much lacks it in all."""
    when = counts.values[WHEN]
    return {
        "incomplete_pixels": int(when.pixels[INCOMPLETE]),
        "incomplete_ha": _area(when, INCOMPLETE),
        "nodata_pixels": int(when.pixels[NODATA]),
        "nodata_ha": _area(when, NODATA),
    }


def finding_text(report: SeriesReport) -> str:
    """Return how much ground changed at least once, in one sentence without its full stop."""
    changed = [one for one in report.frequencies if one.times]
    never = [one for one in report.frequencies if not one.times]
    pixels = [sum(one.pixels for one in part) for part in (changed, never)]
    known = all(one.ha is not None for one in report.frequencies)
    ha = [sum(one.ha or 0.0 for one in part) if known else None for part in (changed, never)]
    seen = sum(pixels) + report.incomplete_pixels
    ground = None if ha[0] is None or ha[1] is None else ha[0] + ha[1] + (report.incomplete_ha or 0.0)
    share = pixels[0] / seen if seen else 0.0
    return (
        f"{area_text(ha[0], pixels[0])} of {area_text(ground, seen)} changed at least once ({share:.1%}) between "
        f"{report.images[0].date} and {report.images[-1].date}"
    )


def consistency_of(intervals: tuple[Interval, ...], counts: SeriesCounts) -> Consistency:
    """Return how well the intervals agree at the dates where they meet."""
    compared, disagreeing = int(counts.compared.sum()), int(counts.disagreeing.sum())
    dates = [one.later.date.text for one in intervals[:-1]]
    by_date = tuple(zip(dates, counts.compared.tolist(), counts.disagreeing.tolist(), strict=True))
    return Consistency(compared, disagreeing, disagreeing / compared if compared else None, by_date)


def consistency_text(found: Consistency) -> str:
    """Return in one line how well the intervals agree."""
    if found.share is None:
        return "consistency: no pixel's class is known from both sides of a date"
    return (
        f"consistency: at {found.share:.1%} of {found.compared:,} pixels compared, the class at a date differs "
        "between the intervals before and after it"
    )


def _area(counts: ValueCounts, value: int) -> float | None:
    return hectares(counts.ground[value] if counts.areas is not None else np.nan)


def csv_text(report: SeriesReport) -> str:
    """Return the areas as CSV: for each interval a line for each transition, and what had data and changed."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, CSV_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for interval in report.intervals:
        for row in _csv_rows(interval.table):
            cells = {"from_date": interval.from_date, "to_date": interval.to_date, **row}
            writer.writerow(
                {name: spreadsheet_cell(value) for name, value in cells.items() if value is not None}
            )
    return sink.getvalue()


def _csv_rows(table: ChangeTable) -> Iterator[dict[str, object]]:
    """Yield an interval's rows; percent are of its pixels with data."""
    share = 100 * table.changed_pixels / table.valid_pixels if table.valid_pixels else None
    yield {"kind": "valid", "pixels": table.valid_pixels, "ha": table.valid_ha}
    changed = None if share is None else round(share, 6)
    yield {"kind": "changed", "pixels": table.changed_pixels, "ha": table.changed_ha, "percent": changed}
    yield {"kind": "nodata", "pixels": table.nodata_pixels, "ha": table.nodata_ha}
    for row in table.transitions:
        yield {
            "kind": "transition", "from": row.from_class, "to": row.to_class or row.name, "pixels": row.pixels,
            "ha": row.area_ha, "percent": round(100 * row.share, 6),
        }  # fmt: skip
