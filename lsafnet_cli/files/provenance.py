"""Provenance tags of a map, so that later commands need no checkpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from lsafnet_cli.errors import printable
from lsafnet_cli.legend.classes import Legend

LEGEND, OPTIONS, DOMAIN = "LSAFNET_LEGEND", "LSAFNET_OPTIONS", "LSAFNET_DOMAIN"
BEFORE_DATE, AFTER_DATE = "LSAFNET_BEFORE_DATE", "LSAFNET_AFTER_DATE"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a map: program version, checkpoint, inputs, and the options that determined its pixels.

    outside: why the images are outside the domain of the checkpoint; () if they are inside.
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
    outside: tuple[str, ...] = ()

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
            DOMAIN: f"outside: {printable('; '.join(self.outside))}" if self.outside else "inside",
        }
        dates = {BEFORE_DATE: self.before_date, AFTER_DATE: self.after_date}
        return tags | {key: value.isoformat() for key, value in dates.items() if value is not None}
