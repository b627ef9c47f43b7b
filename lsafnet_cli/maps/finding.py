"""The finding of a map in one sentence: how much changed, between which dates, and largest net changes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lsafnet_cli.files.provenance import AFTER_DATE, BEFORE_DATE
from lsafnet_cli.maps.table import ChangeTable, changed_text

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
CLASSES_NAMED = 2


@dataclass(frozen=True, slots=True)
class ClassBalance:
    """What a class gained from other classes and lost to them: hectares, or pixels where the map has no CRS."""

    name: str
    gain: float
    loss: float

    @property
    def net(self) -> float:
        """Gain less loss."""
        return self.gain - self.loss


def class_balances(table: ChangeTable) -> tuple[ClassBalance, ...]:
    """Return each class that takes part in a change between classes, the largest net change first."""
    gains: dict[str, float] = defaultdict(float)
    losses: dict[str, float] = defaultdict(float)
    for row in table.transitions:
        if row.from_class is None or row.to_class is None or row.from_class == row.to_class:
            continue
        amount = row.area_ha if row.area_ha is not None else float(row.pixels)
        gains[row.to_class] += amount
        losses[row.from_class] += amount
    found = [ClassBalance(name, gains[name], losses[name]) for name in {**gains, **losses}]
    return tuple(sorted(found, key=lambda one: (-abs(one.net), one.name)))


def finding_text(table: ChangeTable, before: date | None = None, after: date | None = None) -> str:
    """Return how much changed, and between which dates if known: a sentence without full stop."""
    return f"{changed_text(table)}{_between(before, after)}"


def headline(table: ChangeTable, before: date | None = None, after: date | None = None) -> str:
    """Return the finding and the largest net changes: what a person reads first, on one line without a full stop."""
    balance = balance_text(table)
    return finding_text(table, before, after) + (f"; {balance} net" if balance else "")


def balance_text(table: ChangeTable) -> str:
    """Return the largest net gains and losses, as "building +0.07 ha, water -0.61 ha"; "" where there are none."""
    unit, digits = ("px", 0) if table.valid_ha is None else ("ha", 2)
    texts = ((one, f"{one.net:+,.{digits}f}") for one in class_balances(table)[:CLASSES_NAMED])
    return ", ".join(f"{one.name} {text} {unit}" for one, text in texts if float(text.replace(",", "")))


def _between(before: date | None, after: date | None) -> str:
    if before is not None and after is not None:
        return f" between {day_text(before)} and {day_text(after)}"
    if before is not None:
        return f" since {day_text(before)}"
    return f" until {day_text(after)}" if after is not None else ""


def day_text(day: date) -> str:
    """Return a date as text: 15 June 2019."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def dates_of_tags(tags: Mapping[str, str]) -> tuple[date | None, date | None]:
    """Return the dates in a map's tags; None if unknown."""
    return _date_of(tags.get(BEFORE_DATE)), _date_of(tags.get(AFTER_DATE))


def _date_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
