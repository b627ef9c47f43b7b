"""Array jobs: each scene belongs to exactly one of N shards, found by every job alike; the script for SLURM."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.batch.shards import Shard, choose_shard
from lsafnet_cli.errors import OptionError

from .batches import codes, make_pairs, run

pytestmark = pytest.mark.usefixtures("preloaded")

ROOT = Path(__file__).parents[1]


def named(count):
    return [SceneSpec(f"n{k}", "b.tif", "a.tif", Path(f"{k}.tif")) for k in range(count)]


@given(st.lists(st.integers(0, 10**9), max_size=40), st.sampled_from([1, 3, 8]))
def test_the_shards_partition_the_work_and_are_balanced(sizes, count):
    scenes = named(len(sizes))
    by_name = {spec.name: size for spec, size in zip(scenes, sizes, strict=True)}
    shards = [choose_shard(scenes, by_name, Shard(index, count)) for index in range(1, count + 1)]
    together = [spec.name for shard in shards for spec in shard]
    assert sorted(together) == sorted(by_name)
    loads = [sum(by_name[spec.name] for spec in shard) for shard in shards]
    assert max(loads) - min(loads) <= max(sizes, default=0)
    again = [choose_shard(scenes[::-1], by_name, Shard(index, count)) for index in range(1, count + 1)]
    assert [{spec.name for spec in shard} for shard in again] == [
        {spec.name for spec in shard} for shard in shards
    ]


def test_scenes_of_unknown_size_are_shared_out_evenly():
    shards = [
        choose_shard(named(8), {f"n{k}": 0 for k in range(8)}, Shard(index, 4)) for index in range(1, 5)
    ]
    assert [len(shard) for shard in shards] == [2, 2, 2, 2]


SLURM = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "1"}


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("2/8", SLURM, Shard(2, 8)),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_STEP": "2"}, Shard(3, 4)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "3"}, Shard(1, 3)),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "2"}, Shard(1, 2)),
        ("auto/5", {"AWS_BATCH_JOB_ARRAY_INDEX": "4"}, Shard(5, 5)),
    ],
)
def test_a_shard_is_given_or_read_from_the_scheduler(text, environment, shard):
    assert Shard.parse(text, environment) == shard


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("0/3", {}),
        ("4/3", {}),
        ("3", {}),
        ("auto", {}),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "0"}),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_MAX": "9"}),
        ("auto", {"SLURM_ARRAY_TASK_ID": "x", "SLURM_ARRAY_TASK_COUNT": "3"}),
    ],
)
def test_a_shard_that_cannot_be_told_is_refused(text, environment):
    with pytest.raises(OptionError, match="`shard`"):
        Shard.parse(text, environment)


def test_the_slurm_script_does_every_scene_once_and_collect_merges(tmp_path, tiny_checkpoint):
    names = make_pairs(tmp_path, 5)
    scheduler = """
set -eu
for id in 1 2 3; do
    SLURM_ARRAY_TASK_ID=$id SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=3 bash "$1" b a out
done
"""
    stub = tmp_path / "bin"
    stub.mkdir()
    (stub / "lsafnet").write_text('#!/bin/sh\nexec "$PYTHON" -m lsafnet_cli.app "$@"\n', encoding="utf-8")
    (stub / "lsafnet").chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{stub}:{os.environ['PATH']}", "PYTHON": sys.executable,
        "LSAFNET_CHECKPOINT": str(tiny_checkpoint), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    script = ROOT / "docs" / "slurm" / "lsafnet-array.sh"
    done = subprocess.run(
        ["bash", "-c", scheduler, "stub", str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("in this run") == 3
    assert not (tmp_path / "out" / "changes.gpkg").exists()
    collected = run(tiny_checkpoint, tmp_path, "--collect", "out")
    assert collected.returncode == 0, collected.stderr
    assert "5 scenes: 5 done" in collected.stdout
    assert (tmp_path / "out" / "changes.gpkg").exists()
    assert all(codes(tmp_path / "out" / f"{name}.tif").shape == (72, 72) for name in names)


def test_collect_says_which_scenes_no_shard_has_done(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 3)
    first = run(tiny_checkpoint, tmp_path, "b", "a", "-o", "out", "--shard", "1/2", "--devices", "cpu")
    assert first.returncode == 0, first.stderr
    collected = run(tiny_checkpoint, tmp_path, "--collect", "out")
    assert collected.returncode == 8
    assert "3 scenes: 2 done, 1 waiting" in collected.stdout


def test_collect_refuses_a_folder_that_is_no_batch(tmp_path, tiny_checkpoint):
    assert run(tiny_checkpoint, tmp_path, "--collect", ".").returncode == 3
