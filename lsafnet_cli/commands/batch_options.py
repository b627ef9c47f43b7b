"""Arguments and options that `lsafnet batch` alone has."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import FILES, OUTPUT

MANY = "Many machines"

BeforeDirArg = Annotated[
    Path | None,
    typer.Argument(
        metavar="BEFORE_DIR",
        help="Folder of the earlier images; or, given alone, the folder of all images, with dates in "
        "their file names.",
    ),
]
AfterDirArg = Annotated[Path | None, typer.Argument(metavar="AFTER_DIR", help="Folder of the later images.")]
FolderOpt = Annotated[Path | None, typer.Option("--output", "-o", metavar="OUT_DIR", help="Output folder.")]
SeriesOpt = Annotated[
    bool,
    typer.Option(
        "--series", rich_help_panel=FILES,
        help="With one folder: pair each image of a site with the next one, instead of the earliest "
        "with the latest.",
    ),
]  # fmt: skip
PairsOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="PAIRS.csv", rich_help_panel=FILES,
        help="CSV file listing the pairs (instead of two folders). Columns: before, after; optional: "
        "output, name, "
        "before_date, after_date, aoi. Paths are relative to the CSV.",
    ),
]  # fmt: skip
MatchOpt = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX", rich_help_panel=FILES,
        help="Regular expression; files whose match (or its group called key) is equal form a pair. "
        "Default: same "
        "name without extension.",
    ),
]  # fmt: skip
DryRunOpt = Annotated[
    bool,
    typer.Option("--dry-run", help="Show the plan and an estimate of the time it takes; compute nothing."),
]
FormatsOpt = Annotated[
    str,
    typer.Option(
        metavar="FORMATS", rich_help_panel=OUTPUT,
        help="Comma-separated polygon formats for each scene: gpkg, geojson, fgb, shp, parquet. gpkg "
        "is always written.",
    ),
]  # fmt: skip
MosaicOpt = Annotated[
    bool,
    typer.Option("--mosaic", help="Write a virtual mosaic of all maps, changes.vrt.", rich_help_panel=OUTPUT),
]
PagesOpt = Annotated[
    bool,
    typer.Option(
        "--report",
        rich_help_panel=OUTPUT,
        help="Write a report page for each scene, and an index.html of all pages.",
    ),
]
FailFastOpt = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first scene that fails.")]
ShardOpt = Annotated[
    str | None,
    typer.Option(
        metavar="I/N", rich_help_panel=MANY,
        help="Process only part I of N, balanced by size; auto reads I and N from the array-job "
        "variables of SLURM or AWS Batch.",
    ),
]  # fmt: skip
CollectOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT_DIR", help="Merge the records and polygons of all shards.", rich_help_panel=MANY
    ),
]
RayOpt = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on a Ray cluster: local, auto or the cluster's address.",
        rich_help_panel=MANY,
    ),
]
SplitOpt = Annotated[
    int | None,
    typer.Option(
        metavar="ROWS", rich_help_panel=MANY,
        help="On Ray: split scenes with more rows than this into row bands of about this height.",
    ),
]  # fmt: skip
