"""Report of a run: one value that is printed, returned and written as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lsafnet_cli.maps.table import ChangeTable


@dataclass(frozen=True, slots=True)
class DomainVerdict:
    """Whether a pair is within the domain of the checkpoint, and why not."""

    inside: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """Result of `predict_change`."""

    before: str
    after: str
    outputs: dict[str, str]
    width: int
    height: int
    crs: str | None
    pixel_size_m: float | None
    checkpoint: str
    checkpoint_sha256: str
    device: str
    options: dict[str, Any]
    polygon_options: dict[str, Any]
    notices: tuple[str, ...]
    domain: DomainVerdict
    finding: str
    table: ChangeTable
    polygon_count: int | None
    seconds: dict[str, float]
    version: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunReport":
        """Return the report that `as_dict` wrote, from JSON."""
        table = ChangeTable.from_dict(values["table"])
        return cls(**{**values, "notices": tuple(values["notices"]), "table": table})

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)
