"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

FILES, TILES, DEVICE, OUTPUT = "Images", "Tiles", "Device", "Output"


class ProgressFormat(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    BAR = "bar"
    JSON = "json"
    NONE = "none"


BeforeArg = Annotated[str, typer.Argument(metavar="BEFORE", help="Image of the earlier date.")]
AfterArg = Annotated[str, typer.Argument(metavar="AFTER", help="Image of the later date.")]
CheckpointOpt = Annotated[
    Path | None,
    typer.Option(
        readable=False,  # whether a file may be read is found out, and said, where it is read
        help="Trained network; else $LSAFNET_CHECKPOINT, else the small one shipped inside.",
    ),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=OUTPUT)]
OverwriteOpt = Annotated[bool, typer.Option(help="Replace outputs that exist.", rich_help_panel=OUTPUT)]
QuietOpt = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notices, no progress.", rich_help_panel=OUTPUT)
]
VerboseOpt = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, rich_help_panel=OUTPUT,
        help="Say more: how long each stage took, and in a batch what concerns single scenes. -vv: debug lines too, "
        "and the traceback of an error.",
    ),
]  # fmt: skip
ProgressOpt = Annotated[
    ProgressFormat,
    typer.Option(
        rich_help_panel=OUTPUT,
        help="Progress on stderr: auto (a bar in a terminal), bar, json (a line for each event) or none.",
    ),
]
BandsOpt = Annotated[
    str | None,
    typer.Option(
        help="Bands to read, by number or name: 4,3,2 or nir,red,green. Default: red, green, blue where the file "
        "says which they are, else the first ones.",
        rich_help_panel=FILES,
    ),
]
StretchOpt = Annotated[
    str,
    typer.Option(
        help="auto, none, percentile:LO,HI or range:LO,HI: how numbers become the checkpoint's values.",
        rich_help_panel=FILES,
    ),
]
GridOpt = Annotated[
    str, typer.Option(help="Whose pixels the map has: before or after.", rich_help_panel=FILES)
]
ResolutionOpt = Annotated[
    float | None,
    typer.Option(help="Side of the map's pixels in metres. Default: as they are.", rich_help_panel=FILES),
]


def parse_bands(text: str | None) -> tuple[int | str, ...] | None:
    """Read "4,3,2" or "nir,red,green"; names may hold anything but commas."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return tuple(int(part) if part.lstrip("-").isdecimal() else part for part in parts if part)
