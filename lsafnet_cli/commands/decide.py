"""`lsafnet decide`: another map of the layers beside one, without the network."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import (
    DECISION,
    OUTPUT,
    JsonOpt,
    OverwriteOpt,
    PolygonsOpt,
    ProgressFormat,
    ProgressOpt,
    QuietOpt,
    SieveOpt,
    VerboseOpt,
)
from lsafnet_cli.commands.polygon_options import (
    ClassesOpt,
    DissolveOpt,
    MinAreaOpt,
    ReviewFormOpt,
    SimplifyOpt,
    SmoothOpt,
)
from lsafnet_cli.commands.predict_options import make_polygon_options, parse_also

ChangesArg = Annotated[
    Path,
    typer.Argument(
        metavar="MAP.tif", readable=False,
        help="Change map written by lsafnet, with MAP.probability.tif and MAP.transition.tif beside it.",
    ),
]  # fmt: skip
OutputOpt = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="NEW.tif", readable=False, help="Change map to write (.tif)."),
]
ThresholdOpt = Annotated[
    float | None,
    typer.Option(
        help="Probability above which a pixel is changed. Default: the threshold of the input map.",
        rich_help_panel=DECISION,
    ),
]
IgnoreOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM:TO", rich_help_panel=DECISION,
        help='These transitions count as unchanged: "vegetation:ground", "*:water". Repeatable.',
    ),
]  # fmt: skip
MergeOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIRST+SECOND=NAME", rich_help_panel=DECISION,
        help="Merge classes: low_vegetation+tree=vegetation. Changes between merged classes become "
        "unchanged. Repeatable.",
    ),
]  # fmt: skip
AlsoOpt = Annotated[
    str,
    typer.Option(
        rich_help_panel=OUTPUT,
        help="Further outputs beside the new map, comma-separated: from, to, probability; polygons by their "
        "format (gpkg) or file name (polygons.gpkg).",
    ),
]  # fmt: skip


def decide(
    changes: ChangesArg,
    output: OutputOpt,
    threshold: ThresholdOpt = None,
    sieve: SieveOpt = 0,
    ignore: IgnoreOpt = None,
    merge: MergeOpt = None,
    polygons: PolygonsOpt = None,
    also: AlsoOpt = "",
    min_area: MinAreaOpt = None,
    simplify: SimplifyOpt = 0.0,
    smooth: SmoothOpt = False,
    dissolve: DissolveOpt = False,
    classes: ClassesOpt = None,
    review_form: ReviewFormOpt = False,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Derive a map from another one's stored layers, without a network: threshold, sieve, merged, ignored classes."""
    from lsafnet_cli.terminal.progress import make_observer

    observer = make_observer(quiet, progress, verbose)
    observer.wait("reading the map")
    from lsafnet_cli.prediction.redecide import RedecideOptions, redecide_map
    from lsafnet_cli.terminal.console import show_decided

    options = RedecideOptions(threshold, sieve, tuple(ignore or ()), tuple(merge or ()))
    named, beside = parse_also(also, output)
    report = redecide_map(
        changes, output, options, tuple(dict.fromkeys((*(polygons or ()), *beside))),
        make_polygon_options(min_area, simplify, smooth, dissolve, classes, review_form=review_form),
        also=named, overwrite=overwrite, observer=observer,
    )  # fmt: skip
    show_decided(report, as_json)
