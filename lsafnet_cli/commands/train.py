"""`lsafnet train`: the paper's training on one's own data."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import (
    DEVICE,
    OUTPUT,
    JsonOpt,
    NodataOpt,
    OverwriteOpt,
    ProgressFormat,
    ProgressOpt,
    QuietOpt,
    VerboseOpt,
)
from lsafnet_cli.options import parse_nodata

NETWORK, RECIPE, EXAMPLES = "Network", "Recipe", "Examples"

DataArg = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATASET...",
        help="Folders of SECOND, Landsat-SCD, GeoTIFF pairs or images of one date, or JSON files that describe "
        "data sets (docs/training.md).",
    ),
]
RunOpt = Annotated[Path, typer.Option("--output", "-o", metavar="RUN_DIR", help="Run folder.")]
NetworkOpt = Annotated[
    str | None,
    typer.Option(
        help="See lsafnet checkpoint networks. Default: lsafnet, or that of --start.", rich_help_panel=NETWORK
    ),
]
BackboneOpt = Annotated[
    str | None,
    typer.Option(
        help="resnet34, efficientnet-lite0, -lite1 or -lite2, timm:NAME ...", rich_help_panel=NETWORK
    ),
]
WidthOpt = Annotated[int | None, typer.Option(help="Width of the decoders.", rich_help_panel=NETWORK)]
WeightsOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="ImageNet weights to start the backbone from (with the keys of their publisher).",
        rich_help_panel=NETWORK,
    ),
]
StartOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="CHECKPOINT",
        help="Start from a checkpoint's weights; default: those of the checkpoint that predict uses "
        "by default.",
        rich_help_panel=NETWORK,
    ),
]
RecipeOpt = Annotated[
    str, typer.Option(help="paper, or rsiscd: the released code's loss.", rich_help_panel=RECIPE)
]
EpochsOpt = Annotated[int, typer.Option(help="Number of epochs.", rich_help_panel=RECIPE)]
BatchOpt = Annotated[
    int, typer.Option(help="Pairs per step, over all processes together.", rich_help_panel=RECIPE)
]
AccumulateOpt = Annotated[
    int,
    typer.Option(
        help="Gradient accumulation: compute each batch in this many parts, which takes less memory.",
        rich_help_panel=RECIPE,
    ),
]
OptimizerOpt = Annotated[str, typer.Option(help="sgd (Nesterov) or adamw.", rich_help_panel=RECIPE)]
RateOpt = Annotated[
    float | None,
    typer.Option(
        help="Highest learning rate. Default: 0.07, for Landsat-SCD 0.1, with adamw 0.001.",
        rich_help_panel=RECIPE,
    ),
]
DecayOpt = Annotated[float, typer.Option(help="Weight decay.", rich_help_panel=RECIPE)]
PowerOpt = Annotated[
    float, typer.Option(help="The learning rate decays as (1 - step/steps) ** POWER.", rich_help_panel=RECIPE)
]
WarmupOpt = Annotated[
    int, typer.Option(help="Warm-up steps over which the learning rate rises.", rich_help_panel=RECIPE)
]
EmaOpt = Annotated[
    float | None,
    typer.Option(
        metavar="DECAY",
        help="Keep an exponential moving average of the weights with this decay, such as 0.999.",
        rich_help_panel=RECIPE,
    ),
]
BackboneRateOpt = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="The backbone's learning rate as a share of the others'.",
        rich_help_panel=RECIPE,
    ),
]
ClipOpt = Annotated[
    float | None,
    typer.Option(metavar="NORM", help="Clip gradients to this norm.", rich_help_panel=RECIPE),
]
WeightsOfClassesOpt = Annotated[
    str | None,
    typer.Option(
        metavar="W1,W2...",
        help="Class weights of the loss, in the order of the classes.",
        rich_help_panel=RECIPE,
    ),
]
PatienceOpt = Annotated[
    int | None,
    typer.Option(
        help="Early stopping: stop after this many epochs without a better SeK.", rich_help_panel=RECIPE
    ),
]
SeedOpt = Annotated[int, typer.Option(help="Random seed of weights and examples.", rich_help_panel=RECIPE)]
CropOpt = Annotated[
    int | None,
    typer.Option(
        help="Side of the training windows in pixels. Default: 512, or the image size.",
        rich_help_panel=EXAMPLES,
    ),
]
CropsOpt = Annotated[
    int | None,
    typer.Option(
        help="Windows per epoch. Default: as many as cover the data set once.", rich_help_panel=EXAMPLES
    ),
]
BalancedOpt = Annotated[
    bool,
    typer.Option("--balanced", help="Draw windows with rare changes more often.", rich_help_panel=EXAMPLES),
]
JitterOpt = Annotated[
    bool, typer.Option("--jitter", help="Radiometric augmentation of each date.", rich_help_panel=EXAMPLES)
]
SwapOpt = Annotated[
    bool, typer.Option("--swap-dates", help="Swap the dates of half of the pairs.", rich_help_panel=EXAMPLES)
]
SharesOpt = Annotated[
    str | None,
    typer.Option(
        metavar="N,N...",
        help="Share of examples from each data set, such as 4,2,2. Default: equal shares.",
        rich_help_panel=EXAMPLES,
    ),
]
VarietyOpt = Annotated[
    str,
    typer.Option(
        help="usual, or wide: stronger augmentation of brightness, sharpness, scale and registration. Default: "
        "wide if labels are sets of classes, for unchanged pairs, and for several data sets.",
        rich_help_panel=EXAMPLES,
    ),
]
KeepOpt = Annotated[
    bool,
    typer.Option("--keep-epochs", help="Keep the checkpoint of every epoch.", rich_help_panel=OUTPUT),
]
WorkersOpt = Annotated[
    int, typer.Option(help="Data loading processes; 0 for none.", rich_help_panel=EXAMPLES)
]
DeviceOpt = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...", rich_help_panel=DEVICE)]
PrecisionOpt = Annotated[str, typer.Option(help="auto, fp32 or bf16.", rich_help_panel=DEVICE)]
BoardOpt = Annotated[
    bool, typer.Option("--tensorboard", help="Also log to TensorBoard.", rich_help_panel=OUTPUT)
]
ResumeOpt = Annotated[
    bool, typer.Option(help="Resume an interrupted training in this folder.", rich_help_panel=OUTPUT)
]


def train(
    dataset: DataArg,
    output: RunOpt,
    network: NetworkOpt = None,
    backbone: BackboneOpt = None,
    width: WidthOpt = None,
    backbone_weights: WeightsOpt = None,
    start: StartOpt = None,
    recipe: RecipeOpt = "paper",
    epochs: EpochsOpt = 50,
    batch_size: BatchOpt = 8,
    accumulate: AccumulateOpt = 1,
    optimizer: OptimizerOpt = "sgd",
    learning_rate: RateOpt = None,
    weight_decay: DecayOpt = 5e-4,
    power: PowerOpt = 1.5,
    warmup: WarmupOpt = 0,
    backbone_rate: BackboneRateOpt = 1.0,
    clip: ClipOpt = None,
    class_weights: WeightsOfClassesOpt = None,
    ema: EmaOpt = None,
    patience: PatienceOpt = None,
    seed: SeedOpt = 1,
    crop: CropOpt = None,
    crops_per_epoch: CropsOpt = None,
    balanced: BalancedOpt = False,
    jitter: JitterOpt = False,
    swap_dates: SwapOpt = False,
    shares: SharesOpt = None,
    nodata: NodataOpt = None,
    variety: VarietyOpt = "auto",
    workers: WorkersOpt = 2,
    device: DeviceOpt = "auto",
    precision: PrecisionOpt = "auto",
    tensorboard: BoardOpt = False,
    keep_epochs: KeepOpt = False,
    resume: ResumeOpt = True,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
) -> None:
    """Train a network on labelled pairs, or on images with labels of one date, and keep the best checkpoint."""
    from lsafnet_cli.training.options import TrainOptions

    parts = {"backbone": backbone, "width": width}
    options = TrainOptions(
        network=network,
        network_options={name: value for name, value in parts.items() if value is not None},
        recipe=recipe,
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        power=power,
        warmup_steps=warmup,
        crop_px=crop,
        crops_per_epoch=crops_per_epoch,
        balanced=balanced,
        jitter=jitter,
        swap_dates=swap_dates,
        shares=_whole_numbers("--shares", shares),
        variety=variety,
        backbone_rate=backbone_rate,
        clip=clip,
        class_weights=_numbers("--class-weights", class_weights),
        keep_epochs=keep_epochs,
        ema_decay=ema,
        precision=precision,
        device=device,
        patience=patience,
        seed=seed,
        workers=workers,
        backbone_weights=backbone_weights,
        start=start,
        tensorboard=tensorboard,
        resume=resume,
        overwrite=overwrite,
        nodata=parse_nodata(nodata),
    )
    from lsafnet_cli.terminal.progress import make_observer

    observer = make_observer(quiet, progress, verbose, details=True)
    observer.wait("preparing the training")
    from lsafnet_cli.terminal.training import show_training
    from lsafnet_cli.training.run import train_network  # here, so that wrong options do not wait for torch

    show_training(train_network(dataset, output, options, observer), as_json)


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """Return what is written with commas between. Raises OptionError."""
    from lsafnet_cli.errors import OptionError

    try:
        return None if text is None else tuple(map(float, text.split(",")))
    except ValueError:
        raise OptionError(f"{option} {text}: write numbers with commas between") from None


def _whole_numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    from lsafnet_cli.errors import OptionError

    numbers = _numbers(option, text)
    if numbers is not None and not all(number.is_integer() for number in numbers):
        raise OptionError(f"{option} {text}: write whole numbers with commas between")
    return None if numbers is None else tuple(map(int, numbers))
