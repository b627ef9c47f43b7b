"""Shards of array jobs: the scenes of one of N jobs, determined independently by each job."""

import heapq
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.errors import OptionError

AUTO = "auto"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count`; the first is 1."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise OptionError(f"`shard` {self.index}/{self.count}: write I/N with I from 1 to N")

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> "Shard":
        """Read "2/8", or "auto" for what the scheduler's variables say, or "auto/8" where these lack the count.

        Raises OptionError.
        """
        match = re.fullmatch(r"(\d+|auto)(?:/(\d+))?", text.strip())
        if match is None or (match[1] != AUTO and match[2] is None):
            raise OptionError(f"`shard` {text}: write I/N, such as 2/8, or auto")
        if match[1] != AUTO:
            return cls(int(match[1]), int(match[2]))
        return _from_environment(environment, int(match[2]) if match[2] else None)


def _from_environment(environment: Mapping[str, str], count: int | None) -> Shard:
    def number(name: str, default: int | None = None) -> int:
        try:
            return int(environment.get(name) or ("" if default is None else default))
        except ValueError:
            raise OptionError(f"`shard` auto: {name} is not set to a number; write `shard` I/N") from None

    if "SLURM_ARRAY_TASK_ID" in environment:
        first, step = number("SLURM_ARRAY_TASK_MIN", 0), number("SLURM_ARRAY_TASK_STEP", 1)
        tasks = number("SLURM_ARRAY_TASK_COUNT", count)
        last = number("SLURM_ARRAY_TASK_MAX", first + step * (tasks - 1))
        if last - first != step * (tasks - 1):
            raise OptionError(
                f"`shard` auto: {tasks} of the array's tasks from {first} to {last} run, so shards cannot be "
                "assigned; write `shard` I/N with the N of the first submission"
            )
        return Shard((number("SLURM_ARRAY_TASK_ID") - first) // step + 1, count or tasks)
    if "AWS_BATCH_JOB_ARRAY_INDEX" in environment:
        tasks = count or number("AWS_BATCH_JOB_ARRAY_SIZE")
        return Shard(number("AWS_BATCH_JOB_ARRAY_INDEX") + 1, tasks)
    raise OptionError(
        "`shard` auto: neither SLURM_ARRAY_TASK_ID nor AWS_BATCH_JOB_ARRAY_INDEX is set; write `shard` I/N"
    )


def choose_shard(scenes: Sequence[SceneSpec], sizes: Mapping[str, int], shard: Shard) -> list[SceneSpec]:
    """Return the scenes of a shard, in their order: largest first, each goes to the shard with least to do.

    `sizes` are pixels by name; ties go by name and by the shard's number, so that every job finds the same.
    """
    loads = [(0, 0, index) for index in range(1, shard.count + 1)]  # pixels, scenes, shard
    mine = set()
    for spec in sorted(scenes, key=lambda spec: (-sizes[spec.name], spec.name)):
        pixels, held, index = heapq.heappop(loads)
        if index == shard.index:
            mine.add(spec.name)
        heapq.heappush(loads, (pixels + sizes[spec.name], held + 1, index))
    return [spec for spec in scenes if spec.name in mine]
