"""Options of polygons, which the commands that write some share."""

from typing import Annotated

import typer

POLYGONS = "Polygons"

MinAreaOpt = Annotated[
    str | None,
    typer.Option(
        metavar="M2[,CLASS=M2,...]", rich_help_panel=POLYGONS,
        help="Merge connected components smaller than this into their neighbours, and fill such holes: "
        "25, or by class, building=25,vegetation=200, or a default with exceptions, 25,building=10. Where "
        "both classes of a transition are named, the smaller limit holds. The map stays as it is. Default: "
        "16 pixels, for classes without a limit as well; 0 keeps all.",
    ),
]  # fmt: skip
SimplifyOpt = Annotated[
    float,
    typer.Option(
        metavar="M", rich_help_panel=POLYGONS,
        help="Simplify borders by up to M metres; shared borders stay shared and areas are kept.",
    ),
]  # fmt: skip
SmoothOpt = Annotated[
    bool, typer.Option("--smooth", help="Smooth the staircase of pixel edges.", rich_help_panel=POLYGONS)
]
DissolveOpt = Annotated[
    bool,
    typer.Option(
        "--dissolve", help="Dissolve into one multipolygon per transition.", rich_help_panel=POLYGONS
    ),
]
ReviewFormOpt = Annotated[
    bool,
    typer.Option(
        "--review-form", rich_help_panel=POLYGONS,
        help="Give GeoPackages the fields status and corrected_to with a form in QGIS, for lsafnet review.",
    ),
]  # fmt: skip
ClassesOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM:TO", rich_help_panel=POLYGONS,
        help='Only these transitions: "water:building", "*:building", "water:*". Repeatable.',
    ),
]  # fmt: skip
BeforeDateOpt = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Date of the earlier image, such as 2024-05-31, instead of the file's.",
        rich_help_panel=POLYGONS,
    ),
]
AfterDateOpt = Annotated[
    str | None, typer.Option(metavar="DATE", help="Date of the later image.", rich_help_panel=POLYGONS)
]
