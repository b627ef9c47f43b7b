"""`make gpu-check` is tried on the processor: every part runs, and none costs another its figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("preloaded")]


def check(out, *words):
    """Run the check as a program of its own; return its exit code and what it found."""
    sources = os.pathsep.join([str(ROOT), str(ROOT / "models"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, ROOT / "benchmarks" / "gpu_check.py", *words, "--out", out]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": sources},
    )  # fmt: skip
    found = json.loads((out / "gpu-check.json").read_text())
    assert done.stdout.strip() == (out / "gpu-check.md").read_text().strip()
    return done.returncode, found, done.stderr


def test_the_whole_check_runs_on_the_processor(tmp_path):
    code, found, talk = check(tmp_path, "--device", "cpu", "--minutes", 30)
    assert code == 0, talk
    parts = found["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == []
    assert {row["network"] for row in parts["logits"]["rows"]} >= {"lsafnet", "scdnet", "fc-siam-diff"}
    (halved,) = parts["memory"]["rows"]
    assert halved["batch in the end"] == halved["batch"] // 4
    assert [row["equal codes"] for row in parts["two processes"]["rows"]] == [1, 1]
    assert parts["training"]["rows"][-1]["weights apart"] == 0
    stages = {row["stage"]: row.get("ms per tile") for row in parts["host time"]["rows"]}
    assert all(
        stages[name] > 0 for name in ("read", "stack", "launch", "blend", "decide", "copy back", "write")
    )
    assert "aten::" in (tmp_path / "host-profile.txt").read_text()
    assert {row["network"] for row in parts["throughput"]["rows"]} == {"lsafnet", "shipped"}
    assert all(row["Mpx/s"] > 0 and row["of the matrix rate"] > 0 for row in parts["throughput"]["rows"])
    assert "figures mean nothing" in (tmp_path / "gpu-check.md").read_text()


def test_a_part_that_fails_costs_no_other_its_figures(tmp_path):
    code, found, _ = check(tmp_path, "matrix rates", "doctor", "--device", "xpu")
    assert code == 1
    failed, other = found["parts"]["matrix rates"], found["parts"]["doctor"]
    assert failed["problem"]
    assert not failed["ok"]
    assert other["rows"][0]["device"] == "cpu"
    assert other["rows"][0]["Mpx/s"] > 0


def test_parts_that_there_is_no_time_for_are_named(tmp_path):
    code, found, _ = check(tmp_path, "doctor", "logits", "--device", "cpu", "--minutes", "0.1")
    assert code == 1
    assert all("not begun" in part["problem"] for part in found["parts"].values())
