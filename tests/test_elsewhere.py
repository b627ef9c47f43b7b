"""Nothing needs Linux: the main job runs without the modules and functions that other systems lack."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest
import rasterio

from lsafnet_cli.errors import OutputError
from lsafnet_cli.files.outputs import _check_place, check_path
from lsafnet_cli.files.windows_names import why_windows_refuses
from lsafnet_cli.system import cores, heap

from .conftest import noise, write_raster

ROOT = Path(__file__).parents[1]
ELSEWHERE = Path(__file__).parent / "elsewhere"
POSIX_ONLY = {
    "fcntl",
    "resource",
    "pwd",
    "grp",
    "termios",
    "tty",
    "pty",
    "syslog",
    "posix",
    "readline",
    "crypt",
}


def elsewhere(*words, code=None, **variables):
    """Run lsafnet, or a line of code, in a Python that lacks what Windows lacks."""
    paths = os.pathsep.join(map(str, (ELSEWHERE, ROOT, ROOT / "models")))
    run = ["-c", code] if code else ["-m", "lsafnet_cli", *map(str, words)]
    return subprocess.run(
        [sys.executable, *run], env={**os.environ, "PYTHONPATH": paths, **variables},
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_the_other_python_really_lacks_what_windows_lacks(tmp_path):
    (tmp_path / "lsafnet_cli").mkdir()
    asks = tmp_path / "lsafnet_cli" / "asks.py"
    asks.write_text("import os\nprint(hasattr(os, 'sched_getaffinity'))\nimport resource\n", encoding="utf-8")
    done = elsewhere(code=f"import runpy; runpy.run_path({str(asks)!r})")
    assert done.stdout == "False\n"
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'resource'\n")


def test_no_file_imports_a_module_of_one_system_at_its_top():
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for top in ("lsafnet_cli", "models", "tools")
        for path in sorted((ROOT / top).rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
        if name in POSIX_ONLY
    ]
    assert found == []


def test_every_module_can_be_imported():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "lsafnet_cli").rglob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)\nprint('all')"
    done = elsewhere(code=code)
    assert (done.returncode, done.stdout.strip()) == (0, "all"), done.stderr


def test_the_main_job_and_what_follows_it_run(pair, tiny_checkpoint, tmp_path):
    output = tmp_path / "changes.tif"
    words = (
        "--checkpoint",
        tiny_checkpoint,
        "--polygons",
        tmp_path / "changes.gpkg",
        "--also",
        "quicklook,report,probability",
    )
    done = elsewhere("predict", *pair, "-o", output, *words, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["table"]["valid_pixels"] == 150 * 203
    with rasterio.open(output) as dataset:
        assert dataset.shape == (150, 203)
    for follows in (("summarize", output), ("vectorize", output, "-o", tmp_path / "v.geojson"), ("doctor",)):
        assert elsewhere(*follows).returncode == 0


def test_a_batch_of_several_workers_runs(tiny_checkpoint, tmp_path):
    for seed, date in enumerate(("before", "after")):
        (tmp_path / date).mkdir()
        for name in ("east", "west"):
            write_raster(tmp_path / date / f"{name}.tif", noise(seed, 64, 64))
    words = ("-o", tmp_path / "out", "--checkpoint", tiny_checkpoint, "--devices", "2xcpu", "--json")
    done = elsewhere("batch", tmp_path / "before", tmp_path / "after", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["done"] == 2


def test_an_output_that_lacks_a_letter_shows_its_number(pair, tiny_checkpoint, tmp_path):
    output = tmp_path / "änderung.tif"
    words = ("predict", *pair, "-o", output, "--checkpoint", tiny_checkpoint)
    done = elsewhere(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "\\xe4nderung.tif" in done.stdout


def test_no_file_of_the_repository_is_a_link_and_both_copies_of_the_sample_are_equal():
    folders = ("lsafnet_cli", "models", "sample_data", "tests", "tools", "docs", "benchmarks", "qgis_plugin")
    links = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_symlink()]
    assert links == []
    for date in ("before.tif", "after.tif"):
        copies = (ROOT / "sample_data" / date, ROOT / "lsafnet_cli" / "data" / "sample" / date)
        assert copies[0].read_bytes() == copies[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("aux.tif", "reserves the name aux"),
        ("maps/COM1.report/a.tif", "reserves the name COM1"),
        ("maps/a:b.tif", "does not allow :"),
        ("maps/what?.tif", r"does not allow \?"),
        ("maps./a.tif", "removes a full stop"),
    ],
)
def test_a_name_that_windows_refuses_is_refused_there(monkeypatch, tmp_path, name, reason):
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(exist_ok=True, parents=True)
    check_path(path, (), overwrite=False)  # elsewhere it is a name like any other
    monkeypatch.setattr("lsafnet_cli.files.outputs.os.name", "nt")
    with pytest.raises(OutputError, match=reason):
        _check_place(path, overwrite=False)


@pytest.mark.parametrize(
    "name", [r"C:\maps\changes.tif", r"\\server\share\maps\changes.tif", r"..\auxiliary.tif"]
)
def test_drives_shares_and_folders_are_no_reserved_names(name):
    assert why_windows_refuses(PureWindowsPath(name)) == ""


def test_cores_are_counted_where_no_affinity_is_told(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores.usable_cores() == os.cpu_count()


FAULTS = """
import resource, sys
import torch
from lsafnet_cli.system.heap import FreedMemory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.empty(64 << 20, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
with FreedMemory():
    faults()
    large = faults()
with FreedMemory(every_size=True):
    for _ in range(4):  # glibc keeps a few small pieces between large ones, which cannot join until these are used up
        faults()
    kept = faults()
again = faults()
print(usual, large, kept, again)
"""


@pytest.mark.skipif(heap._glibc() is None, reason="glibc alone keeps freed memory")
def test_arrays_of_any_size_are_kept_where_training_asks_for_it():
    found = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    usual, large, kept, again = map(int, found.stdout.split())
    assert min(usual, large, again) > 1000  # 64 MiB are 16,384 pages
    assert kept < 100


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_memory_is_kept_by_nobody_where_there_is_no_glibc(monkeypatch, error):
    def refuse(name):
        raise error("no library without a name")

    monkeypatch.setattr(heap.ctypes, "CDLL", refuse)
    with heap.FreedMemory(1) as memory:
        memory.used_once()
