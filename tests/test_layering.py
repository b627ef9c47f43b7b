"""A folder is a promise, and imports keep it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOL, NETWORKS = ROOT / "lsafnet_cli", ROOT / "models" / "lsafnet"
ROOMS = (
    "errors",
    "options",
    "observer",
    "geometry",
    "legend",
    "system",
    "files",
    "scenes",
    "maps",
    "polygons",
    "report_page",
    "accuracy",
    "checkpoints",
    "prediction",
    "review",
    "data_sets",
    "evaluation",
    "training",
    "batch",
    "series",
    "doctor",
    "terminal",
    "commands",
    "app",
)
"""Each imports only from itself and from those before it, at the top of a file or inside a function."""
FACES = {"__init__", "__main__"}  # the public names, loaded on first use, and `python -m lsafnet_cli`
TALKING = {"typer", "rich", "tqdm"}
FILES = {"rasterio", "fiona", "shapely", "pyproj"}


def modules() -> dict[str, Path]:
    """Return all modules of both packages by their dotted names; a package is its __init__.py."""
    found = {}
    for top in (TOOL, NETWORKS):
        for path in top.rglob("*.py"):
            parts = path.relative_to(top.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """Yield what a file imports, at its top or inside a function, as dotted names of what is taken."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offences(folder: Path, forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(folder.rglob("*.py"))
        for name in imported(path)
        if any(name == word or name.startswith(f"{word}.") for word in forbidden)
    ]


def room_of(name: str) -> str:
    return name.split(".")[1]


def test_no_import_goes_up():
    rooms = {path.stem for path in TOOL.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - FACES == set(ROOMS)
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for module, path in modules().items()
        if module.startswith("lsafnet_cli.") and room_of(module) not in FACES
        for name in imported(path)
        if name.startswith("lsafnet_cli.") and ROOMS.index(room_of(name)) > ROOMS.index(room_of(module))
    ]
    assert upward == []


def test_the_contributors_page_lists_the_rooms_in_their_order():
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[\w./]+`(?:, )?)+) \| [^|]+ \| [\d,]+ \| [\d,]+ \|$", page, re.MULTILINE)
    named = [name.removesuffix(".py").rstrip("/") for row in rows for name in re.findall(r"`([\w./]+)`", row)]
    assert named == list(ROOMS)


def test_no_modules_import_each_other_in_a_circle():
    known = modules()
    graph = {name: set(_targets(path, known)) - {name} for name, path in known.items()}
    for public in ("lsafnet", "lsafnet_cli"):
        graph[public] = set()  # loads names on first use; whoever imports from it is in the test above
    while leaves := {name for name, taken in graph.items() if not taken & graph.keys()}:
        graph = {name: taken for name, taken in graph.items() if name not in leaves}
    assert graph == {}


def _targets(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for name in imported(path):
        if name in known:
            yield name
        elif (parent := name.rpartition(".")[0]) in known:
            yield parent


def test_networks_know_nothing_of_files_and_command_lines():
    assert offences(NETWORKS, TALKING | FILES | {"lsafnet_cli"}) == []


def test_only_the_terminal_and_the_commands_touch_what_talks():
    found = {line.split(" imports ")[0] for line in offences(TOOL, TALKING)}
    assert [
        name for name in sorted(found) if name.split("/")[1] not in ("terminal", "commands", "app.py")
    ] == []


def test_nothing_imports_click():
    assert offences(TOOL, {"click"}) == []


@pytest.mark.parametrize(
    "module",
    [
        "lsafnet_cli.app",
        "lsafnet.checkpoint.info",
        "lsafnet_cli",
        "lsafnet_cli.accuracy.sample",
        "lsafnet_cli.accuracy.tables",
        "lsafnet_cli.review.correct",
        "lsafnet_cli.review.labels",
        "lsafnet_cli.terminal.console",
        "lsafnet_cli.maps.small_map",
        "lsafnet_cli.maps.summarize",
        "lsafnet_cli.polygons.vectorization",
        "lsafnet_cli.prediction.write",
        "lsafnet_cli.terminal.small_map",
    ],
)
def test_answers_that_need_no_network_do_not_wait_for_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_error_is_said_without_waiting_for_what_could_be_shown_instead():
    code = (
        "import sys, lsafnet_cli.terminal.console\n"
        "print({'torch', 'scipy', 'rasterio', 'pyogrio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_run_without_polygons_does_not_wait_for_their_libraries():
    code = (
        "import sys, lsafnet_cli.prediction.pipeline\n"
        "print({'scipy', 'pyogrio', 'pandas', 'torch._dynamo', 'sympy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
