"""Which checkpoint a run uses, and what its classes look like."""

import hashlib
import os
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo, read_checkpoint_info
from lsafnet_cli.errors import CheckpointFileError, InputError
from lsafnet_cli.files.sources import refuse_what_is_no_file
from lsafnet_cli.legend.classes import MOST_CLASSES, Legend, parse_color
from lsafnet_cli.observer import LOG, Observer

if TYPE_CHECKING:
    from lsafnet.checkpoint.files import Checkpoint

VARIABLE = "LSAFNET_CHECKPOINT"
SHIPPED = "lsafnet-lite-dubai.safetensors"


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
        """The largest tile of all members: none sees less around a pixel than it was trained with."""
        return max(member.info.tile_px for member in self.members)

    @property
    def info(self) -> CheckpointInfo:
        """What the checkpoint says about itself."""
        return self.checkpoint.info

    @property
    def legend(self) -> Legend:
        """The legend of the maps it makes."""
        from lsafnet.registry import network_spec

        entries = self.info.classes
        return Legend(
            names=tuple(entry.name for entry in entries),
            colors=tuple(parse_color(entry.color) for entry in entries),
            semantic=network_spec(self.info.network).semantic,
        )


def shipped_checkpoint() -> Path:
    """Return the small checkpoint inside the package."""
    return Path(str(files("lsafnet_cli") / "data" / SHIPPED))


def chosen_checkpoint(path: Path | None) -> Path:
    """Return the checkpoint named, else $LSAFNET_CHECKPOINT, else the shipped one."""
    return path or Path(os.environ.get(VARIABLE) or shipped_checkpoint())


def read_info(path: Path) -> CheckpointInfo:
    """Return what a checkpoint says about itself, without loading it. Raises CheckpointFileError."""
    try:
        refuse_what_is_no_file(str(path))
        return read_checkpoint_info(path)
    except (InputError, CheckpointError) as error:
        raise CheckpointFileError(str(error)) from error


def load_named_checkpoint(path: Path | None, observer: Observer) -> NamedCheckpoint:
    """Load the checkpoint named, else $LSAFNET_CHECKPOINT, else the shipped one, which the user is told about.

    Raises CheckpointFileError.
    """
    from lsafnet.checkpoint.files import load_checkpoint

    chosen = chosen_checkpoint(path)
    try:
        refuse_what_is_no_file(str(chosen))
        checkpoint = load_checkpoint(chosen)
    except (InputError, CheckpointError) as error:
        raise CheckpointFileError(str(error)) from error
    if checkpoint.info.num_classes - 1 > MOST_CLASSES:
        raise CheckpointFileError(
            f"{chosen}: tells {checkpoint.info.num_classes - 1} classes apart, and a map holds at most {MOST_CLASSES}"
        )
    if chosen == shipped_checkpoint():
        observer.notice(
            f"no --checkpoint given: using the small one shipped inside, trained on {checkpoint.info.trained_on}; "
            "it is good for a first look at sharp aerial images in colour, and errs much on places unlike those"
        )
    named = NamedCheckpoint(chosen.name, sha256_of(chosen), checkpoint)
    LOG.debug("checkpoint %s, sha256 %s", chosen, named.sha256)
    return named


def load_ensemble(path: Path | None, others: tuple[Path, ...], observer: Observer) -> NamedCheckpoint:
    """Load a checkpoint and those to average it with. Raises CheckpointFileError, also where they do not fit."""
    first = load_named_checkpoint(path, observer)
    more = tuple(load_named_checkpoint(other, observer) for other in others)
    for other in more:
        ours, theirs = _needs(first), _needs(other)
        differing = [f"{name} {ours[name]} and {theirs[name]}" for name in ours if ours[name] != theirs[name]]
        if differing:
            raise CheckpointFileError(
                f"{first.name} and {other.name} cannot be averaged: {'; '.join(differing)}"
            )
    return replace(first, others=more)


def _needs(one: NamedCheckpoint) -> dict[str, object]:
    """Return what the members of an ensemble must have in common, by name."""
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
