"""Messages between a batch and its workers."""

from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.records import SceneRecord
from lsafnet_cli.batch.scenes import SceneSpec


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker is told once: the batch's folder and options, the checkpoint's sha256, its own device.

    `threads` is how many of the processor's threads it may compute with; None leaves that to torch.
    """

    folder: Path
    options: BatchOptions
    sha256: str
    device: str
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work: a scene or, where `parts` is given, only that range of its parts (row bands).

    A scene is `split` where others compute its bands: whoever shares them out holds its lock. `token` names one
    sharing out. `attempt` counts from 1.
    """

    spec: SceneSpec
    parts: tuple[int, int] | None = None
    split: bool = False
    token: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class SceneOutcome:
    """What became of a task.

    `record` is None for a scene that another run holds and for bands that are computed; `fresh` says that a
    scene was done already. `error` is why bands could not be computed.
    """

    task: Task
    record: SceneRecord | None = None
    fresh: bool = False
    error: str = ""

    @property
    def held(self) -> bool:
        """Whether another run holds the scene."""
        return self.record is None and self.task.parts is None


@dataclass(frozen=True, slots=True)
class Advance:
    """So many more pixels of a scene are computed."""

    name: str
    pixels: int


@dataclass(frozen=True, slots=True)
class Said:
    """A line that a user should read, about one scene or, without a name, about the batch."""

    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A task has reached its worker and is being done."""

    task: Task


@dataclass(frozen=True, slots=True)
class Free:
    """The worker can take another task, though the last one may still be being written."""


Message = SceneOutcome | Advance | Said | Begun | Free
