"""The ways to install: what the Dockerfile, the conda recipe and the metadata name exists and agrees."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from lsafnet_cli.errors import OptionError
from lsafnet_cli.options import OutputOptions

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch"}
DOCKER = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = {"ARG", "FROM", "RUN", "ENV", "COPY", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


@pytest.fixture(scope="module")
def recipe():
    return yaml.safe_load((ROOT / "packaging" / "conda" / "meta.yaml").read_text(encoding="utf-8"))


def test_the_conda_recipe_asks_for_what_the_wheel_asks_for(project, recipe):
    wheel = {}
    for text in project["dependencies"]:
        name, least = re.fullmatch(r"([a-z]+)>=([\d.]+)", text).groups()
        wheel[CONDA_NAMES.get(name, name)] = least
    conda = dict(text.split(" >=") for text in recipe["requirements"]["run"])
    assert conda.pop("python") == project["requires-python"].removeprefix(">=")
    assert conda == wheel
    assert recipe["package"]["version"] == project["version"]
    assert recipe["build"]["entry_points"] == [f"lsafnet = {project['scripts']['lsafnet']}"]


def docker_lines():
    """Return (instruction, words) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKER.replace("\\\n", ""), flags=re.MULTILINE)
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_the_dockerfile_copies_what_exists_and_what_its_context_holds(project):
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    lines = docker_lines()
    assert {word for word, _ in lines} <= INSTRUCTIONS
    copied = [name for word, rest in lines if word == "COPY" for name in rest.split()[:-1]]
    assert len(copied) > 4
    assert all((ROOT / name).exists() for name in copied)
    assert set(copied) <= set(kept)
    assert {"README.md", *project["license-files"]} <= set(copied)  # the build reads them
    (extras,) = re.findall(r"/src\[([a-z,]+)\]", DOCKER)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_every_shell_line_of_the_dockerfile_is_shell():
    for word, rest in docker_lines():
        if word == "RUN":
            subprocess.run(["sh", "-n", "-c", rest], check=True)


def test_the_classifiers_name_the_pythons_that_may_install_it(project):
    found = [
        re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", one) for one in project["classifiers"]
    ]
    minors = [int(match[1]) for match in found if match]
    assert minors[0] == int(project["requires-python"].removeprefix(">=3."))
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_the_main_job_needs_no_extra(project):
    extras = {
        re.match(r"[a-z-]+", text)[0]
        for name, texts in project["optional-dependencies"].items()
        for text in texts
        if name not in ("dev", "docs")
    }
    code = (
        "import sys\n"
        f"for name in {sorted(extras)}: sys.modules[name] = None\n"
        "import lsafnet_cli.prediction.pipeline, lsafnet_cli.report_page.page, lsafnet_cli.maps.quicklook\n"
        "import lsafnet_cli.polygons.vectorization, lsafnet_cli.maps.summarize, lsafnet_cli.batch.driver\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stac_item_without_pystac_is_refused_in_one_line_that_names_the_extra(monkeypatch):
    monkeypatch.setattr("lsafnet_cli.options.output.find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r"lsafnet\[stac\]"):
        OutputOptions(also=("stac",))
    OutputOptions(also=("report", "quicklook"))
