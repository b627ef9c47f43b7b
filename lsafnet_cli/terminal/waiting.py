"""What goes on while there is nothing to count yet: one line with a spinner on stderr, gone when it is over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_shown: list[Any] = []  # the one line, where there is one


def show_waiting(stage: str) -> None:
    """Show a stage whose length is not known, in place of the one before; in terminals only."""
    if not sys.stderr.isatty():
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("line", f"{stage} ...")  # of letters that every encoding has
    if _shown:
        _shown[0].update(spinner, refresh=True)
        return
    console = Console(stderr=True)
    line = Live(spinner, console=console, transient=True, redirect_stdout=False, refresh_per_second=8)
    _shown.append(line)
    line.start(refresh=True)


def end_waiting() -> None:
    """Remove the line, where there is one."""
    while _shown:
        _shown.pop().stop()


@contextmanager
def waiting(stage: str = "") -> Iterator[None]:
    """Show a stage, where one is named, until the block ends; whatever is shown by then is removed."""
    if stage:
        show_waiting(stage)
    try:
        yield
    finally:
        end_waiting()
