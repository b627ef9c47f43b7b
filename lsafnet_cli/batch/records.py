"""Results of all scenes, and their tables: batch.csv for people, batch.json for programs."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lsafnet.texts import is_legible
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.files.replacing import replacing
from lsafnet_cli.files.spreadsheets import spreadsheet_cell

STATUSES = WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
NUMBERS = ("seconds", "pixels", "valid_pixels", "changed_pixels", "changed_ha", "polygons", "exit_code")
LONGEST_TEXT = 10_000  # of a path, an error, a cell of the table of pairs
RECORD_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
MOST = 1e300  # of any number of a record
RESTING_SHARE = 20  # a table is written again after this many times what its last writing took


Write = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class SceneRecord:
    """One scene of a batch: status, time, results, reason of failure.

    `seconds` and what follows are None where they are not known; areas also without a CRS. `log` is a file
    below the batch's folder with the traceback of an error that is a bug.
    """

    name: str
    status: str
    before: str
    after: str
    output: str
    seconds: float | None = None
    pixels: int | None = None
    valid_pixels: int | None = None
    changed_pixels: int | None = None
    changed_ha: float | None = None
    polygons: int | None = None
    exit_code: int | None = None
    error: str = ""
    log: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: SceneSpec, status: str = WAITING, **values: Any) -> "SceneRecord":
        """Return the record of a scene."""
        return cls(
            spec.name,
            status,
            spec.before,
            spec.after,
            spec.output.as_posix(),
            extra=dict(spec.extra),
            **values,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SceneRecord":
        """Return the record that `as_dict` wrote. Raises TypeError or ValueError for anything else."""
        record = cls(**values)
        texts = (record.name, record.before, record.after, record.output, record.error, record.log)
        notes = (*record.extra.items(),) if isinstance(record.extra, dict) else ((None, None),)
        numbers = [getattr(record, name) for name in NUMBERS]
        if not (
            record.status in STATUSES
            and is_legible(record.name)
            and all(_is_shown(text) for text in (*texts, *(text for note in notes for text in note)))
            and all(number is None or _is_finite(number) for number in numbers)
            and not (Path(record.output).is_absolute() or ".." in Path(record.output).parts)
        ):
            raise ValueError("the record of a scene is invalid")
        return record

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return asdict(self)


def _is_shown(text: object) -> bool:
    return text == "" or is_legible(text, LONGEST_TEXT)


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < MOST


COLUMNS = tuple(one.name for one in fields(SceneRecord) if one.name != "extra")


def csv_text(records: Sequence[SceneRecord]) -> str:
    """Return records as a CSV table; extra columns come last, each under its own name."""
    extra = list(dict.fromkeys(name for record in records for name in record.extra))
    heads = {name: f"extra_{name}" if name in COLUMNS else name for name in extra}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(spreadsheet_cell, [*COLUMNS, *heads.values()]))
    for record in records:
        own = ["" if (value := getattr(record, name)) is None else value for name in COLUMNS]
        writer.writerow(map(spreadsheet_cell, [*own, *(record.extra.get(name, "") for name in extra)]))
    return text.getvalue()


def counts(records: Iterable[SceneRecord]) -> dict[str, int]:
    """Return how many scenes stand how."""
    found = dict.fromkeys((DONE, FAILED, RUNNING, WAITING), 0)
    for record in records:
        found[record.status] += 1
    return found


class RecordTables:
    """The two tables of a batch, each complete under its name at any moment."""

    def __init__(self, stem: Path, about: Mapping[str, Any], write_whole: Write) -> None:
        self._stem, self._about, self._write_whole = stem, about, write_whole
        self._rested_at = 0.0

    def write(self, records: Sequence[SceneRecord]) -> None:
        """Write both tables. Raises OutputError."""
        start = time.monotonic()
        text = json.dumps(
            {**self._about, "counts": counts(records), "scenes": [record.as_dict() for record in records]},
            indent=1, ensure_ascii=False, allow_nan=False,
        )  # fmt: skip
        self._write_whole(self._stem.with_name(f"{self._stem.name}.csv"), csv_text(records))
        self._write_whole(self._stem.with_name(f"{self._stem.name}.json"), text)
        now = time.monotonic()
        self._rested_at = now + RESTING_SHARE * (now - start)

    def write_now_and_then(self, records: Sequence[SceneRecord]) -> None:
        """Write them unless the last time is so near that writing would cost more than a twentieth of the run."""
        if time.monotonic() >= self._rested_at:
            self.write(records)


def write_whole(path: Path, text: str, overwrite: bool = True) -> None:
    """Write a file that is complete under its name at any moment. Raises OutputError."""
    with replacing(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
