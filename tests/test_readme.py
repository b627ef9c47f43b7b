"""What the README promises, run as it stands there."""

import re
import shlex
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import yaml

from lsafnet_cli.app import main

from .maps import blobs, ground, legend_of, write_map, write_zones
from .training_sets import write_second

ROOT = Path(__file__).parents[1]
LAND_COVER = ("water", "ground", "vegetation", "building")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """Stand in a folder with the sample pair under the README's names."""
    for date in ("before", "after"):
        shutil.copy(ROOT / "sample_data" / f"{date}.tif", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folders(sample):
    """Put the sample pair into the folders of the README's batches as well, and into its table."""
    for date in ("before", "after"):
        (sample / date).mkdir()
        shutil.copy(sample / f"{date}.tif", sample / date / "one.tif")
    (sample / "pairs.csv").write_text("before,after,name\nbefore.tif,after.tif,one\n", encoding="utf-8")
    return sample


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith("lsafnet ")]


def test_the_first_command_of_the_readme_works(sample):
    command = commands()[0]
    with pytest.raises(SystemExit) as left:
        main(shlex.split(command)[1:])
    assert left.value.code == 0
    assert (sample / "changes.tif").exists()
    assert (sample / "changes.gpkg").exists()


def test_the_numbers_of_the_readme_are_printed(sample):
    change_map = write_map(sample / "changes.tif", blobs(1, 120, 90, 17, block=10), legend_of())
    write_zones(sample / "districts.gpkg", [ground((0, 50), (0, 50))], name=["Mitte"])
    lines = [line for line in commands() if line.startswith("lsafnet summarize")]
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[2] == change_map.name
        with pytest.raises(SystemExit) as left:
            main(words[1:])
        assert left.value.code == 0


def test_the_scores_of_the_readme_are_printed(sample):
    write_map(sample / "changes.tif", np.full((1024, 1024), 2), legend_of(names=LAND_COVER))
    for date in ("before", "after"):
        shutil.copy(ROOT / "sample_data" / f"label_{date}.tif", sample)
    lines = [line for line in commands() if line.startswith("lsafnet evaluate")]
    assert len(lines) == 2
    with pytest.raises(SystemExit) as left:
        main(shlex.split(lines[0], comments=True)[1:])
    assert left.value.code == 0


def test_the_looks_of_the_readme_work(sample):
    write_map(sample / "changes.tif", np.full((1024, 1024), 2), legend_of(names=LAND_COVER))
    lines = [line for line in README.splitlines() if line.startswith(("lsafnet show", "lsafnet report"))]
    assert len(lines) == 2
    for line in lines:
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line, comments=True)[1:])
        assert not left.value.code
    assert (sample / "report.html").exists()


def test_the_training_of_the_readme_works(sample):
    write_second(sample / "SECOND")
    lines = [line for line in README.splitlines() if line.startswith(("lsafnet dataset", "lsafnet train"))]
    assert len(lines) == 2
    quick = [
        "--network",
        "lsafnet-tiny",
        "--epochs",
        "1",
        "--batch-size",
        "2",
        "--workers",
        "0",
        "--device",
        "cpu",
    ]
    for line, more in zip(lines, ([], quick), strict=True):
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line, comments=True)[1:] + more)
        assert not left.value.code
    assert (sample / "run" / "best.safetensors").exists()


def test_the_recipe_of_a_pair_and_that_of_polygons_work(sample):
    for name in ("check", "predict before.tif after.tif -o changes.tif --also", "vectorize"):
        (line,) = (line for line in commands() if line.startswith(f"lsafnet {name} "))
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line, comments=True)[1:])
        assert not left.value.code
    for made in ("changes.quicklook.png", "changes.report.html", "built.gpkg"):
        assert (sample / made).exists()


def test_the_batches_of_the_readme_work(folders):
    lines = [line for line in commands() if line.startswith("lsafnet batch")]
    assert len(lines) == 4
    for line in lines:
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line, comments=True)[1:])
        assert left.value.code == 0
    assert (folders / "changes" / "one.tif").exists()
    with pytest.raises(SystemExit) as left:
        main(["batch", "--collect", "changes"])
    assert left.value.code == 0


def test_the_python_of_the_readme_works(folders, capsys):
    import torch

    names = {"before": torch.zeros(2, 3, 64, 64), "after": torch.zeros(2, 3, 64, 64)}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), dict(names))
    assert all(float(line) > 0 for line in capsys.readouterr().out.split())


def test_every_make_target_and_option_of_the_readme_exists(capsys):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)\b", "\n".join(blocks("sh"))):
        assert f"\n{target}:" in makefile
    for command in ("predict", "summarize", "batch", "evaluate", "train", "report", "doctor"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
    shown = capsys.readouterr().out
    for option in set(re.findall(r"`(--[a-z-]+)", README)):
        assert option in shown or option.replace("--no-", "--") in shown, option


def test_files_and_folders_that_the_readme_names_exist():
    named = re.findall(r"\]\(([^)#]+)[^)]*\)", README) + re.findall(
        r"`([A-Za-z_]+/[A-Za-z_./]*|[A-Z]+\.?[a-z]*)`", README
    )
    places = (ROOT, ROOT / "lsafnet_cli", ROOT / "models" / "lsafnet")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_the_citation_is_that_of_the_readme_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = citation["preferred-citation"]
    assert paper["doi"] in README
    assert paper["title"] in " ".join(README.split())
    assert citation["version"] == version("lsafnet")
