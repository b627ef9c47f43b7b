"""`lsafnet report`: a change map as one page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import (
    JsonOpt,
    MapArg,
    OverwriteOpt,
    ProgressFormat,
    ProgressOpt,
    QuietOpt,
    VerboseOpt,
)

BeforeOpt = Annotated[str | None, typer.Option(help="Image of the earlier date, shown under the map.")]
AfterOpt = Annotated[str | None, typer.Option(help="Image of the later date.")]
PageOpt = Annotated[
    Path, typer.Option("--output", "-o", metavar="REPORT.html", readable=False, help="HTML page to write.")
]
TitleOpt = Annotated[str | None, typer.Option(help="Title of the page. Default: the map's name.")]
MaxMbOpt = Annotated[float, typer.Option("--max-mb", help="Largest size of the page in megabytes.")]
CardsOpt = Annotated[
    int, typer.Option(help="Number of cards for the largest and for the least certain changes.")
]
ProbabilityOpt = Annotated[
    Path | None,
    typer.Option(help="Map of change probability. Default: MAP.probability.tif, if it exists."),
]
PolygonsOpt = Annotated[
    Path | None,
    typer.Option(
        help="Take the cards from the polygons in this file instead of the map's connected components."
    ),
]


def report(
    change_map: MapArg,
    output: PageOpt,
    before: BeforeOpt = None,
    after: AfterOpt = None,
    title: TitleOpt = None,
    max_mb: MaxMbOpt = 15.0,
    cards: CardsOpt = 6,
    probability: ProbabilityOpt = None,
    polygons: PolygonsOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Write one HTML page of a change map that opens offline: both dates, the changes, their areas."""
    from lsafnet_cli.report_page.page import PageOptions, write_report_page
    from lsafnet_cli.terminal.console import show_page
    from lsafnet_cli.terminal.progress import make_observer

    options = PageOptions(title, max_mb, cards, probability, polygons)
    observer = make_observer(quiet, progress, verbose)
    show_page(write_report_page(change_map, output, before, after, options, overwrite, observer), as_json)
