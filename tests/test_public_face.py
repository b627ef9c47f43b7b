"""What Python users import, and how options are called: in Python's words there, as flags on the command line."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import lsafnet
import lsafnet_cli
from lsafnet_cli import (
    OptionError,
    OutputOptions,
    PageOptions,
    PolygonOptions,
    PredictOptions,
    ReadOptions,
    TileOptions,
    TrainOptions,
    predict_change,
    vectorize_changes,
    write_report_page,
)  # fmt: skip
from lsafnet_cli.app import main
from lsafnet_cli.batch.driver import BatchReport
from lsafnet_cli.batch.records import FAILED, SceneRecord
from lsafnet_cli.doctor.diagnosis import Problem, examine
from lsafnet_cli.observer import Observer
from lsafnet_cli.terminal.batch import show_batch
from lsafnet_cli.terminal.doctor import show_diagnosis
from lsafnet_cli.terminal.flags import FLAGS, SAME, flag_of, in_flags

ROOT = Path(__file__).parents[1]
PACKAGES = pytest.mark.parametrize("package", [lsafnet, lsafnet_cli], ids=lambda package: package.__name__)


@PACKAGES
def test_the_page_of_python_names_what_is_public_and_nothing_else(package):
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(rf"^::: {package.__name__}\.(\S+)$", page, re.MULTILINE)
    assert len(named) == len(set(named))
    tables = {"NETWORKS"} if package is lsafnet else set()  # docs/checkpoints.md
    assert set(named) | tables == set(package.__all__)


@PACKAGES
def test_every_public_name_is_there_and_shown(package):
    assert set(package.__all__) | {"__version__"} == set(dir(package))
    assert all(getattr(package, name) is not None for name in dir(package))
    assert re.fullmatch(r"\d+\.\d+\.\d+", package.__version__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


@pytest.mark.parametrize("name", [name for name in lsafnet_cli.__all__ if name.endswith("Options")])
def test_equal_options_are_the_same_key(name):
    kind = getattr(lsafnet_cli, name)
    assert {kind(): "found"}[kind()] == "found"


def test_options_that_hold_a_mapping_are_keys_as_well():
    made = [TrainOptions(network_options={"width": width}) for width in (16, 16, 32)]
    assert len(set(made)) == 2


@PACKAGES
def test_type_checkers_see_the_same_names(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module, alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    told = {
        (f"{package.__name__}.{module}", name)
        for module, names in package.NAMES_OF_MODULES.items()
        for name in names.split()
    }
    assert seen == told


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "lsafnet_cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"lsafnet {lsafnet_cli.__version__}\n"


def texts(*left_out: str) -> Iterator[tuple[str, str]]:
    """Yield every text of the library that is no docstring, with its file, but for some rooms."""
    for path in (ROOT / "lsafnet_cli").rglob("*.py"):
        if path.relative_to(ROOT).parts[1] not in left_out:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                    yield node.value, path.name


def test_every_option_in_a_message_has_a_flag_and_every_flag_is_the_programs():
    known = set(re.findall(r"`(--[a-z-]+)`", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")))
    named = {name: file for text, file in texts() for name in re.findall(r"`(\w+)`", text)}
    assert len(named) > 50
    assert {name: file for name, file in named.items() if flag_of(name) not in known} == {}
    assert {name for name in (*FLAGS, *SAME) if flag_of(name) not in known} == set()


def test_the_library_writes_no_flags():
    library = texts("commands", "terminal", "app.py")
    assert [(text, file) for text, file in library if re.search(r"(?:^|[\s('\"])--[a-z]", text)] == []


def test_an_option_is_called_as_its_field_in_python_and_as_its_flag_in_a_command(pair, tmp_path, capsys):
    with pytest.raises(OptionError, match=r"^`overlap_px` -1: "):
        TileOptions(overlap_px=-1)
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, pair), "-o", str(tmp_path / "changes.tif"), "--overlap", "-1"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("lsafnet: --overlap -1: ")


def test_a_failed_scene_and_a_problem_of_the_machine_name_flags(capsys):
    record = SceneRecord("x", FAILED, "b.tif", "a.tif", "x.tif", exit_code=7, error="lower `size_px`")
    show_batch(BatchReport("out", (record,), 0, {}, 1.0, "0"), as_json=False)
    assert "lower --tile" in capsys.readouterr().out
    found = replace(examine(seconds=0), problems=(Problem("out of memory; lower `size_px`", 7),))
    show_diagnosis(found, as_json=False)
    assert "problem: out of memory; lower --tile" in capsys.readouterr().out


def test_what_is_no_option_stays_in_backquotes():
    assert in_flags("`weights_only` of torch, and `min_area_m2`") == "`weights_only` of torch, and --min-area"


def test_files_are_named_by_text_or_path(pair, tmp_path, tiny_checkpoint):
    assert PredictOptions("a", ("b",)) == PredictOptions(Path("a"), (Path("b"),))
    assert OutputOptions(("a.gpkg",)) == OutputOptions((Path("a.gpkg"),))
    assert ReadOptions(aoi=Path("a.gpkg")) == ReadOptions(aoi="a.gpkg")
    assert TrainOptions(start=Path("a")).deciding() == TrainOptions(start="a").deciding()
    options = PredictOptions(str(tiny_checkpoint), output=OutputOptions((str(tmp_path / "a.gpkg"),)))
    for form in (str, Path):
        change_map = form(tmp_path / "changes.tif")
        report = predict_change(
            *map(form, pair), change_map, replace(options, checkpoint=form(tiny_checkpoint))
        )
        assert (tmp_path / "a.gpkg").exists()
        made = vectorize_changes(change_map, [form(tmp_path / "b.geojson")], observer=Observer())
        assert made.polygon_count == report.polygon_count
        page = write_report_page(
            change_map,
            form(tmp_path / "c.html"),
            *map(form, pair),
            PageOptions(polygons=form(tmp_path / "a.gpkg")),
        )
        assert Path(page.path).exists()
        for name in ("changes.tif", "changes.qml", "changes.tif.aux.xml", "a.gpkg", "b.geojson", "c.html"):
            (tmp_path / name).unlink()


def test_options_can_be_hashed_whatever_they_hold():
    """A process of a cluster keeps its network by the options that it was given."""
    polygons = PolygonOptions(min_area_by_class={"building": 25.0})
    output = OutputOptions(creation_options={"COMPRESS": "ZSTD"})
    options = PredictOptions(polygons=polygons, output=output)
    assert hash(options) == hash(PredictOptions(polygons=polygons, output=output))
    assert options != PredictOptions(output=output)
