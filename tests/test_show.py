"""`lsafnet show`, and what a shell completes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsafnet_cli.app import main
from lsafnet_cli.maps.small_map import read_small_map

from .maps import legend_of, write_map

PROGRAM = Path(sys.executable).with_name("lsafnet")


@pytest.fixture
def halves(tmp_path):
    """Return a map whose left half is unchanged and whose right half made transition 2."""
    codes = np.zeros((40, 60), np.uint8)
    codes[:, 30:] = 2
    return write_map(tmp_path / "changes.tif", codes, legend_of())


def run(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


def test_a_small_map_has_the_colours_of_its_ground(halves):
    shown = read_small_map(halves, 4, 6)
    assert shown.colors.shape == (4, 6, 3)
    assert (shown.colors[:, :3] == shown.legend.palette[0]).all()
    assert (shown.colors[:, 3:] == shown.legend.palette[2]).all()


def test_without_a_terminal_the_legend_alone_is_shown(halves, capsys):
    assert run("show", halves) == 0
    shown = capsys.readouterr()
    assert " ha" in shown.out
    assert "▀" not in shown.out
    assert "--force" in shown.err


def test_forced_it_draws_in_true_colours(halves, capsys):
    assert run("show", halves, "--force") == 0
    shown = capsys.readouterr().out
    assert shown.count("▀") == 20 * 60
    assert "\x1b[38;2;" in shown


def test_what_is_no_change_map_is_one_line(pair, capsys):
    assert run("show", pair[0]) == 3
    assert capsys.readouterr().err.count("no change map") == 1


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not installed")
@pytest.mark.parametrize(
    ("typed", "completed"), [("lsafnet pre", "predict"), ("lsafnet predict --po", "--polygons")]
)
def test_the_shell_completes_the_start_of_commands_and_options(typed, completed):
    place = str(len(typed.split()) - 1)
    asked = {"_LSAFNET_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": place}
    done = subprocess.run([PROGRAM], env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [completed]


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not installed")
def test_the_script_for_the_shell_is_printed():
    asked = ["bash", "-c", f"{PROGRAM} --show-completion bash; true"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert "_LSAFNET_COMPLETE=complete_bash" in done.stdout
