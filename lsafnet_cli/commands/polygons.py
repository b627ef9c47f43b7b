"""The options of polygons, the same for every command that writes them."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lsafnet_cli.options import PolygonOptions

POLYGONS = "Polygons"

MinAreaOpt = Annotated[
    float,
    typer.Option(
        metavar="M2", rich_help_panel=POLYGONS,
        help="Merge pieces smaller than this into their neighbours, and fill such holes. The map stays as it is.",
    ),
]  # fmt: skip
SimplifyOpt = Annotated[
    float,
    typer.Option(
        metavar="M", rich_help_panel=POLYGONS,
        help="Simplify borders by up to M metres; common borders stay common, areas stay the same.",
    ),
]  # fmt: skip
SmoothOpt = Annotated[bool, typer.Option("--smooth", help="Round the pixel steps.", rich_help_panel=POLYGONS)]
DissolveOpt = Annotated[
    bool, typer.Option("--dissolve", help="One multipolygon for each transition.", rich_help_panel=POLYGONS)
]
ClassesOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM:TO", rich_help_panel=POLYGONS,
        help='Only these transitions: "water:building", "*:building", "water:*". Repeatable.',
    ),
]  # fmt: skip
BeforeDateOpt = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="2024-05-31, in place of the file's date.", rich_help_panel=POLYGONS),
]
AfterDateOpt = Annotated[
    str | None, typer.Option(metavar="DATE", help="The same for the later date.", rich_help_panel=POLYGONS)
]


def make_polygon_options(
    min_area: float, simplify: float, smooth: bool, dissolve: bool, classes: list[str] | None,
    dates: tuple[str | None, str | None],
) -> "PolygonOptions":  # fmt: skip
    """Put what the user wrote into one value. Raises OptionError."""
    from lsafnet_cli.options import PolygonOptions, parse_date

    before, after = map(parse_date, ("--before-date", "--after-date"), dates)
    return PolygonOptions(min_area, simplify, smooth, dissolve, tuple(classes or ()), before, after)
