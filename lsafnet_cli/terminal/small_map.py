"""A change map drawn with half blocks: each character shows two pixels, one above the other."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.maps.table import area_text

if TYPE_CHECKING:
    import numpy as np

    from lsafnet_cli.maps.small_map import SmallMap

UPPER_HALF, SWATCH = "▀", "██"
MOST_ENTRIES = 20
LEAST_LINES = 12
FORCED_COLS, FORCED_LINES = 80, 40


def picture_shape(forced: bool) -> tuple[int, int] | None:
    """Return the most (rows, cols) of pixels that stdout has room for; None without a terminal or colours."""
    if sys.stdout.isatty() and not without_colors():
        size = Console().size
        return 2 * max(LEAST_LINES, size.height - 4), size.width
    return (2 * FORCED_LINES, FORCED_COLS) if forced else None


def without_colors() -> bool:
    """Return whether the user wishes no colours (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def show_small_map(shown: SmallMap, with_picture: bool) -> None:
    """Print the picture, where wished, and the legend with areas below it."""
    forced = with_picture and (without_colors() or not sys.stdout.isatty())
    console = Console(
        soft_wrap=True,
        force_terminal=True if forced else None,
        color_system="truecolor" if forced else "auto",
        no_color=False if forced else None,  # who forces the picture wants its colours
    )
    if with_picture:
        for top in range(0, len(shown.colors), 2):
            console.print(_line(shown.colors[top : top + 2]))
    table, palette = shown.table, shown.legend.palette
    for row in table.transitions[:MOST_ENTRIES]:
        area = area_text(row.area_ha, row.pixels)
        swatch = Text(SWATCH, style=Style(color=Color.from_rgb(*palette[row.code])))
        key = [] if without_colors() and not forced else [swatch]
        console.print(*key, Text(f" {printable(row.name)}  {area}"), sep="")
    if len(table.transitions) > MOST_ENTRIES:
        console.print(Text(f"and {len(table.transitions) - MOST_ENTRIES} smaller ones: lsafnet summarize"))
    console.print(Text(f"changed: {table.changed_pixels:,} of {table.valid_pixels:,} pixels with data"))


def _line(pair: np.ndarray) -> Text:
    """Return one line of characters from one or two rows of colours."""
    line = Text()
    for col in range(pair.shape[1]):
        upper, lower = pair[0, col], pair[1, col] if len(pair) > 1 else None
        below = Color.from_rgb(*map(int, lower)) if lower is not None else None
        line.append(UPPER_HALF, Style(color=Color.from_rgb(*map(int, upper)), bgcolor=below))
    return line
