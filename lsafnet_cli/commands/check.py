"""`lsafnet check`: does the pair fit?"""

import typer

from lsafnet_cli.commands.options import (
    AfterArg,
    BandsOpt,
    BeforeArg,
    CheckpointOpt,
    DstCrsOpt,
    GridOpt,
    JsonOpt,
    NodataOpt,
    ResolutionOpt,
    StretchOpt,
)
from lsafnet_cli.commands.predict_options import make_read_options
from lsafnet_cli.errors import PairError
from lsafnet_cli.options import GridOptions


def check(
    before: BeforeArg,
    after: AfterArg,
    checkpoint: CheckpointOpt = None,
    as_json: JsonOpt = False,
    bands: BandsOpt = None,
    nodata: NodataOpt = None,
    stretch: StretchOpt = "auto",
    grid: GridOpt = "before",
    resolution: ResolutionOpt = None,
    dst_crs: DstCrsOpt = None,
) -> None:
    """Report whether two images form a pair, their extents, and how predict would use them; exit code 0 or 4."""
    from lsafnet_cli.terminal.waiting import waiting

    read = make_read_options(bands, stretch, nodata=nodata)
    with waiting("comparing the images"):
        from lsafnet_cli.prediction.check import check_pair
        from lsafnet_cli.terminal.check import show_check

        options = GridOptions(grid, resolution, dst_crs=dst_crs)
        found = check_pair(before, after, checkpoint, read, options)
    show_check(found, as_json)
    if not found.fits:
        raise typer.Exit(PairError.exit_code)
