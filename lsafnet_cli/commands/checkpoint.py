"""`lsafnet checkpoint`: what a checkpoint holds, which networks there are, import and export."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsafnet_cli.commands.options import JsonOpt, OverwriteOpt, QuietOpt

if TYPE_CHECKING:
    from lsafnet.checkpoint.context import ChangeContext

app = typer.Typer(
    no_args_is_help=True,
    help="Inspect checkpoints, import published ones, calibrate, export to other runtimes.",
)


class ExportFormat(StrEnum):
    """What an exported network is written as."""

    TORCH_EXPORT = "torch-export"
    ONNX = "onnx"


FileArg = Annotated[
    Path,
    typer.Argument(metavar="FILE", readable=False, help="A published state dict: .pth, .pt or .safetensors."),
]
CheckpointArg = Annotated[
    Path | None,
    typer.Argument(
        metavar="CHECKPOINT",
        readable=False,
        help="Default: $LSAFNET_CHECKPOINT, else the checkpoint that ships with lsafnet.",
    ),
]
NetworkOpt = Annotated[
    str | None, typer.Option(help="Network of the weights. Default: recognised from keys and shapes.")
]
DataSetOpt = Annotated[
    str,
    typer.Option(
        help="What it was trained on: second, landsat-scd, or a JSON file (see docs/checkpoints.md)."
    ),
]
OutputOpt = Annotated[Path, typer.Option("--output", "-o", readable=False, help="Output file.")]
LicenseOpt = Annotated[
    str | None, typer.Option("--license", help="Licence of the weights, stored in the checkpoint.")
]
FormatOpt = Annotated[ExportFormat, typer.Option("--format", help="Format of the export.")]
CheckpointToChangeArg = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", readable=False, help="The checkpoint to start from.")
]
DataSetsOpt = Annotated[
    list[Path],
    typer.Option(
        "--dataset",
        metavar="DIR",
        help="Data set of labelled pairs. Repeatable; each data set has the same weight.",
    ),
]
SplitOpt = Annotated[str, typer.Option(help="Split of the data sets.")]
TrainedSetsOpt = Annotated[
    list[Path],
    typer.Option("--dataset", metavar="DIR", help="Data set that the checkpoint was trained on. Repeatable."),
]
TrainedSplitOpt = Annotated[
    str | None, typer.Option(help="Split of the data sets. Default: train where there is one, else all.")
]
PixelSizesOpt = Annotated[
    str | None,
    typer.Option(
        "--gsd",
        metavar="LOW,HIGH",
        help="Smallest and largest pixel size in m. Default: that of the data sets' images or JSON files.",
    ),
]
InputSizeOpt = Annotated[
    float | None,
    typer.Option(
        "--input-gsd",
        metavar="METRES",
        min=0.001,
        help="Pixel size on which the network works best: predict enlarges coarser images to it, up to four times.",
    ),
]
ContextOpt = Annotated[
    str | None,
    typer.Option(
        metavar="PX,WEIGHT|off",
        help="How much a pixel's surroundings count, such as 32,1: its logit rises by WEIGHT times the Gaussian mean "
        "of tanh(logit / 2), with a standard deviation of PX pixels. Default: as in the checkpoint.",
    ),
]
ScaleBiasOpt = Annotated[
    float | None,
    typer.Option(
        min=-8,
        max=8,
        help="Added to the logits of change for each doubling of the images' size, where predict enlarges them. "
        "Default: as in the checkpoint.",
    ),
]
BetaOpt = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=100,
        help="The threshold is that of the best F-beta: 1 for F1, below it for fewer false alarms.",
    ),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg",
        help="Plot the reliability before and after (needs pip install 'lsafnet[plot]').",
    ),
]
DeviceOpt = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
TileOpt = Annotated[
    int | None,
    typer.Option(
        help="Rows and columns of the exported network's input. Default: the checkpoint's tile size."
    ),
]


@app.command("import")
def import_(
    file: FileArg,
    dataset: DataSetOpt,
    output: OutputOpt,
    network: NetworkOpt = None,
    license_text: LicenseOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
) -> None:
    """Turn a published state dict into a checkpoint; no code in it is ever run."""
    from lsafnet_cli.checkpoints.importing import import_checkpoint
    from lsafnet_cli.terminal.checkpoints import show_import

    report = import_checkpoint(
        file, dataset, output, network=network, license_text=license_text, overwrite=overwrite
    )
    show_import(report, as_json)


@app.command()
def show(checkpoint: CheckpointArg = None, as_json: JsonOpt = False) -> None:
    """Show what a checkpoint contains: network, classes, bands, value range, tile, metrics, licence, sha256."""
    from lsafnet_cli.checkpoints.choose import chosen_checkpoint
    from lsafnet_cli.checkpoints.facts import read_checkpoint_facts
    from lsafnet_cli.terminal.checkpoints import show_checkpoint

    show_checkpoint(read_checkpoint_facts(chosen_checkpoint(checkpoint)), as_json)


@app.command()
def networks(as_json: JsonOpt = False) -> None:
    """List the networks: parameters, operations per pair, published accuracy, papers."""
    from lsafnet_cli.checkpoints.facts import network_facts
    from lsafnet_cli.terminal.checkpoints import show_networks

    show_networks(network_facts(), as_json)


@app.command()
def calibrate(
    checkpoint: CheckpointToChangeArg,
    dataset: DataSetsOpt,
    output: OutputOpt,
    split: SplitOpt = "val",
    context: ContextOpt = None,
    scale_bias: ScaleBiasOpt = None,
    beta: BetaOpt = 1.0,
    plot: PlotOpt = None,
    device: DeviceOpt = "auto",
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Fit probability and threshold of change on labelled pairs, and write the checkpoint with them."""
    from lsafnet_cli.evaluation.calibrate import calibrate_checkpoint
    from lsafnet_cli.evaluation.reliability_plot import plot_reliability
    from lsafnet_cli.maps.plots import check_plot
    from lsafnet_cli.terminal.numbers import show_calibration
    from lsafnet_cli.terminal.progress import make_observer

    if plot is not None:
        check_plot(plot, (str(checkpoint),), overwrite)
    report = calibrate_checkpoint(
        checkpoint,
        dataset,
        output,
        split,
        context="keep" if context is None else _context(context),
        scale_bias=scale_bias,
        beta=beta,
        device=device,
        overwrite=overwrite,
        observer=make_observer(quiet),
    )
    if plot is not None:
        plot_reliability(report, plot)
    show_calibration(report, as_json)


@app.command()
def domain(
    checkpoint: CheckpointToChangeArg,
    dataset: TrainedSetsOpt,
    output: OutputOpt,
    split: TrainedSplitOpt = None,
    gsd: PixelSizesOpt = None,
    input_gsd: InputSizeOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Measure the domain of the training images and store it in the checkpoint; predict warns of other pairs."""
    from lsafnet_cli.terminal.checkpoints import show_domain
    from lsafnet_cli.terminal.progress import make_observer
    from lsafnet_cli.training.domain import add_domain

    sizes = None if gsd is None else _pixel_sizes(gsd)
    measured = add_domain(
        checkpoint,
        dataset,
        output,
        split,
        gsd_m=sizes,
        input_gsd_m=input_gsd,
        overwrite=overwrite,
        observer=make_observer(quiet),
    )
    show_domain(measured, output, as_json)


def _pixel_sizes(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not 0 < low <= high < math.inf:
        raise typer.BadParameter(
            f"{text!r}: write two rising numbers above 0, such as 0.2,1.5", param_hint="--gsd"
        )
    return low, high


def _context(text: str) -> "ChangeContext | None":
    from lsafnet.checkpoint.checks import CheckpointError
    from lsafnet.checkpoint.context import ChangeContext

    if text == "off":
        return None
    try:
        sigma_px, weight = (float(part) for part in text.split(","))
        return ChangeContext(sigma_px, weight)
    except (ValueError, CheckpointError) as error:
        raise typer.BadParameter(
            f"{text!r}: write pixels and a weight, such as 32,1, or off", param_hint="--context"
        ) from error


@app.command()
def export(
    checkpoint: CheckpointToChangeArg,
    output: OutputOpt,
    form: FormatOpt = ExportFormat.TORCH_EXPORT,
    tile: TileOpt = None,
    overwrite: OverwriteOpt = False,
) -> None:
    """Write a checkpoint, its normalisation included, as a program for other runtimes."""
    from lsafnet_cli.checkpoints.exporting import export_checkpoint

    print(f"{form}: {export_checkpoint(checkpoint, output, form, tile_px=tile, overwrite=overwrite)}")
