"""`lsafnet vectorize`: polygons from an existing change map."""

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
from lsafnet_cli.commands.polygon_options import (
    AfterDateOpt,
    BeforeDateOpt,
    ClassesOpt,
    DissolveOpt,
    MinAreaOpt,
    ReviewFormOpt,
    SimplifyOpt,
    SmoothOpt,
)
from lsafnet_cli.commands.predict_options import make_polygon_options

OutputsOpt = Annotated[
    list[Path],
    typer.Option(
        "--output", "-o", metavar="FILE",
        help="Polygons to write: .gpkg, .geojson, .fgb, .shp or .parquet. Repeatable.",
    ),
]  # fmt: skip
ProbabilityOpt = Annotated[
    Path | None,
    typer.Option(
        help="Map of change probability, for the confidence attribute. Default: MAP.probability.tif, "
        "if it exists."
    ),
]


def vectorize(
    changes: MapArg,
    outputs: OutputsOpt,
    probability: ProbabilityOpt = None,
    min_area: MinAreaOpt = None,
    simplify: SimplifyOpt = 0.0,
    smooth: SmoothOpt = False,
    dissolve: DissolveOpt = False,
    classes: ClassesOpt = None,
    review_form: ReviewFormOpt = False,
    before_date: BeforeDateOpt = None,
    after_date: AfterDateOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Write the polygons of a change map."""
    from lsafnet_cli.polygons.vectorization import vectorize_changes
    from lsafnet_cli.terminal.console import show_polygon_report
    from lsafnet_cli.terminal.progress import make_observer

    options = make_polygon_options(
        min_area, simplify, smooth, dissolve, classes, (before_date, after_date), review_form
    )
    observer = make_observer(quiet, progress, verbose)
    report = vectorize_changes(changes, outputs, options, probability, overwrite, observer)
    show_polygon_report(report, as_json)
