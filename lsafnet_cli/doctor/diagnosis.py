"""The whole examination, with a problem for everything that would keep `lsafnet predict` from working."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsafnet_cli.checkpoints.choose import chosen_checkpoint, load_named_checkpoint
from lsafnet_cli.doctor import facts
from lsafnet_cli.errors import (
    CheckpointFileError,
    DeviceError,
    InputError,
    LsafnetError,
    OptionError,
    OutputError,
)

if TYPE_CHECKING:
    from lsafnet_cli.checkpoints.choose import NamedCheckpoint
    from lsafnet_cli.doctor.device_facts import DeviceFacts

LEAST_FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, what to do about it, and the exit code that such failures have."""

    text: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `lsafnet doctor` found. `None` versions are of packages that are not installed."""

    system: dict[str, str]
    versions: dict[str, str | None]
    extras: dict[str, str | None]
    libraries: dict[str, str]
    raster_drivers: dict[str, bool]
    vector_drivers: dict[str, bool]
    environment: dict[str, str]
    memory_bytes: dict[str, int]
    free_disk_bytes: dict[str, int]
    cuda: str
    devices: "tuple[DeviceFacts, ...]"
    checkpoint: dict[str, Any] | None
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """0 where nothing is wrong, else that of the first problem."""
        return self.problems[0].exit_code if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as JSON-ready values."""
        return asdict(self)


def examine(checkpoint: Path | None = None, seconds: float = 10.0) -> Diagnosis:
    """Examine this machine; the network of the checkpoint that `predict` would use is timed for `seconds`.

    0 seconds leave the timing out. Raises OptionError for less.
    """
    if not 0 <= seconds < float("inf"):
        raise OptionError(f"`seconds` {seconds:g}: give 0 or more")
    from lsafnet_cli.doctor.device_facts import cuda_words, device_facts

    named, trouble = _load(checkpoint)
    rasters, vectors, disks = facts.raster_drivers(), facts.vector_drivers(), facts.free_disk_bytes()
    devices = tuple(device_facts(named.checkpoint if named else None, seconds))
    problems = [
        *_driver_problems(rasters, vectors),
        *_projection_problems(facts.projection_problems()),
        *([Problem(str(trouble), trouble.exit_code)] if trouble else []),
        *_disk_problems(disks),
        *(Problem(one.problem, DeviceError.exit_code) for one in devices if one.problem),
    ]
    return Diagnosis(
        facts.system_words(),
        facts.versions_of(facts.PACKAGES),
        facts.versions_of(facts.EXTRAS),
        facts.library_versions(),
        rasters,
        vectors,
        facts.environment(),
        facts.memory_bytes(),
        disks,
        cuda_words(),
        devices,
        _checkpoint_words(named, checkpoint) if named else None,
        tuple(problems),
    )


def _load(checkpoint: Path | None) -> "tuple[NamedCheckpoint | None, LsafnetError | None]":
    try:
        return load_named_checkpoint(checkpoint), None
    except CheckpointFileError as error:
        return None, error


def _checkpoint_words(named: "NamedCheckpoint", given: Path | None) -> dict[str, Any]:
    info, path = named.info, chosen_checkpoint(given)
    return {
        "path": str(path),
        "sha256": named.sha256,
        "network": info.network,
        "classes": [entry.name for entry in info.classes],
        "tile_px": info.tile_px,
        "trained_on": info.trained_on,
    }


def _driver_problems(rasters: dict[str, bool], vectors: dict[str, bool]) -> list[Problem]:
    missing = [name for name in facts.NEEDED_RASTER_DRIVERS if not rasters[name]]
    found = []
    if missing:
        text = f"rasterio's GDAL lacks {', '.join(missing)}: reinstall rasterio from its wheel"
        found.append(Problem(text, InputError.exit_code))
    if missing := [name for name, there in vectors.items() if not there]:
        text = f"pyogrio's GDAL cannot write {', '.join(missing)}: reinstall pyogrio from its wheel"
        found.append(Problem(text, OutputError.exit_code))
    return found


def _projection_problems(found: dict[str, str]) -> list[Problem]:
    advice = "unset PROJ_DATA, PROJ_LIB and GDAL_DATA, which may name another installation's files"
    return [
        Problem(f"{name} cannot transform coordinates ({text}): {advice}", InputError.exit_code)
        for name, text in found.items()
    ]


def _disk_problems(free: dict[str, int]) -> list[Problem]:
    return [
        Problem(f"{folder} has only {count / 1e6:,.0f} MB left: make room", OutputError.exit_code)
        for folder, count in free.items()
        if count < LEAST_FREE_BYTES
    ]
