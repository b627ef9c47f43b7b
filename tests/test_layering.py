"""A folder is a promise, and imports keep it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TALKING = {"typer", "rich", "tqdm"}
FILES = {"rasterio", "fiona", "shapely", "pyproj"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def offences(folder: str, forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imported(path)
        if any(name == word or name.startswith(f"{word}.") for word in forbidden)
    ]


def test_networks_know_nothing_of_files_and_command_lines():
    assert offences("models/lsafnet", TALKING | FILES | {"lsafnet_cli"}) == []


def test_stages_neither_talk_nor_reach_up():
    upper = {"lsafnet_cli.commands", "lsafnet_cli.pipeline", "lsafnet_cli.app", "lsafnet_cli.console"}
    assert offences("lsafnet_cli/stages", TALKING | upper) == []


def test_only_the_console_and_the_terminal_folder_touch_rich_and_tqdm():
    found = {line.split(" imports ")[0] for line in offences("lsafnet_cli", {"rich", "tqdm"})}
    assert {name for name in found if not name.startswith("lsafnet_cli/terminal/")} == {
        "lsafnet_cli/console.py"
    }


def test_nothing_imports_click():
    assert offences("lsafnet_cli", {"click"}) == []


@pytest.mark.parametrize(
    "module",
    [
        "lsafnet_cli.app",
        "lsafnet.checkpoint_info",
        "lsafnet_cli",
        "lsafnet_cli.console",
        "lsafnet_cli.stages.write",
        "lsafnet_cli.small_map",
        "lsafnet_cli.terminal.small_map",
    ],
)
def test_answers_that_need_no_network_do_not_wait_for_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_error_is_said_without_waiting_for_what_could_be_shown_instead():
    code = (
        "import sys, lsafnet_cli.console; print({'torch', 'scipy', 'rasterio', 'pyogrio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
