"""Texts and tables in the room that a terminal has: lines are broken between words, and no cell is cut."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from lsafnet_cli.terminal.waiting import end_waiting

if TYPE_CHECKING:
    from rich.table import Table

MOST_COLUMNS = 1000  # letters in a line; no table is wider
FOLDED_COLUMNS = 80  # of a table whose long cells may be folded
LEAST_COLUMNS = 20
NAME_COLUMNS = 12  # of options in a help text without boxes
NARROW_COLUMNS = 72  # below this, help texts and bars take their short form


def room_of(stream: TextIO) -> int | None:
    """Return how many letters a line has: by the variable COLUMNS, else the terminal's; None for files and pipes."""
    wished = os.environ.get("COLUMNS", "")
    if wished.isdecimal() and int(wished):
        return max(LEAST_COLUMNS, int(wished))
    try:
        return max(LEAST_COLUMNS, os.get_terminal_size(stream.fileno()).columns) if stream.isatty() else None
    except (OSError, ValueError, AttributeError):  # a stream that is closed, or none of the system's
        return None


def is_narrow(stream: TextIO) -> bool:
    """Return whether a stream is shown in fewer columns than tables and help texts in boxes need."""
    room = room_of(stream)
    return room is not None and room < NARROW_COLUMNS


def in_lines(text: str, stream: TextIO, indent: str = "") -> str:
    """Return a text broken between words where the stream's room ends; lines after the first are indented."""
    room = room_of(stream)
    if room is None or len(text) <= room:
        return text
    return textwrap.fill(text, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def say(text: str) -> None:
    """Print a sentence on stdout."""
    end_waiting()
    print(in_lines(text, sys.stdout))


def print_table(table: Table, names: int = 1) -> None:
    """Print a table on stdout, or where it has no room each row as a few lines below its first `names` cells."""
    from rich.console import Console

    end_waiting()
    room, need = room_of(sys.stdout), int(Console(width=MOST_COLUMNS).measure(table).maximum)
    if any(column.overflow == "fold" for column in table.columns):
        need = min(need, max(FOLDED_COLUMNS, room or 0))
    if room is None or need <= room:
        Console(width=need).print(table)
        return
    if table.title is not None:
        print(table.title)
    for line in _rows_as_lines(table, names):
        print(line)


def _rows_as_lines(table: Table, names: int) -> Iterator[str]:
    heads = [str(column.header) for column in table.columns]
    for cells in zip(*(map(str, column.cells) for column in table.columns), strict=True):
        yield in_lines(" to ".join(cells[:names]), sys.stdout)
        told = (
            f"{head} {cell}"
            for head, cell in zip(heads[names:], cells[names:], strict=True)
            if cell.strip("- ")
        )
        if text := ", ".join(told):
            yield in_lines(f"  {text}", sys.stdout, indent="  ")


def shorten_help() -> None:
    """Let help texts without boxes give long options a line of their own, and their room to the words."""
    from typer.core import TyperCommand

    formatter = TyperCommand.context_class.formatter_class
    write_list = formatter.write_dl

    def write(
        self: Any, rows: Sequence[tuple[str, str]], col_max: int = NAME_COLUMNS, col_spacing: int = 2
    ) -> None:
        write_list(self, rows, min(col_max, NAME_COLUMNS), col_spacing)

    formatter.write_dl = write  # type: ignore[method-assign]
