"""The QGIS plugin without QGIS: the program it finds, starts, watches and stops, and its archive."""

import ast
import os
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from lsafnet_processing import program
from lsafnet_processing.program import ProgramError, child_environment, find_program, run_program
from lsafnet_processing.progress import Event, Progress, read_event
from make_qgis_plugin import PLUGIN, pack_plugin, plugin_files, plugin_version

ROOT = Path(__file__).parents[1]
OLDEST_PYTHON = (3, 9)  # of the QGIS releases that are still handed out
FORBIDDEN = {"torch", "lsafnet", "lsafnet_cli", "numpy", "rasterio"}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST_PYTHON)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).split(".")[0]


def test_the_plugin_imports_nothing_that_qgis_lacks_and_its_oldest_python_reads_it():
    files = [path for path in plugin_files() if path.suffix == ".py"]
    assert len(files) > 10
    found = {name for path in files for name in imports_of(path)}
    assert found & FORBIDDEN == set()
    assert found - set(sys.stdlib_module_names) == {"qgis", "processing", "lsafnet_processing"}


def test_the_archive_holds_the_plugin_twice_in_the_same_bytes(tmp_path):
    first, second = (pack_plugin(tmp_path / name) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    names = zipfile.ZipFile(first).namelist()
    assert {name.split("/")[0] for name in names} == {"lsafnet_processing"}
    wanted = {"__init__.py", "metadata.txt", "icon.svg", "LICENSE", "algorithms/predict.py"}
    assert {f"lsafnet_processing/{name}" for name in wanted} <= set(names)


def test_plugin_and_program_have_one_version_and_one_licence():
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert plugin_version() == tomllib.load(file)["project"]["version"]
    assert (PLUGIN / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.fixture
def make_program(tmp_path):
    """Return a function that writes an executable Python script."""

    def make(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def test_the_program_is_found_by_its_own_name_by_its_environment_and_on_the_path(make_program, tmp_path):
    found = make_program("env/bin/lsafnet", "")
    assert find_program(str(found)) == found
    assert find_program(f' "{tmp_path / "env"}" ') == found
    assert find_program("", path=str(found.parent)) == found
    for setting in (str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(ProgramError, match="neither the lsafnet program nor"):
            find_program(setting)
    with pytest.raises(ProgramError, match="install it"):
        find_program("", path=str(tmp_path))


def test_the_program_gets_an_environment_without_what_is_qgis_own():
    mine = {
        "PYTHONHOME": "/qgis",
        "Proj_Lib": "/qgis/proj",
        "GDAL_DATA": "/qgis",
        "PATH": "/bin",
        "http_proxy": "p",
    }
    theirs = child_environment(mine)
    assert theirs["PATH"] == "/bin"
    assert theirs["http_proxy"] == "p"
    assert {"PYTHONHOME", "Proj_Lib", "GDAL_DATA"} & set(theirs) == set()


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('{"event": "start", "stage": "map", "total_px": 400, "done_px": 100}', Event("start", "map", 400)),
        ('{"event": "advance", "stage": "map", "done_px": 200}', Event("advance", "", 200)),
        ('{"event": "advance", "done_scenes": 2, "item": "north"}', Event("advance", "", 2)),
        ('{"event": "notice", "stage": "map", "text": "no dates"}', Event("notice", "no dates", 0)),
        ('{"event": "finish", "done_px": 400}', Event("finish", "", 400)),
        ("lsafnet: no such file\r\n", Event("error", "no such file")),
        ("note: no dates\n", Event("notice", "no dates")),
        ("{broken", Event("line", "{broken")),
        ("{}", Event("line", "{}")),
        ("[1]", Event("line", "[1]")),
    ],
)
def test_each_line_of_the_program_is_understood_or_passed_on(line, event):
    assert read_event(line) == event


def test_progress_is_the_share_of_the_stage_that_is_done():
    progress = Progress()
    seen = []
    for kind, amount in (
        ("advance", 5),
        ("start", 200),
        ("advance", 50),
        ("notice", 0),
        ("finish", 200),
        ("start", 0),
    ):
        progress.take(Event(kind, "map", amount))
        seen.append(progress.percent)
    assert seen == [0, 0, 25, 25, 100, 0]


def test_what_the_program_says_arrives_in_order_and_its_result_whole(make_program):
    text = (
        "import sys\nfor n in range(3): print(f'note: {n}', file=sys.stderr)\n"
        "print('x' * 1_000_000)\nprint('lsafnet: broken ä', file=sys.stderr)\nsys.exit(4)\n"
    )
    taken = []
    ended = run_program([str(make_program("talks", text))], taken.append, lambda: False)
    assert [event.text for event in taken] == ["0", "1", "2", "broken ä"]
    assert (ended.code, ended.error, ended.cancelled) == (4, "broken ä", False)
    assert ended.stdout == "x" * 1_000_000 + "\n"


def test_a_program_that_cannot_be_started_is_said(tmp_path):
    with pytest.raises(ProgramError, match="cannot be started"):
        run_program([str(tmp_path / "nothing")], print, lambda: False)


def alive(pid):
    """Say whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("deaf", [False, True])
def test_cancelling_ends_the_program_and_its_own_children(make_program, monkeypatch, deaf):
    monkeypatch.setattr(program, "SECONDS_TO_LEAVE", 0.5)
    text = (
        "import signal, subprocess, sys, time\n"
        f"if {deaf}: signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)'])\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(100)\n"
    )
    pids = []
    started = time.monotonic()
    ended = run_program(
        [str(make_program("sleeps", text))], lambda event: pids.append(int(event.text)), lambda: bool(pids)
    )
    assert ended.cancelled
    assert ended.code != 0
    assert time.monotonic() - started < 20
    deadline = time.monotonic() + 10
    while alive(pids[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pids[0])


def test_a_failure_while_watching_leaves_no_program_behind(make_program):
    pids = []

    def take(event):
        pids.append(int(event.text))
        raise RuntimeError("the window is gone")

    text = "import os, sys, time\nprint(os.getpid(), file=sys.stderr, flush=True)\ntime.sleep(100)\n"
    with pytest.raises(RuntimeError, match="window"):
        run_program([str(make_program("sleeps", text))], take, lambda: False)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
