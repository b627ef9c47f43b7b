"""The scenes of a batch: their inputs and outputs."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.outputs import MAP_ENDINGS

LONGEST_NAME = 200
STATE_FOLDER = ".batch"
REPORT_ENDING = ".report.json"


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """One pair of a batch. `output` is its map, below the batch's folder; `extra` is kept for the records.

    `aoi` and `cloud_masks` take the place of what all scenes are told.
    """

    name: str
    before: str
    after: str
    output: Path
    before_date: date | None = None
    after_date: date | None = None
    aoi: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    cloud_masks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or len(self.name) > LONGEST_NAME:
            raise OptionError(
                f"scene {self.name!r}: a name must have 1 to {LONGEST_NAME} printable characters"
            )
        text = str(self.output)
        outside = self.output.is_absolute() or ".." in self.output.parts
        if outside or not text.isprintable() or self.output.parts[:1] in ((), (STATE_FOLDER,)):
            raise OptionError(
                f"scene {self.name}: the output {text!r} is not in the batch's folder; give a path within it"
            )
        if self.output.suffix.lower() not in MAP_ENDINGS:
            raise OptionError(f"scene {self.name}: the output {text} is a GeoTIFF; its name must end in .tif")
        if max(map(len, self.output.parts)) > LONGEST_NAME:
            raise OptionError(
                f"scene {self.name}: the output's name is longer than {LONGEST_NAME} characters"
            )

    @property
    def key(self) -> str:
        """A file name of its own for each output of a batch."""
        text = quote(self.output.as_posix(), safe=" ()+,=@")
        if len(text) <= LONGEST_NAME:
            return text
        return f"{text[: LONGEST_NAME // 2]}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    @property
    def report(self) -> Path:
        """The scene's report, below the batch's folder."""
        return self.output.with_suffix(REPORT_ENDING)


def check_names(specs: Iterable[SceneSpec]) -> None:
    """Raise OptionError where two scenes have one name or one output."""
    for what in ("name", "output"):
        seen: set[Any] = set()
        for spec in specs:
            value = getattr(spec, what)
            if value in seen:
                raise OptionError(f"two scenes have the same {what} {value}; give each its own")
            seen.add(value)
