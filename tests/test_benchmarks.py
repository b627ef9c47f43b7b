"""What measures speed: the stages of a run add up, and a GPU is watched under its own number."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_stages_of_a_run_add_up_to_all_of_its_processor_time(pair, tiny_checkpoint, tmp_path):
    sources = os.pathsep.join([str(ROOT), str(ROOT / "models"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "stages.py", tiny_checkpoint, *pair, tmp_path / "map.tif"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": sources, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    whole = found.pop("whole process")
    assert sum(processor for processor, _ in found.values()) == pytest.approx(whole[0])
    assert 0 < found["network"][0] < whole[0]
    for stage in ("imports", "loading the checkpoint", "decision", "map and overviews", "polygons"):
        assert found[stage][1] > 0
    assert (tmp_path / "map.gpkg").exists()


def test_a_gpu_is_watched_under_the_number_that_nvidia_smi_knows(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    shown_number = import_module("device_watch").shown_number
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [shown_number(name) for name in ("cuda", "cuda:1")] == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8c5a")
    assert [shown_number(name) for name in ("cuda", "cuda:0", "cuda:1")] == ["3", "3", "GPU-8c5a"]


def test_a_check_of_a_gpu_begins_with_a_verdict_that_tells_wrong_from_incomplete(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    markdown = import_module("gpu_check").markdown
    right, wrong = {"form": "fp32", "ok": True}, {"form": "bf16", "ok": False}
    parts = {
        "logits": {"ok": True, "problem": "", "seconds": 1.5, "rows": [right]},
        "codes": {"ok": False, "problem": "ended after 9 s", "seconds": 9.0, "rows": [right]},
        "memory": {"ok": False, "problem": "ended after 9 s", "seconds": 9.0, "rows": [right, wrong]},
        "training": {"ok": False, "problem": "not begun: 8 minutes are over", "rows": []},
    }
    lines = markdown(
        {"machine": {"date": "2026-01-01", "name": "GPU", "torch": "2"}, "parts": parts}
    ).splitlines()
    assert lines[:3] == ["## 2026-01-01: GPU", "", "torch 2"]
    assert lines[4] == (
        "1 of 4 parts are ok; not codes (incomplete), memory (NOT OK), training (incomplete)."
    )
    assert "### logits: ok, 1.5 s" in lines
    assert any(line.startswith("Every network, untrained") for line in lines)
