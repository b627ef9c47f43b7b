"""What the pages of docs/ promise: their commands run, their examples work, what they name exists."""

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from typer.main import get_command

import lsafnet
import lsafnet_cli
from lsafnet_cli.app import app, main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SAMPLE = ROOT / "sample_data"
PAGES = sorted(DOCS.glob("*.md"))
DATES = ("before", "after")
QUICK = ["--epochs", "1", "--batch-size", "2", "--workers", "0", "--device", "cpu", "--quiet"]
SIDE = 160
OTHERS_OPTIONS = {  # of torchrun, sbatch, mkdocs, http.server, pip, conda, docker, qgis_process, the benchmarks
    "--help", "--nproc-per-node", "--no-python", "--dependency", "--wrap", "--strict", "--directory",
    "--largest", "--side", "--index-url", "--use-local", "--build-arg", "--gpus", "--rm", "--user", "--BEFORE",
    "--AFTER", "--inputs", "--again", "--kills",
}  # fmt: skip


def read(name):
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", read(name), re.DOTALL)


def commands(name, program="lsafnet"):
    lines = [line for block in blocks(name, "sh") for line in block.replace("\\\n", "").splitlines()]
    return [
        shlex.split(line.split(" > ")[0], comments=True)[1:]
        for line in lines
        if line.startswith(f"{program} ")
    ]


def leave_code(words):
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code or 0


def cut(name, target, col=0, row=0):
    """Write a window of one of the sample's rasters, `SIDE` pixels wide and high."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(SAMPLE / name) as source:
        window = Window(col, row, SIDE, SIDE)
        profile = {key: source.profile[key] for key in ("driver", "dtype", "nodata", "count", "crs")}
        place = {"width": SIDE, "height": SIDE, "transform": source.transform @ Affine.translation(col, row)}
        with rasterio.open(target, "w", **profile, **place) as dataset:
            dataset.write(source.read(window=window))
    return target


@pytest.fixture
def standing(tmp_path, monkeypatch):
    """Stand in a folder with a small pair under the names of the pages, and the same as a folder of pairs."""
    for date in DATES:
        cut(f"{date}.tif", tmp_path / f"{date}.tif", 300, 100)
        (tmp_path / date).mkdir()
        shutil.copy(tmp_path / f"{date}.tif", tmp_path / date / "north.tif")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def town(standing):
    """Write the data set of docs/adding-a-data-set.md, as that page lays it out and describes it."""
    for split, name, place in (("train", "north", (0, 0)), ("val", "south", (512, 512))):
        for kind in (*DATES, *(f"label_{date}" for date in DATES)):
            cut(f"{kind}.tif", standing / "town" / split / kind / f"{name}.tif", *place)
    (described,) = blocks("adding-a-data-set.md", "json")
    (standing / "town" / "classes.json").write_text(described, encoding="utf-8")
    return standing


def test_the_commands_of_the_tutorial_work(standing, capsys):
    words = [one for one in commands("tutorial.md") if one[0] != "demo"]  # test_demo.py runs that one
    assert len(words) == 9
    for one in words:
        assert leave_code(one) == 0, capsys.readouterr().err
    for name in (
        "mine.tif",
        "mine.gpkg",
        "mine.probability.tif",
        "built.gpkg",
        "mine.html",
        "maps/batch.csv",
    ):
        assert (standing / name).exists()
    assert "the pair fits" in capsys.readouterr().out


def test_the_data_set_of_the_docs_is_checked_trained_on_and_scored(town, capsys):
    check, train, evaluate = commands("adding-a-data-set.md")
    assert leave_code([*check, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layout"] == "two dates"
    assert leave_code([*train, "--network", "lsafnet-tiny", *QUICK]) == 0
    assert leave_code([*evaluate, "--quiet"]) == 0
    assert leave_code(["checkpoint", "show", "run/best.safetensors"]) == 0
    assert "aerial images of a town" in capsys.readouterr().out


def test_the_layout_of_the_docs_is_the_one_that_is_made_here(town):
    named = re.findall(r"(?:train|val)/\w+/\w+\.tif", read("adding-a-data-set.md"))
    made = sorted(path.relative_to(town / "town").as_posix() for path in (town / "town").rglob("*.tif"))
    assert sorted(named) == made


def test_the_network_of_the_docs_is_trained_and_predicts(town):
    (code,) = blocks("adding-a-network.md", "python")
    script = town / "two_heads.py"
    script.write_text(code, encoding="utf-8")
    train, predict = commands("adding-a-network.md", "python two_heads.py")
    run = [sys.executable, script]
    train = ["town" if word == "DATASET" else word for word in train[1:]]
    subprocess.run([*run, *train, *QUICK], check=True, capture_output=True)
    subprocess.run([*run, *predict[1:], "--quiet"], check=True, capture_output=True)
    with rasterio.open(town / "changes.tif") as dataset:
        assert dataset.shape == (SIDE, SIDE)
    assert leave_code([*predict[1:], "--overwrite"]) == 5  # plain lsafnet does not know the network


def test_the_python_of_the_docs_works(standing, capsys):
    for code in blocks("api.md", "python"):
        exec(compile(code, "api.md", "exec"), {})
    assert float(capsys.readouterr().out) >= 0


def without_numbers(text):
    """Return the words alone: numbers and the widths of columns differ between machines and checkpoints."""
    return re.sub(r"\s+", " ", re.sub(r"[-\d][\d.,]*", "N", text)).strip()


def test_the_blocks_of_the_python_tutorial_print_what_stands_below_them(tmp_path):
    """Another checkpoint may need `python tools/make_python_tutorial.py`."""
    pytest.importorskip("geopandas")
    pytest.importorskip("matplotlib")
    from make_python_tutorial import BLOCK, PLOT, run_blocks

    page = read("python-tutorial.md")
    shown = [without_numbers(block["text"] or "") for block in BLOCK.finditer(page)]
    outputs = [without_numbers(printed) for _, printed in run_blocks(page, tmp_path)]
    assert len(shown) == page.count("```python") == len(outputs) > 7
    assert page.count("```text") == sum(map(bool, shown)) > 5
    assert shown == outputs
    assert (tmp_path / PLOT).stat().st_size > 10_000


def test_every_public_name_is_described():
    for package in (lsafnet, lsafnet_cli):
        described = set(re.findall(rf"^::: {package.__name__}\.(\w+)$", read("api.md"), re.MULTILINE))
        assert set(package.__all__) - described <= {"NETWORKS"}  # a table of docs/checkpoints.md


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|benchmarks|sample_data|models/lsafnet|lsafnet_cli|docs)/[\w./-]+)`", text)
    assert [name for name in named if not ((ROOT / name).exists() or "NAME" in name)] == []


def test_pages_name_many_tests():
    assert len(set(re.findall(r"`(tests/test_\w+\.py)`", read("reliability.md")))) > 30


COMMANDS = [(page.name, words) for page in PAGES for words in commands(page.name)]


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: str(value)[:60])
def test_every_command_of_a_page_is_understood(page, words):
    command, words = get_command(app), list(words)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    command.make_context("lsafnet", words)  # raises for what it does not know and for what is missing


def test_the_pages_have_many_commands():
    assert len(COMMANDS) > 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_a_page_names_exists(page):
    known = set(re.findall(r"(--[a-z-]+)", read("cli.md")))
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", page.read_text(encoding="utf-8")))
    assert named - known - OTHERS_OPTIONS == set()


@pytest.fixture(scope="module")
def hooks():
    """Return what mkdocs runs while it builds the site."""
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "site_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = SimpleNamespace(file=SimpleNamespace(src_uri="page.md"))


@pytest.mark.parametrize(
    "loaded",
    [
        '<script async src="https://elsewhere.org/a.js"></script>',
        "<img alt=x src=//elsewhere.org/a.png>",
        '<link href="https://fonts.elsewhere.org/css" rel="stylesheet">',
        '<link rel="preconnect" href="https://elsewhere.org">',
    ],
)
def test_a_page_that_loads_anything_from_elsewhere_ends_the_build(hooks, loaded):
    with pytest.raises(Exception, match="loads nothing from elsewhere"):
        hooks.on_post_page(f"<p>{loaded}</p>", page=PAGE, config=None)


def test_links_and_files_of_the_site_itself_are_fine(hooks):
    text = '<a href="https://elsewhere.org">x</a><img src="a.png"><link rel="stylesheet" href="site.css">'
    assert hooks.on_post_page(text, page=PAGE, config=None) == text
