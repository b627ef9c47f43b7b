"""`lsafnet review`: polygons to look at, and the map as somebody saw them."""

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

VerdictsArg = Annotated[
    str | None,
    typer.Argument(
        metavar="VERDICTS",
        help="Polygons with a status (accepted, rejected, corrected, open) and corrected_to, or the JSON that a "
        "report page saves. Without it, the polygons to review are written.",
    ),
]
OutputOpt = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE",
        help="Corrected map to write (.tif); without verdicts, polygons to review (.gpkg).",
    ),
]  # fmt: skip
LabelsOpt = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Also write the reviewed areas as a data set for lsafnet train."),
]
BeforeOpt = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE",
        help="Image of the earlier date, for the labels. Default: the one named in the map's tags.",
    ),
]
AfterOpt = Annotated[str | None, typer.Option(metavar="IMAGE", help="Image of the later date.")]
MinAreaOpt = Annotated[
    str | None,
    typer.Option(
        metavar="M2[,CLASS=M2,...]",
        help="For polygons to review: merge smaller ones into their neighbours, as in vectorize.",
    ),
]


def review(
    change_map: MapArg,
    output: OutputOpt,
    verdicts: VerdictsArg = None,
    labels: LabelsOpt = None,
    before: BeforeOpt = None,
    after: AfterOpt = None,
    min_area: MinAreaOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Correct a map by polygons accepted, rejected or corrected in QGIS; also writes the polygons to review."""
    from lsafnet_cli.errors import OptionError
    from lsafnet_cli.terminal.progress import make_observer

    if (before is None) != (after is None):
        raise OptionError("--before and --after must be given together: give both or neither")
    observer = make_observer(quiet, progress, verbose)
    if verdicts is None:
        from lsafnet_cli.options import PolygonOptions, parse_min_area
        from lsafnet_cli.polygons.vectorization import vectorize_changes
        from lsafnet_cli.terminal.console import show_polygon_report

        if output.suffix.lower() != ".gpkg":
            raise OptionError(
                f"--output {output}: polygons to review are a GeoPackage; the name must end in .gpkg"
            )
        area, by_class = parse_min_area(min_area)
        options = PolygonOptions(area or 0.0, review_form=True, min_area_by_class=by_class)
        made = vectorize_changes(change_map, [output], options, None, overwrite, observer)
        show_polygon_report(made, as_json)
        return
    from lsafnet_cli.review.correct import review_map
    from lsafnet_cli.review.labels import labels_beside, with_labels
    from lsafnet_cli.terminal.numbers import show_review

    if labels is None:
        report = review_map(change_map, verdicts, output, overwrite, observer)
    else:
        images = (before, after) if before is not None and after is not None else None
        with labels_beside(change_map, verdicts, labels, images) as count:
            report = with_labels(review_map(change_map, verdicts, output, overwrite, observer), labels, count)
    show_review(report, as_json)
