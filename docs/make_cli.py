"""Make docs/cli.md, the command reference, from the program: `python docs/make_cli.py`. A test compares the two."""

import re
from collections.abc import Iterable, Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

TARGET = Path(__file__).with_name("cli.md")
PROGRAM = "lsafnet"
OTHERS = "Option"  # the panel of options that name none
INTRODUCTION = """# Command reference

Made from the program by `python docs/make_cli.py`; `lsafnet COMMAND --help` says the same.
Results go to stdout, notes and progress to stderr. To options as gdal, rio, Orfeo ToolBox
or torchgeo have them each command answers with what it has instead.

| exit code | means |
|---|---|
"""
EXIT_CODES = {
    0: "done",
    1: "a bug: the only case in which a traceback is shown",
    2: "usage",
    3: "an input cannot be read",
    4: "the pair does not fit",
    5: "checkpoint",
    6: "an output cannot be written",
    7: "device or memory",
    8: "some scenes of a batch failed",
    130: "interrupted",
}
Command = TyperCommand | TyperGroup


def main() -> None:
    """Write the page."""
    TARGET.write_text(make_reference(), encoding="utf-8")


def make_reference() -> str:
    """Return the page: exit codes, the program's own options, and a part for each command."""
    from lsafnet_cli.app import app

    root = get_command(app)
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    parts = [part_of(path, command) for path, command in walk(PROGRAM, root)]
    return INTRODUCTION + codes + "\n" + "\n".join(parts)


def walk(path: str, command: Any) -> Iterator[tuple[str, Command]]:
    """Yield a command and those below it, each with the words that call it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from walk(f"{path} {name}", below)


def part_of(path: str, command: Command) -> str:
    """Return the part of one command: usage, description, sub-commands, arguments, options."""
    context = typer.Context(command, info_name=path)
    usage = re.sub(r"\{(.*?)\}", r"\1", " ".join([path, *command.collect_usage_pieces(context)]))
    text = [f"## {path}", f"```text\n{usage}\n```", cleandoc(command.help or "")]
    below = {
        f"{path} {name}": one for name, one in getattr(command, "commands", {}).items() if not one.hidden
    }
    if below:
        links = ((f"[`{name}`](#{name.replace(' ', '-')})", one.help or "") for name, one in below.items())
        text.append(table(("command", "does"), links))
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    if arguments:
        rows = [argument_row(one.get_help_record(context) or ("", "")) for one in arguments]
        text.append(table(("argument", "default", "is"), rows))
    text.extend(option_tables(context, command))
    return "\n\n".join(text) + "\n"


def option_tables(context: typer.Context, command: Command) -> list[str]:
    """Return a table for each panel of a command's options, those without a panel first."""
    panels: dict[str, list[tuple[str, ...]]] = {}
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, TyperOption) else None
        if record:  # hidden options have none
            panel = getattr(option, "rich_help_panel", None) or OTHERS
            panels.setdefault(panel, []).append(option_row(record, option.multiple))
    names = sorted(panels, key=lambda name: name != OTHERS)
    return [table((name.lower(), "default", "does"), panels[name]) for name in names]


def argument_row(record: tuple[str, str]) -> tuple[str, ...]:
    """Return name, default and meaning of an argument."""
    names, words = record
    return (f"`{names.rpartition(' <')[0] or names}`", *default_and_words(words))


def option_row(record: tuple[str, str], repeatable: bool) -> tuple[str, ...]:
    """Return all names of an option with the kind of its value, its default and its meaning."""
    *names, last = re.split(r", | / ", record[0])
    last, _, value = last.partition(" ")
    shown = ", ".join(f"`{name}`" for name in (*names, last))
    value = re.sub(r"<list\[(\w+)\]>", lambda found: f"<{found[1].lower()}>", value)
    default, words = default_and_words(record[1])
    if repeatable and "epeat" not in words:
        words += " Repeatable."
    return (f"{shown} `{value}`" if value else shown, default, words)


def default_and_words(words: str) -> tuple[str, str]:
    """Return the default that stands at the end of a help text, and the text without it."""
    text, mark, rest = " ".join(words.split()).replace("*", r"\*").partition(" [default: ")
    if mark:
        return f"`{rest.removesuffix(']')}`", text
    short = text.removesuffix(" [required]")
    return ("required" if short != text else "", short)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, *rows]
    text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    text.insert(1, "|" + "---|" * len(head))
    return "\n".join(text)


if __name__ == "__main__":
    main()
