"""`lsafnet doctor`: what this machine can do, and what is wrong with it."""

from typing import Annotated

import typer

from lsafnet_cli.commands.options import CheckpointOpt, JsonOpt

SecondsOpt = Annotated[
    float,
    typer.Option(
        help="Seconds for which the checkpoint's network is timed on each device; 0 skips the timing."
    ),
]


def doctor(checkpoint: CheckpointOpt = None, seconds: SecondsOpt = 10.0, as_json: JsonOpt = False) -> None:
    """Report what this machine can do, and problems: versions, drivers, devices, speed, disk, checkpoint."""
    from lsafnet_cli.terminal.waiting import waiting

    with waiting("examining this machine"):
        from lsafnet_cli.doctor.diagnosis import examine
        from lsafnet_cli.terminal.doctor import show_diagnosis

        found = examine(checkpoint, seconds)
    show_diagnosis(found, as_json)
    if found.exit_code:
        raise typer.Exit(found.exit_code)
