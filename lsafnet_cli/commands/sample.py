"""`lsafnet sample`: points of a change map to be labelled."""

from enum import StrEnum
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

SIZE, STRATA = "Size", "Strata"


class Allocation(StrEnum):
    """How points are shared out among the strata."""

    EQUAL = "equal"
    PROPORTIONAL = "proportional"
    NEYMAN = "neyman"
    OPTIMAL = "optimal"


class StrataBy(StrEnum):
    """What makes a stratum."""

    TRANSITION = "transition"
    FROM = "from"
    TO = "to"
    CHANGE = "change"


OutputOpt = Annotated[Path, typer.Option("--output", "-o", metavar="FILE.gpkg", help="Point file to write.")]
PerStratumOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N", rich_help_panel=SIZE,
        help="Points per stratum (default 50); with --total or --standard-error the minimum per stratum.",
    ),
]  # fmt: skip
TotalOpt = Annotated[
    int | None, typer.Option(metavar="N", rich_help_panel=SIZE, help="Total number of points.")
]
StandardErrorOpt = Annotated[
    float | None,
    typer.Option(
        metavar="S", rich_help_panel=SIZE,
        help="Instead of --total: the target standard error of overall accuracy, such as 0.01; the "
        "number of points follows.",
    ),
]  # fmt: skip
AllocationOpt = Annotated[
    Allocation,
    typer.Option(
        rich_help_panel=SIZE,
        help="How the total is allocated: equal, proportional (to the area), neyman (for the overall "
        "accuracy) or "
        "optimal (for it and the user's accuracies).",
    ),
]
ExpectOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STRATUM=U", rich_help_panel=SIZE,
        help="Expected user's accuracy of a stratum. Default: 0.95 for unchanged, 0.7 for changes. "
        "Repeatable.",
    ),
]  # fmt: skip
SeedOpt = Annotated[int, typer.Option(help="Random seed.", rich_help_panel=SIZE)]
StrataOpt = Annotated[
    StrataBy,
    typer.Option(
        rich_help_panel=STRATA, help="Each transition a stratum, or all from or to a class, or all changes."
    ),
]
GroupOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FROM:TO,...", rich_help_panel=STRATA,
        help='Transitions that make one stratum: "built up=*:building,*:road". Repeatable.',
    ),
]  # fmt: skip
MergeRareOpt = Annotated[
    float,
    typer.Option(
        metavar="PERCENT",
        rich_help_panel=STRATA,
        help="Merge transitions that cover less than this into one stratum.",
    ),
]
BeforeOpt = Annotated[
    str | None,
    typer.Option(metavar="IMAGE", help="Image of the earlier date, for image chips of the points."),
]
AfterOpt = Annotated[str | None, typer.Option(metavar="IMAGE", help="Image of the later date.")]


def sample(
    change_map: MapArg,
    output: OutputOpt,
    per_stratum: PerStratumOpt = None,
    total: TotalOpt = None,
    standard_error: StandardErrorOpt = None,
    allocation: AllocationOpt = Allocation.EQUAL,
    expect: ExpectOpt = None,
    seed: SeedOpt = 0,
    strata: StrataOpt = StrataBy.TRANSITION,
    group: GroupOpt = None,
    merge_rare: MergeRareOpt = 0.0,
    before: BeforeOpt = None,
    after: AfterOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Draw a stratified random sample of points of a change map, to be labelled in QGIS for lsafnet assess."""
    from lsafnet_cli.accuracy.allocation import SampleSize, parse_expected
    from lsafnet_cli.accuracy.sample import SampleOptions, sample_map
    from lsafnet_cli.accuracy.strata import StrataOptions, parse_groups
    from lsafnet_cli.errors import OptionError
    from lsafnet_cli.terminal.numbers import show_sample
    from lsafnet_cli.terminal.progress import make_observer

    if (before is None) != (after is None):
        raise OptionError("--before and --after must be given together: give both or neither")
    options = SampleOptions(
        SampleSize(total, standard_error, per_stratum, allocation, parse_expected(expect or ())),
        StrataOptions(strata, parse_groups(group or ()), merge_rare),
        seed,
        (before, after) if before is not None and after is not None else None,
    )
    show_sample(
        sample_map(change_map, output, options, overwrite, make_observer(quiet, progress, verbose)), as_json
    )
