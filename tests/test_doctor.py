"""`lsafnet doctor`: what it says is so, and what is wrong is said with the exit code of its kind."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from lsafnet_cli.app import main
from lsafnet_cli.checkpoints.choose import sha256_of, shipped_checkpoint
from lsafnet_cli.doctor import facts
from lsafnet_cli.doctor.diagnosis import examine
from lsafnet_cli.errors import OptionError

SAMPLE = Path(__file__).parents[1] / "sample_data"
PROGRAM = Path(sys.executable).with_name("lsafnet")


def run(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["doctor", *map(str, words)])
    return left.value.code, capsys.readouterr().out


def test_a_sound_machine_has_no_problem_and_says_what_it_runs(capsys, monkeypatch):
    monkeypatch.delenv("LSAFNET_CHECKPOINT", raising=False)
    code, printed = run(capsys, "--seconds", 0, "--json")
    found = json.loads(printed)
    assert (code, found["problems"]) == (0, [])
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["rasterio"] == version("rasterio")
    assert found["checkpoint"]["sha256"] == sha256_of(shipped_checkpoint())
    assert found["raster_drivers"]["COG"]
    assert found["vector_drivers"]["GPKG"]
    assert found["devices"][0]["name"] == "cpu"
    assert found["devices"][0]["megapixels_per_second"] is None
    assert found["memory_bytes"]["total"] >= found["memory_bytes"]["available"] > 0


def test_a_person_is_told_the_same_and_that_nothing_is_wrong(capsys):
    code, printed = run(capsys, "--seconds", 0)
    assert code == 0
    assert f"torch {torch.__version__}" in printed
    assert printed.rstrip().endswith("nothing is wrong")


def test_the_processor_is_timed_with_the_checkpoints_network(tiny_checkpoint):
    (cpu, *_) = examine(tiny_checkpoint, seconds=0.01).devices
    assert cpu.name == "cpu"
    assert cpu.megapixels_per_second > 0


def test_a_checkpoint_that_cannot_be_loaded_is_a_problem(capsys, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no checkpoint")
    code, printed = run(capsys, "--seconds", 0, "--checkpoint", bad)
    assert code == 5
    assert f"problem: {bad}" in printed


def test_missing_drivers_and_a_full_disk_are_problems(monkeypatch):
    monkeypatch.setattr(facts, "raster_drivers", lambda: dict.fromkeys(facts.NEEDED_RASTER_DRIVERS, False))
    monkeypatch.setattr(facts, "vector_drivers", lambda: {"GPKG": False})
    monkeypatch.setattr(facts, "free_disk_bytes", lambda: {"here": 1_000_000})
    found = examine(seconds=0)
    assert [problem.exit_code for problem in found.problems] == [3, 6, 6]
    assert "COG" in found.problems[0].text
    assert "here has only 1 MB" in found.problems[2].text
    assert found.exit_code == 3


def test_variables_that_may_hold_secrets_are_not_shown(capsys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame")
    monkeypatch.setenv("GDAL_HTTP_USERPWD", "ali:sesame")
    monkeypatch.setenv("GDAL_CACHEMAX", "64")
    code, printed = run(capsys, "--seconds", 0, "--json")
    assert code == 0
    assert "sesame" not in printed
    assert json.loads(printed)["environment"]["GDAL_CACHEMAX"] == "64"


def test_seconds_below_nothing_are_refused():
    with pytest.raises(OptionError, match="`seconds` -1"):
        examine(seconds=-1)


def other_proj(tmp_path, *words):
    """Return what the program says where PROJ's database is another installation's."""
    elsewhere = {"PROJ_DATA": str(tmp_path), "PROJ_LIB": str(tmp_path)}
    return subprocess.run(
        [PROGRAM, *map(str, words)],
        env={**os.environ, **elsewhere},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_proj_without_its_database_is_a_problem_that_names_the_variables(tmp_path):
    done = other_proj(tmp_path, "doctor", "--seconds", 0)
    assert done.returncode == 3
    assert "unset PROJ_DATA" in done.stdout
    assert "Traceback" not in done.stderr


def test_no_command_ends_in_a_traceback_for_want_of_projs_database(tmp_path):
    done = other_proj(tmp_path, "check", SAMPLE / "before.tif", SAMPLE / "after.tif")
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 3}
