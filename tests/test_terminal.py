"""What stands in a terminal: the finding first, a spinner before bars, whole words in 50 columns, wished colours."""

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.table import Column, Table

from lsafnet_cli.app import main
from lsafnet_cli.observer import watched
from lsafnet_cli.terminal.progress import make_observer
from lsafnet_cli.terminal.room import in_lines, print_table

from .maps import SAMPLE, ground, legend_of, write_map, write_town, write_zones

FINDING = re.compile(r"[\d.,]+ ha of [\d.,]+ ha changed \([\d.]+%\)")
NARROW = 50


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self):
        return True


def run(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code or 0


def test_the_finding_is_the_first_line_of_predict_decide_and_summarize(
    pair, tmp_path, tiny_checkpoint, capsys
):
    layered = tmp_path / "layered.tif"
    words = ("--also", "before,after,probability", "--checkpoint", tiny_checkpoint, "-q")
    assert run("predict", *pair, "-o", layered, *words) == 0
    shown = {"predict": capsys.readouterr().out}
    for command, words in {
        "summarize": (),
        "decide": ("-o", tmp_path / "d.tif", "--threshold", "0.4"),
    }.items():
        assert run(command, layered, *words) == 0
        shown[command] = capsys.readouterr().out
    for text in shown.values():
        first = text.splitlines()[0]
        assert FINDING.match(first), first
        assert first.endswith(" net")
    assert shown["predict"].splitlines()[0] == shown["summarize"].splitlines()[0]
    assert run("summarize", layered, "--json") == 0
    assert json.loads(capsys.readouterr().out)["finding"] == shown["summarize"].splitlines()[0]
    assert run("summarize", layered, "--format", "markdown") == 0
    assert FINDING.match(capsys.readouterr().out)


def test_in_fifty_columns_no_line_is_longer_and_no_word_is_cut(tmp_path, capsys, monkeypatch):
    names = ("unchanged", "water_surface", "low_vegetation", "non_vegetated_ground", "building")
    codes = np.arange(80 * 90).reshape(80, 90) % 17
    made = write_map(tmp_path / "changes.tif", codes, legend_of(SAMPLE[:4], names[1:]))
    zones = write_zones(tmp_path / "zones.gpkg", [ground((0, 40), (0, 90)), ground((40, 80), (0, 90))])
    monkeypatch.setenv("COLUMNS", str(NARROW))
    commands = (("summarize", made, "--zones", zones), ("sample", made, "-o", tmp_path / "s.gpkg"))
    for words in commands:
        assert run(*words) == 0
        shown = capsys.readouterr()
        lines = [line for line in shown.out.splitlines() if str(tmp_path) not in line]
        assert max(map(len, lines)) <= NARROW
        assert "…" not in shown.out
        for name in names[1:]:
            assert name in shown.out


def test_the_help_of_every_command_keeps_its_words_in_fifty_columns():
    script = (
        "import re, typer\nfrom typer.main import get_command\nfrom lsafnet_cli.app import app\n"
        "for name, command in get_command(app).commands.items():\n"
        "    context = typer.Context(command, info_name=name)\n"
        "    words = ' '.join(one.help or '' for one in command.params if getattr(one, 'help', None)).split()\n"
        "    text = command.get_help(context)\n"
        "    print(name, *[word for word in words if not re.search(re.escape(word.rstrip('.')), text)])\n"
    )
    settings = {**os.environ, "COLUMNS": str(NARROW)}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=settings, capture_output=True, text=True, check=True
    )
    commands = [line.split() for line in ran.stdout.splitlines()]
    assert len(commands) > 10
    assert [found for found in commands if len(found) > 1] == []


def test_a_wide_table_runs_on_in_a_pipe_and_is_lines_where_it_has_no_room(capsys, monkeypatch):
    table = Table("from", "to", "pixels", Column("ha"), title="Changes")
    table.add_row("low_vegetation " * 3, "building " * 6, "1,234", "-")
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(table, names=2)
    piped = capsys.readouterr().out
    assert "low_vegetation low_vegetation low_vegetation" in piped
    monkeypatch.setenv("COLUMNS", str(NARROW))
    print_table(table, names=2)
    title, *lines = capsys.readouterr().out.splitlines()
    assert (title, lines[-1]) == ("Changes", "  pixels 1,234")
    assert " ".join(" ".join(lines).split()).startswith(f"{'low_vegetation ' * 3}to building")


def test_a_word_longer_than_the_line_stays_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(NARROW))
    word = "/a/path/" + "x" * 80
    assert in_lines(f"the map lies in {word} now", Terminal()).splitlines() == [
        "the map lies in",
        word,
        "now",
    ]


def test_a_notice_is_one_line_in_a_pipe_and_folded_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(NARROW))
    text = "the after image is shifted by about 15.9 pixels against the before image " * 2
    make_observer().notice(text)
    assert len(capsys.readouterr().err.splitlines()) == 1
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    make_observer().notice(text)
    assert max(map(len, shown.getvalue().splitlines())) <= NARROW


def test_a_spinner_names_the_stage_until_a_bar_begins(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    observer = make_observer()
    observer.wait("reading the images")
    observer.wait("measuring the shift")
    with watched(observer, "map", 100):
        text = shown.getvalue()
        observer.wait("not beside a bar")
        observer.advance(100)
    assert text.index("reading the images ...") < text.index("measuring the shift ...")
    assert "\x1b[2K" in text  # the spinner's line is gone
    assert "not beside a bar" not in shown.getvalue()


@pytest.mark.parametrize(("progress", "said"), [("auto", False), ("none", False), ("bar", True)])
def test_without_a_terminal_stages_are_lines_on_demand_alone(capsys, progress, said):
    make_observer(progress=progress).wait("reading the images")
    assert ("reading the images ..." in capsys.readouterr().err) == said


def test_programs_hear_of_stages_too(capsys):
    observer = make_observer(progress="json")
    observer.wait("reading the images")
    with watched(observer, "map", 10):
        observer.wait("within a stage that counts")
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert events[0] == {"event": "wait", "stage": "reading the images"}
    assert [event["event"] for event in events] == ["wait", "start", "finish"]


def test_predict_tells_what_it_waits_for(pair, tmp_path, tiny_checkpoint, capsys):
    words = (
        "predict",
        *pair,
        "-o",
        tmp_path / "c.tif",
        "--checkpoint",
        tiny_checkpoint,
        "--progress",
        "json",
    )
    assert run(*words) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    waits = [event["stage"] for event in events if event["event"] == "wait"]
    assert waits[:3] == ["loading PyTorch", "loading the checkpoint", "reading the images"]
    assert events[0]["event"] == "wait"


def test_without_colours_a_map_is_its_legend_and_forced_it_is_drawn(tmp_path, capsys, monkeypatch):
    made = write_town(tmp_path)[0]
    monkeypatch.setenv("NO_COLOR", "1")
    assert run("show", made) == 0
    shown = capsys.readouterr()
    assert "NO_COLOR is set" in shown.err
    assert not {"▀", "█", "\x1b"} & set(shown.out)
    assert " ha" in shown.out
    assert run("show", made, "--force") == 0
    assert "\x1b[38;2;" in capsys.readouterr().out
