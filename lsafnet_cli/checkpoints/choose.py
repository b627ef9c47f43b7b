"""Selection of the checkpoints of a run, and their legend."""

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo, read_checkpoint_info
from lsafnet_cli.errors import CheckpointFileError, InputError
from lsafnet_cli.files.sources import refuse_what_is_no_file
from lsafnet_cli.legend.classes import MOST_CLASSES, Legend, parse_color
from lsafnet_cli.observer import LOG

if TYPE_CHECKING:
    from lsafnet.checkpoint.files import Checkpoint

VARIABLE = "LSAFNET_CHECKPOINT"
SHIPPED = "lsafnet-lite.safetensors"
CALIBRATION_ERROR = "ece"  # among a checkpoint's metrics


@dataclass(frozen=True, slots=True)
class NamedCheckpoint:
    """A loaded checkpoint with its file's name and sha256, and others to average its probabilities with."""

    name: str
    sha256: str
    checkpoint: "Checkpoint"
    others: tuple["NamedCheckpoint", ...] = ()

    @property
    def members(self) -> tuple["NamedCheckpoint", ...]:
        """This checkpoint and the others."""
        return (self, *self.others)

    @property
    def names(self) -> str:
        """The names of all members."""
        return " + ".join(member.name for member in self.members)

    @property
    def fingerprints(self) -> str:
        """The sha256 of all members."""
        return " + ".join(member.sha256 for member in self.members)

    @property
    def tile_px(self) -> int:
        """The largest tile of all members, so that none has less context than in training."""
        return max(member.info.tile_px for member in self.members)

    @property
    def threshold(self) -> float:
        """The probability above which a pixel has changed: the mean of the members' thresholds."""
        return sum(member.info.decision.threshold for member in self.members) / len(self.members)

    @property
    def reliability(self) -> tuple[dict[str, Any], ...]:
        """What each member was trained on, its decision, its scale bias, context and calibration error if any."""
        return tuple(
            {"name": member.name, "trained_on": member.info.trained_on, "gsd_m": _home_gsd_m(member.info)}
            | asdict(member.info.decision)
            | ({"scale_bias": member.info.scale_bias} if member.info.scale_bias else {})
            | ({} if member.info.context is None else {"context": asdict(member.info.context)})
            | {"ece": member.info.metrics.get(CALIBRATION_ERROR)}
            for member in self.members
        )

    @property
    def info(self) -> CheckpointInfo:
        """Metadata of the first checkpoint."""
        return self.checkpoint.info

    @property
    def legend(self) -> Legend:
        """The legend of its maps."""
        from lsafnet.registry import network_spec

        entries = self.info.classes
        return Legend(
            names=tuple(entry.name for entry in entries),
            colors=tuple(parse_color(entry.color) for entry in entries),
            semantic=network_spec(self.info.network).semantic,
        )


def _home_gsd_m(info: CheckpointInfo) -> list[float] | None:
    """Return the least and the greatest pixel size that a checkpoint was trained on, None where it does not say."""
    if info.domain is not None and info.domain.gsd_m is not None:
        return list(info.domain.gsd_m)
    return None if info.gsd_m is None else [info.gsd_m, info.gsd_m]


def shipped_checkpoint() -> Path:
    """Return the small checkpoint inside the package."""
    return Path(str(files("lsafnet_cli") / "data" / SHIPPED))


def chosen_checkpoint(path: str | Path | None) -> Path:
    """Return the checkpoint named, else $LSAFNET_CHECKPOINT, else the shipped one."""
    return Path(path or os.environ.get(VARIABLE) or shipped_checkpoint())


def read_info(path: Path) -> CheckpointInfo:
    """Return the metadata of a checkpoint without loading it. Raises CheckpointFileError."""
    try:
        refuse_what_is_no_file(str(path))
        return read_checkpoint_info(path)
    except (InputError, CheckpointError) as error:
        raise CheckpointFileError(str(error)) from error


def load_named_checkpoint(path: str | Path | None) -> NamedCheckpoint:
    """Load the checkpoint named, else $LSAFNET_CHECKPOINT, else the shipped one. Raises CheckpointFileError."""
    from lsafnet.checkpoint.files import load_checkpoint

    chosen = chosen_checkpoint(path)
    try:
        refuse_what_is_no_file(str(chosen))
        checkpoint = load_checkpoint(chosen)
    except (InputError, CheckpointError) as error:
        raise CheckpointFileError(str(error)) from error
    if checkpoint.info.num_classes - 1 > MOST_CLASSES:
        raise CheckpointFileError(
            f"{chosen}: has {checkpoint.info.num_classes - 1} classes, but a map can have at most {MOST_CLASSES}"
        )
    named = NamedCheckpoint(chosen.name, sha256_of(chosen), checkpoint)
    LOG.debug("checkpoint %s, sha256 %s", chosen, named.sha256)
    return named


def default_notice(path: str | Path | None) -> str | None:
    """Return the notice about the default checkpoint, None if another one was given."""
    if chosen_checkpoint(path) != shipped_checkpoint():
        return None
    return f"made with {SHIPPED}, the small checkpoint shipped with lsafnet for first trials: see docs/checkpoints.md"


def load_ensemble(path: str | Path | None, others: tuple[str | Path, ...]) -> NamedCheckpoint:
    """Load a checkpoint and others for an ensemble. Raises CheckpointFileError, also if they do not fit together."""
    first = load_named_checkpoint(path)
    more = tuple(load_named_checkpoint(other) for other in others)
    for other in more:
        ours, theirs = _needs(first), _needs(other)
        differing = [f"{name} {ours[name]} and {theirs[name]}" for name in ours if ours[name] != theirs[name]]
        if differing:
            raise CheckpointFileError(
                f"{first.name} and {other.name} cannot be averaged: {'; '.join(differing)}"
            )
    return replace(first, others=more)


def _needs(one: NamedCheckpoint) -> dict[str, object]:
    """Return the properties that members of an ensemble must share, by name."""
    return {
        "maps": "from-to" if one.legend.semantic else "change alone",
        "classes": ", ".join(one.legend.names),
        "bands": one.info.bands,
        "value range": "{:g}..{:g}".format(*one.info.value_range),
    }


def sha256_of(path: Path) -> str:
    """Return a file's sha256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
