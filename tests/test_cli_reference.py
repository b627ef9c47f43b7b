"""docs/cli.md says what the program says."""

import importlib.util
from pathlib import Path

import pytest

from lsafnet_cli import errors

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cli.md"


@pytest.fixture(scope="module")
def maker():
    """Return the script that makes the page, as a module."""
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("width", ["40", "200"])
def test_the_command_reference_is_what_the_program_says(maker, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("TERMINAL_WIDTH", width)
    assert maker.make_reference() == PAGE.read_text(encoding="utf-8"), "run python docs/make_cli.py"


def test_every_exit_code_is_explained(maker):
    kinds = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.LsafnetError)
    ]
    assert len(kinds) > 5
    others = {0, errors.BATCH_EXIT_CODE, errors.INTERRUPTED_EXIT_CODE}
    assert {one.exit_code for one in kinds} | others == set(maker.EXIT_CODES)


def test_help_texts_come_out_of_a_table_as_they_went_in(maker):
    assert maker.table(("a", "b"), [("x|y", "z")]).splitlines() == ["| a | b |", "|---|---|", "| x\\|y | z |"]
    assert maker.default_and_words("So far.  [default: 2]") == ("`2`", "So far.")
    assert maker.default_and_words("A *b.  [required]") == ("required", "A \\*b.")
    assert maker.option_row(("-p, --path <list[Path]>", "Where."), True) == (
        "`-p`, `--path` `<path>`",
        "",
        "Where. Repeatable.",
    )
