"""Give thousands of damaged files to the commands that read them, and count what comes of it.

    python -m benchmarks.fuzz FOLDER --inputs 5000 --seed 1

in a checkout, with its tests. The N-th input of a seed is the same for one list of targets. What was tried stands in
FOLDER/tried.jsonl: the same command resumes after the last one. Inputs that end in a fault are kept
in FOLDER/faults, with what was said. `--only 17` tries one input again and shows what it says; `--again` tries those
again that ended in a fault, after a mending, and counts how they end now.
"""

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from tests.conftest import write_tiny_checkpoint
from tests.fuzzing import Target, Worker, WorkerError, World, damaged, fault_of, random_changes, targets

HANGING_SECONDS = 60  # of processor time


def input_of(world: World, seed: int, number: int, name: str | None = None) -> tuple[str, Target, bytes]:
    """Return the name, the target and the damaged content of an input; the log knows the name of an earlier one."""
    known = targets()
    name = name or list(known)[number % len(known)]
    content = world.content(name, known[name])
    return name, known[name], damaged(content, random_changes(Random(f"{seed} {number}"), len(content)))


def outcome_of(worker: Worker, target: Target, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return how a job ended, as a few words, and what the worker answered."""
    try:
        found = worker.ask(target.job, folder)
    except WorkerError as fault:
        return f"fault: {str(fault).split(':')[0]}", {"said": str(fault)}
    fault = fault_of(found, target.codes)
    return f"fault: {fault}" if fault else f"exit code {found['code']}", found


def keep(world: World, number: int, target: Target, found: dict[str, Any]) -> None:
    """Keep an input that ended in a fault, and what was said."""
    kept = world.folder / "faults" / str(number)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(world.folder / "now", kept)
    said = json.dumps(target.job) + "\n" + str(found.get("left")) + "\n" + str(found["said"])
    (kept / "said.txt").write_text(said, encoding="utf-8", errors="replace")


def campaign(world: World, worker: Worker, seed: int, inputs: int) -> Counter[str]:
    """Try what has not been tried; return how many inputs ended in which way."""
    log = world.folder / "tried.jsonl"
    tried = (
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    )
    if any(one["seed"] != seed for one in tried):
        raise SystemExit(f"{log}: holds another seed; name another folder")
    counts = Counter(one["outcome"] for one in tried)
    with log.open("a", encoding="utf-8") as lines:
        for number in range(len(tried), inputs):
            name, target, content = input_of(world, seed, number)
            outcome, found = outcome_of(worker, target, world.prepare(target, content))
            if outcome.startswith("fault"):
                keep(world, number, target, found)
                print(f"{number}, {name}: {outcome}", flush=True)
            counts[outcome] += 1
            lines.write(
                json.dumps({"seed": seed, "number": number, "target": name, "outcome": outcome}) + "\n"
            )
            lines.flush()
    return counts


def tried_again(world: World, worker: Worker, seed: int) -> Counter[str]:
    """Try what ended in a fault; return how many inputs end in which way now. The log stays as it was."""
    counts: Counter[str] = Counter()
    for one in map(json.loads, (world.folder / "tried.jsonl").read_text(encoding="utf-8").splitlines()):
        if one["outcome"].startswith("fault"):
            name, target, content = input_of(world, seed, one["number"], one["target"])
            outcome, _ = outcome_of(worker, target, world.prepare(target, content))
            if outcome.startswith("fault"):
                print(f"{one['number']}, {name}: {outcome}", flush=True)
            counts[outcome] += 1
    return counts


def main() -> None:
    """Run a campaign, or one input of it."""
    parser = argparse.ArgumentParser(description="Give damaged files to the commands that read them.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    world = World(asked.folder.resolve(), write_tiny_checkpoint(asked.folder.resolve() / "tiny.safetensors"))
    worker = Worker(world.folder, HANGING_SECONDS)
    try:
        if asked.only is not None:
            name, target, content = input_of(world, asked.seed, asked.only)
            outcome, found = outcome_of(worker, target, world.prepare(target, content))
            print(name, target.job, outcome, found["said"], sep="\n")
            return
        if asked.again:
            counts = tried_again(world, worker, asked.seed)
        else:
            counts = campaign(world, worker, asked.seed, asked.inputs)
    finally:
        worker.stop()
    for outcome, count in sorted(counts.items()):
        print(f"{count:6,}  {outcome}")


if __name__ == "__main__":
    main()
