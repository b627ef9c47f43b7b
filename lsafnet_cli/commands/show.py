"""`lsafnet show`: a change map in the terminal."""

from pathlib import Path
from typing import Annotated

import typer

MapArg = Annotated[
    Path, typer.Argument(metavar="MAP.tif", readable=False, help="Change map written by lsafnet.")
]
ForceOpt = Annotated[bool, typer.Option("--force", help="Draw even if stdout is not a terminal.")]


def show(change_map: MapArg, force: ForceOpt = False) -> None:
    """Draw a change map in the terminal, with a legend in hectares below it."""
    from lsafnet_cli.maps.small_map import read_small_map
    from lsafnet_cli.terminal.progress import make_observer
    from lsafnet_cli.terminal.small_map import picture_shape, show_small_map, without_colors

    room = picture_shape(force)
    if room is None:
        reason = "NO_COLOR is set" if without_colors() else "stdout is no terminal"
        make_observer(False).notice(f"{reason}, so nothing is drawn; --force draws all the same")
    show_small_map(read_small_map(change_map, *(room or (1, 1))), room is not None)
