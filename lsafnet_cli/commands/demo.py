"""`lsafnet demo`: the main job on the synthetic pair that ships inside."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import OverwriteOpt, QuietOpt

FolderArg = Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder; created if missing.")]


def demo(
    folder: FolderArg = Path("lsafnet-demo"), overwrite: OverwriteOpt = False, quiet: QuietOpt = False
) -> None:
    """Write the synthetic sample pair into a folder and map its changes: map, polygons, quicklook and report page."""
    from lsafnet_cli.terminal.progress import make_observer

    observer = make_observer(quiet)
    observer.wait("loading PyTorch")
    from lsafnet_cli.prediction.demonstration import run_demonstration
    from lsafnet_cli.terminal.console import show_report

    show_report(run_demonstration(folder, overwrite, observer), as_json=False)
