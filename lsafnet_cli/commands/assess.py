"""`lsafnet assess`: accuracies and adjusted areas from labelled points."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import OUTPUT, MapArg, ProgressFormat, ProgressOpt, QuietOpt, VerboseOpt
from lsafnet_cli.commands.summarize import FormatOpt, JsonOpt, OverwriteOpt, SummaryFormat

PointsArg = Annotated[
    str,
    typer.Argument(
        metavar="POINTS",
        help="Points with reference_from and reference_to, the true classes of both dates: those of lsafnet "
        "sample, or any vector file, in any CRS.",
    ),
]
AssessPlotOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg", rich_help_panel=OUTPUT,
        help="Also plot mapped and adjusted areas (needs matplotlib: pip install 'lsafnet[plot]').",
    ),
]  # fmt: skip
LayerOpt = Annotated[str | None, typer.Option(help="Layer of the points, if the file has several.")]


def assess(
    change_map: MapArg,
    points: PointsArg,
    layer: LayerOpt = None,
    form: FormatOpt = SummaryFormat.TABLE,
    as_json: JsonOpt = False,
    plot: AssessPlotOpt = None,
    overwrite: OverwriteOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Estimate accuracy and adjusted areas of a map, with 95 % confidence intervals, from labelled points."""
    from lsafnet_cli.accuracy.assess import assess_map
    from lsafnet_cli.accuracy.tables import plot_assessment
    from lsafnet_cli.maps.plots import check_plot
    from lsafnet_cli.terminal.numbers import show_assessment
    from lsafnet_cli.terminal.progress import make_observer

    if plot is not None:
        check_plot(plot, (change_map, points), overwrite)
    report = assess_map(change_map, points, layer, make_observer(quiet, progress, verbose))
    if plot is not None:
        plot_assessment(report, plot)
    show_assessment(report, SummaryFormat.JSON if as_json else form)
