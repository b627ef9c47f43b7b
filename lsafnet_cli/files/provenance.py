"""Provenance tags of a map, so that later commands need no checkpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lsafnet_cli.errors import printable
from lsafnet_cli.legend.classes import Legend

LEGEND, OPTIONS, DOMAIN = "LSAFNET_LEGEND", "LSAFNET_OPTIONS", "LSAFNET_DOMAIN"
RELIABILITY, INPUTS = "LSAFNET_RELIABILITY", "LSAFNET_INPUTS"
INSIDE, OUTSIDE = "inside", "outside: "  # how the text of DOMAIN is, or begins
BEFORE_DATE, AFTER_DATE = "LSAFNET_BEFORE_DATE", "LSAFNET_AFTER_DATE"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a map: program version, checkpoint, inputs, and the options that determined its pixels.

    outside: why the images are outside the domain of the checkpoint; () if they are inside. inputs: for each input a
    short hash of its size and time, by names for users.
    """

    legend: Legend
    version: str
    checkpoint: str
    checkpoint_sha256: str
    before: str
    after: str
    before_date: date | None
    after_date: date | None
    options: Mapping[str, Any]
    outside: tuple[str, ...] | None = ()
    reliability: tuple[Mapping[str, Any], ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    def tags(self) -> dict[str, str]:
        """Return the tags of a map, without dates that are unknown."""
        tags = {
            "TIFFTAG_SOFTWARE": f"lsafnet {self.version}",
            LEGEND: self.legend.to_json(),
            "LSAFNET_VERSION": self.version,
            "LSAFNET_CHECKPOINT": printable(self.checkpoint),
            "LSAFNET_CHECKPOINT_SHA256": self.checkpoint_sha256,
            "LSAFNET_BEFORE": printable(self.before),
            "LSAFNET_AFTER": printable(self.after),
            OPTIONS: json.dumps(self.options, ensure_ascii=False),
        }
        if self.outside is not None:
            tags[DOMAIN] = f"{OUTSIDE}{printable('; '.join(self.outside))}" if self.outside else INSIDE
        if self.reliability:
            tags[RELIABILITY] = json.dumps(self.reliability, ensure_ascii=False)
        if self.inputs:
            tags[INPUTS] = json.dumps(self.inputs)
        dates = {BEFORE_DATE: self.before_date, AFTER_DATE: self.after_date}
        return tags | {key: value.isoformat() for key, value in dates.items() if value is not None}


def options_of(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that determined a map's pixels; {} where its tags do not tell."""
    return json_object(tags.get(OPTIONS))


def json_object(text: str | None) -> dict[str, Any]:
    """Return the object in a tag, {} where there is none."""
    found = _json_of(text)
    return found if isinstance(found, dict) else {}


def _json_of(text: str | None) -> Any:
    """Return the value in a tag, None where there is none that can be read."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def day_of(text: str | None) -> date | None:
    """Return the day in a tag, None where there is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def outside_of(tags: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return why a map's images are unlike those of its checkpoint's training, as one text; () where they are not.

    None where the tags do not say.
    """
    domain = tags.get(DOMAIN)
    if domain is None:
        return None
    return () if domain == INSIDE else (domain.removeprefix(OUTSIDE),)


def reliability_of(tags: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    """Return what a map's tags tell of its checkpoints' training and calibration; () where that cannot be read."""
    read = _json_of(tags.get(RELIABILITY))
    return tuple(one for one in read if isinstance(one, dict)) if isinstance(read, list) else ()
