"""Killed at any rename, unlink, link, mkdir or rmdir, a command run again leaves what it leaves undisturbed, no more.

`LSAFNET_KILLS=20 pytest tests/test_kills.py` kills each command that often, `python -m benchmarks.kills FOLDER`
all of them in turn.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from .killing import COMMANDS, content, fresh, kills, run, write_inputs

pytestmark = pytest.mark.usefixtures("preloaded")

KILLS = int(os.environ.get("LSAFNET_KILLS", "2"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_checkpoint, fork_server) -> Path:
    return write_inputs(tmp_path_factory.mktemp("inputs"), tiny_checkpoint)


@pytest.mark.parametrize("kind", COMMANDS)
def test_killed_at_any_step_a_command_run_again_leaves_what_it_does_undisturbed(tmp_path, inputs, kind):
    for kill in kills(kind, tmp_path, inputs, KILLS, seed=5):
        assert kill.fault == "", kill


def test_a_shapefile_that_is_replaced_is_the_old_or_the_new_one_or_none_at_any_step(tmp_path, inputs):
    kind = "vectorize a shapefile that is there"
    quiet = fresh(tmp_path / "quiet", kind, inputs)
    old = content(quiet / "v.shp")
    assert run(inputs, quiet, COMMANDS[kind], kill_at=0).returncode == 0
    new, steps = content(quiet / "v.shp"), Path(f"{quiet}.steps").stat().st_size
    assert old != new
    for moment in np.linspace(1, steps, min(steps, 4 * KILLS)).astype(int):
        folder = fresh(tmp_path / f"killed{moment}", kind, inputs)
        assert run(inputs, folder, COMMANDS[kind], kill_at=moment).returncode != 0
        assert not (folder / "v.shp").exists() or content(folder / "v.shp") in (old, new)
