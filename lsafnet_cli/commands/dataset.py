"""`lsafnet dataset`: what a data set for training or evaluation holds."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import JsonOpt, NodataOpt, QuietOpt
from lsafnet_cli.options import parse_nodata

app = typer.Typer(no_args_is_help=True, help="Inspect data sets for training and evaluation.")


@app.callback()
def _dataset() -> None:
    """Inspect data sets for training and evaluation."""


@app.command()
def check(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder of a data set (docs/training.md).")
    ],
    nodata: NodataOpt = None,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Count images, classes and contradicting labels, measure means, and list unreadable files (exit code 3)."""
    from lsafnet_cli.data_sets.check import check_data_set
    from lsafnet_cli.data_sets.opening import open_data_set
    from lsafnet_cli.errors import InputError
    from lsafnet_cli.terminal.progress import make_observer
    from lsafnet_cli.terminal.training import show_data_set

    facts = check_data_set(open_data_set(dataset, nodata=parse_nodata(nodata)), make_observer(quiet))
    show_data_set(facts, as_json)
    if not facts.sound:
        raise typer.Exit(InputError.exit_code)
