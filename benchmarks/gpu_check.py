"""Check a GPU in one command: what it answers, and how fast; one JSON and one Markdown table.

    python benchmarks/gpu_check.py [PART ...] [--device cuda] [--out gpu-check] [--minutes 8]

Needs no network. Each part is a process of its own, with an end in time: what one does wrong, or that it hangs or
crashes, costs no other its figures, and rows count from the moment they are there. With `--device cpu` everything is
small: that tries the procedure, and its figures mean nothing. Exit code 1 where an answer is wrong or a part failed.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from gpu import answers, host, speed, training
from gpu.work import Row, Rows, Work
from lsafnet_cli.doctor.device_facts import processor_name

ENDED, NOT_BEGUN = "ended after", "not begun"  # how the problem of a part begins that had no more time
GRACE_SECONDS = 10.0  # below which no part is begun any more


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the check, and the seconds after which it is ended."""

    rows: Callable[[Work], Rows]
    seconds: float


PARTS = {
    "doctor": Part(answers.doctor, 60),
    "matrix rates": Part(speed.matrix_rates, 30),
    "logits": Part(answers.logits, 90),
    "codes": Part(answers.codes, 120),
    "host time": Part(host.host_time, 60),
    "scene": Part(speed.scene, 90),
    "throughput": Part(speed.throughput, 240),
    "training": Part(training.training, 90),
    "memory": Part(answers.memory, 60),
    "two processes": Part(answers.two_processes, 60),
    "compiled logits": Part(answers.compiled_logits, 150),
}
"""In the order of what is missed most where time runs out."""


def main() -> None:
    """Run the parts and write both files."""
    options = parse()
    if options.rows is not None:
        write_rows(PARTS[options.part[0]].rows(Work(options.device, options.out)), options.rows)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    if not list(distributions(name="lsafnet")):
        say_version(options.out / "metadata")
    found: dict[str, Any] = {"machine": machine(options.device), "parts": {}}
    end = time.monotonic() + 60 * options.minutes
    for name in options.part or PARTS:
        found["parts"][name] = run_part(name, options, end)
        found["ok"] = all(part["ok"] for part in found["parts"].values())
        (options.out / "gpu-check.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        (options.out / "gpu-check.md").write_text(markdown(found), encoding="utf-8")
    print(markdown(found))
    sys.exit(0 if found["ok"] else 1)


def say_version(folder: Path) -> None:
    """Tell the processes that are started which version a checkout is that was never installed."""
    about = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    metadata = folder / f"lsafnet-{about['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: lsafnet\nVersion: {about['version']}\n"
    metadata.write_text(text, encoding="utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder.resolve()), os.environ.get("PYTHONPATH", "")])


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; all of them where none is named")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)  # run a part in this process
    options = parser.parse_args()
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error(
            f"--device {options.device}: there is no CUDA device here; --device cpu tries the procedure"
        )
    return options


def write_rows(rows: Rows, path: Path) -> None:
    """Write each row as soon as it is there, a JSON line each."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            print(json.dumps(row), file=file, flush=True)


def run_part(name: str, options: argparse.Namespace, end: float) -> dict[str, Any]:
    """Run a part in a process of its own; return its rows, and its problem if it has one."""
    left = end - time.monotonic()
    if left < GRACE_SECONDS:
        return {"ok": False, "problem": f"{NOT_BEGUN}: {options.minutes:g} minutes are over", "rows": []}
    rows, start = options.out / f"{name.replace(' ', '-')}.jsonl", time.monotonic()
    rows.unlink(missing_ok=True)
    command = [
        sys.executable,
        __file__,
        name,
        "--device",
        options.device,
        "--out",
        options.out,
        "--rows",
        rows,
    ]
    limit = left if not options.device.startswith("cuda") else min(left, PARTS[name].seconds)
    problem = run_for(list(map(str, command)), limit)
    kept = read_rows(rows)
    right = not problem and all(row["ok"] is not False for row in kept)
    seconds = round(time.monotonic() - start, 1)
    print(
        f"{name}: {'ok' if right else problem or 'wrong answers'} ({seconds} s)", file=sys.stderr, flush=True
    )
    return {"ok": right, "problem": problem, "seconds": seconds, "rows": kept}


def run_for(command: list[str], seconds: float) -> str:
    """Run a command, and end it with all it has started after so many seconds; return its problem, or nothing."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, talk = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"{ENDED} {seconds:.0f} s; the rows until then are kept"
    if process.returncode:
        return (talk.strip().splitlines() or [f"exit code {process.returncode}"])[-1][:300]
    return ""


def read_rows(path: Path) -> list[Row]:
    """Return the rows that a part has written; a line that was cut off is none."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def machine(device: str) -> dict[str, Any]:
    """Return what the figures are of."""
    facts: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "device": device,
        "processor": processor_name(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "name": properties.name,
            "memory GiB": round(properties.total_memory / 2**30, 1),
            "CUDA": torch.version.cuda,
        }
    else:
        facts["name"] = "no GPU: a try of the procedure, whose figures mean nothing"
    return facts


def markdown(found: dict[str, Any]) -> str:
    """Return everything as Markdown: the machine, the verdict, then a table for each part."""
    facts, parts = found["machine"], found["parts"]
    told = (f"{name} {x}" for name, x in facts.items() if name not in ("date", "name"))
    lines = [f"## {facts['date']}: {facts['name']}", "", ", ".join(told), "", verdict(parts), ""]
    for name, part in parts.items():
        seconds = f", {part['seconds']:g} s" if "seconds" in part else ""
        lines += [f"### {name}: {state(part)}{seconds}", "", about(name), ""]
        lines += [part["problem"], ""] if part["problem"] else []
        lines += table(part["rows"])
    return "\n".join(lines) + "\n"


def verdict(parts: dict[str, Any]) -> str:
    """Return in a sentence how many parts are ok, and which are not."""
    others = [f"{name} ({state(part)})" for name, part in parts.items() if not part["ok"]]
    fine = f"{len(parts) - len(others)} of {len(parts)} parts are ok"
    return f"{fine}; not {', '.join(others)}." if others else f"{fine}."


def state(part: dict[str, Any]) -> str:
    """Return how a part ended; one whose time was over before a wrong answer is incomplete."""
    if part["ok"]:
        return "ok"
    cut_off = part["problem"].startswith((ENDED, NOT_BEGUN))
    return "incomplete" if cut_off and all(row["ok"] is not False for row in part["rows"]) else "NOT OK"


def about(name: str) -> str:
    """Return what a part shows."""
    return (PARTS[name].rows.__doc__ or "").splitlines()[0]


def table(rows: list[Row]) -> list[str]:
    """Return rows as a Markdown table of all their columns."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        return []
    cells = [[words(row.get(name)) for name in columns] for row in rows]
    ruled = [columns, ["---"] * len(columns), *cells]
    return [*(f"| {' | '.join(line)} |" for line in ruled), ""]


def words(value: object) -> str:
    """Return a cell's text."""
    if value is None:
        return ""
    return str(value) if not isinstance(value, bool) else "yes" if value else "NO"


if __name__ == "__main__":
    main()
