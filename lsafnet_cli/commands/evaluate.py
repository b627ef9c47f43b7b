"""`lsafnet evaluate`: scores of a map, or of checkpoints on a data set."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsafnet_cli.commands.options import (
    FILES,
    OUTPUT,
    BandsOpt,
    BatchSizeOpt,
    BlendOpt,
    CompileOpt,
    DeviceOpt,
    MemoryOpt,
    NodataOpt,
    OverlapOpt,
    OverwriteOpt,
    PrecisionOpt,
    QuietOpt,
    ReadersOpt,
    SameClassOpt,
    ScaleOpt,
    StretchOpt,
    ThresholdOpt,
    TileOpt,
    TtaOpt,
)
from lsafnet_cli.commands.predict_options import make_device_options, make_read_options, make_tile_options
from lsafnet_cli.errors import OptionError
from lsafnet_cli.options import KINDS_OF_DATE, KindOfLabels, PredictOptions

if TYPE_CHECKING:
    from lsafnet_cli.evaluation.report import Evaluation

SCORES = "Scores"


ChangesArg = Annotated[
    str | None,
    typer.Argument(metavar="CHANGES.tif", help="Change map written by lsafnet."),
]
ReferencesArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REFERENCE_BEFORE REFERENCE_AFTER | REFERENCE",
        help="Rasters of classes 0..K-1 or their colours, on any grid, one for each date; or one raster of "
        "transition codes, or of changed and unchanged.",
    ),
]
LabelsOpt = Annotated[
    KindOfLabels | None,
    typer.Option(
        rich_help_panel=FILES,
        help="What two references hold: land-cover (changed where they differ, 0 unknown; the "
        "default) or changes (0 "
        "where nothing changed, as in SECOND); and one alone: transitions (codes), binary (0 and 1, or 0 and 255), "
        "or before or after (land cover of that date, compared with that of the map).",
    ),
]
MappingOpt = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.json|NAME", rich_help_panel=FILES,
        help="Translation of the references' values or colours to the map's classes: a JSON file, or second, "
        "landsat-scd, worldcover, nlcd, corine.",
    ),
]  # fmt: skip
DataSetOpt = Annotated[
    Path | None,
    typer.Option(
        "--dataset", metavar="DIR", rich_help_panel=FILES,
        help="Instead of a map: a data set. Its images are mapped with the given checkpoints first, "
        "using the options below.",
    ),
]  # fmt: skip
SplitOpt = Annotated[str, typer.Option(rich_help_panel=FILES, help="Split of the data set.")]
CheckpointsOpt = Annotated[
    list[Path] | None,
    typer.Option(
        readable=False, rich_help_panel=FILES,
        help="For --dataset: trained network. Repeat to compare several side by side (they are not "
        "averaged).",
    ),
]  # fmt: skip
BoundaryOpt = Annotated[
    int, typer.Option(help="Tolerance for border scores in pixels.", rich_help_panel=SCORES)
]
BootstrapOpt = Annotated[
    int,
    typer.Option(
        help="Bootstrap resamples for the 95 % confidence intervals; 0 for none.", rich_help_panel=SCORES
    ),
]
SeedOpt = Annotated[int, typer.Option(help="Random seed of the resampling.", rich_help_panel=SCORES)]
UnitOpt = Annotated[
    int,
    typer.Option(
        help="Side in pixels of the map squares that are resampled; images of a data set are "
        "resampled whole.",
        rich_help_panel=SCORES,
    ),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg", rich_help_panel=OUTPUT,
        help="Plot the confusion matrix of transitions (needs pip install 'lsafnet[plot]').",
    ),
]  # fmt: skip
JsonOpt = Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.", rich_help_panel=OUTPUT)]


def evaluate(
    changes: ChangesArg = None,
    references: ReferencesArg = None,
    labels: LabelsOpt = None,
    mapping: MappingOpt = None,
    dataset: DataSetOpt = None,
    split: SplitOpt = "test",
    checkpoint: CheckpointsOpt = None,
    boundary: BoundaryOpt = 2,
    bootstrap: BootstrapOpt = 1000,
    seed: SeedOpt = 0,
    unit: UnitOpt = 256,
    as_json: JsonOpt = False,
    plot: PlotOpt = None,
    overwrite: OverwriteOpt = False,
    quiet: QuietOpt = False,
    bands: BandsOpt = None,
    nodata: NodataOpt = None,
    stretch: StretchOpt = "auto",
    readers: ReadersOpt = 2,
    tile: TileOpt = None,
    scale: ScaleOpt = "auto",
    overlap: OverlapOpt = None,
    blend: BlendOpt = "taper",
    threshold: ThresholdOpt = None,
    same_class: SameClassOpt = "differ",
    tta: TtaOpt = False,
    device: DeviceOpt = "auto",
    precision: PrecisionOpt = "auto",
    compiled: CompileOpt = False,
    batch_size: BatchSizeOpt = "auto",
    memory: MemoryOpt = "2G",
) -> None:
    """Score a change map against references, or checkpoints on a data set: mIoU, OA, SeK, F_scd, boundary F1."""
    predict_options = PredictOptions(
        tta=tta,
        threshold=threshold,
        same_class=same_class,
        read=make_read_options(bands, stretch, readers, nodata=nodata),
        tile=make_tile_options(tile, overlap, blend, scale),
        device=make_device_options(device, precision, batch_size, compiled, memory),
    )
    _check_arguments(changes, references, dataset, checkpoint, labels, mapping, predict_options)
    _check_one_date(labels, references, plot)
    from lsafnet_cli.evaluation.confusion_plot import plot_confusion
    from lsafnet_cli.evaluation.options import EvaluateOptions
    from lsafnet_cli.maps.plots import check_plot
    from lsafnet_cli.terminal.numbers import show_evaluation
    from lsafnet_cli.terminal.progress import make_observer

    options = EvaluateOptions(boundary, unit, bootstrap, seed)
    if plot is not None:
        check_plot(plot, (changes, *(references or ())) if changes else (), overwrite)
    observer = make_observer(quiet)
    observer.wait("loading PyTorch")
    report: Evaluation
    if labels in KINDS_OF_DATE:
        from lsafnet_cli.evaluation.land_cover import evaluate_land_cover
        from lsafnet_cli.terminal.numbers import show_land_cover

        observed = (changes or "", (references or [""])[0], labels)
        show_land_cover(evaluate_land_cover(*observed, options, observer, mapping), as_json)
        return
    if dataset is not None:
        from lsafnet_cli.evaluation.data_sets import evaluate_data_set

        chosen = checkpoint or (None,)
        report = evaluate_data_set(dataset, chosen, split, options, predict_options, observer)
    else:
        from lsafnet_cli.evaluation.maps import evaluate_map

        device = predict_options.device.device
        report = evaluate_map(changes or "", references or (), labels, options, device, observer, mapping)
    if plot is not None:
        plot_confusion(report, plot, overwrite)
    show_evaluation(report, as_json)


def _check_one_date(labels: str | None, references: list[str] | None, plot: Path | None) -> None:
    """Raise OptionError where the land cover of one date is compared with something else, or to be plotted."""
    if labels in KINDS_OF_DATE and (len(references or ()) != 1 or plot is not None):
        raise OptionError(
            f"--labels {labels}: takes one reference, the land cover of that date, and no --plot"
        )


def _check_arguments(
    changes: str | None,
    references: list[str] | None,
    dataset: Path | None,
    checkpoints: list[Path] | None,
    labels: str | None,
    mapping: str | None,
    predict_options: PredictOptions,
) -> None:
    """Raise OptionError for what does not go together."""
    if (changes is None) == (dataset is None):
        raise OptionError("give a change map with its references, or --dataset with checkpoints")
    if dataset is not None:
        if labels is not None or mapping is not None:
            raise OptionError("--labels and --mapping are for maps; a data set describes its own labels")
        return
    if checkpoints:
        raise OptionError(
            f"--checkpoint {checkpoints[0]}: applies to --dataset only; a map is finished already"
        )
    if not references:
        raise OptionError(f"{changes}: name a reference for each date, or one with transition codes")
    if replace(predict_options, device=PredictOptions().device) != PredictOptions():
        raise OptionError("options of tiles and images apply to --dataset only; a map is finished already")
