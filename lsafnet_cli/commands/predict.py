"""`lsafnet predict`: the main job."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsafnet_cli.commands.options import (
    DEVICE,
    FILES,
    OUTPUT,
    TILES,
    AfterArg,
    BandsOpt,
    BeforeArg,
    GridOpt,
    JsonOpt,
    OverwriteOpt,
    ProgressFormat,
    ProgressOpt,
    QuietOpt,
    ResolutionOpt,
    StretchOpt,
    VerboseOpt,
    parse_bands,
)
from lsafnet_cli.commands.polygons import (
    AfterDateOpt,
    BeforeDateOpt,
    ClassesOpt,
    DissolveOpt,
    MinAreaOpt,
    SimplifyOpt,
    SmoothOpt,
    make_polygon_options,
)

if TYPE_CHECKING:
    from lsafnet_cli.options import PredictOptions

CheckpointsOpt = Annotated[
    list[Path] | None,
    typer.Option(
        readable=False,
        help="Trained network; else $LSAFNET_CHECKPOINT, else the small one shipped inside. Repeat it to average "
        "the probabilities of several.",
    ),
]
TtaOpt = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Look at each tile as it is and flipped in three ways, and average: four times the work.",
        rich_help_panel=TILES,
    ),
]
# readable=False: whether a file may be read is found out, and said, where it is read
MapOpt = Annotated[
    Path, typer.Option("--output", "-o", metavar="MAP.tif", readable=False, help="The change map to write.")
]
PolygonsOpt = Annotated[
    list[Path] | None,
    typer.Option(
        readable=False,
        help="Write polygons too: .gpkg, .geojson, .fgb, .shp or .parquet. Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]
AlsoOpt = Annotated[
    str,
    typer.Option(
        help="Further files beside the map, by comma: from, to, before, after, probability, quicklook, report, stac.",
        rich_help_panel=OUTPUT,
    ),
]
CoregisterOpt = Annotated[
    bool,
    typer.Option(
        "--coregister",
        help="Measure how far the dates lie off each other, and take it back.",
        rich_help_panel=FILES,
    ),
]
AoiOpt = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Vector file; only the area within its polygons is mapped.",
        rich_help_panel=FILES,
    ),
]
ReadersOpt = Annotated[int, typer.Option(help="Threads that read.", rich_help_panel=FILES)]
TileOpt = Annotated[
    int | None, typer.Option(help="Tile size in pixels. Default: the checkpoint's.", rich_help_panel=TILES)
]
OverlapOpt = Annotated[
    int | None,
    typer.Option(
        help="Pixels that neighbouring tiles share. Default: a quarter tile.", rich_help_panel=TILES
    ),
]
BlendOpt = Annotated[
    str, typer.Option(help="taper (weighted mean of overlapping tiles) or crop.", rich_help_panel=TILES)
]
ThresholdOpt = Annotated[float, typer.Option(help="Changed above this probability.", rich_help_panel=TILES)]
DeviceOpt = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...", rich_help_panel=DEVICE)]
PrecisionOpt = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.", rich_help_panel=DEVICE)]
BatchSizeOpt = Annotated[
    str, typer.Option(help="Tiles at once; auto finds the best number on the way.", rich_help_panel=DEVICE)
]
MemoryOpt = Annotated[
    str,
    typer.Option(help="Host memory to use beyond the network, such as 512M or 2G.", rich_help_panel=DEVICE),
]
CompileOpt = Annotated[
    bool, typer.Option("--compile", help="Let torch.compile make kernels first.", rich_help_panel=DEVICE)
]
ResumeOpt = Annotated[
    bool, typer.Option(help="Go on where a run like this was broken off.", rich_help_panel=OUTPUT)
]


def predict(
    before: BeforeArg,
    after: AfterArg,
    output: MapOpt,
    checkpoint: CheckpointsOpt = None,
    polygons: PolygonsOpt = None,
    also: AlsoOpt = "",
    overwrite: OverwriteOpt = False,
    resume: ResumeOpt = True,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
    bands: BandsOpt = None,
    stretch: StretchOpt = "auto",
    grid: GridOpt = "before",
    resolution: ResolutionOpt = None,
    coregister: CoregisterOpt = False,
    aoi: AoiOpt = None,
    readers: ReadersOpt = 2,
    tile: TileOpt = None,
    overlap: OverlapOpt = None,
    blend: BlendOpt = "taper",
    threshold: ThresholdOpt = 0.5,
    tta: TtaOpt = False,
    device: DeviceOpt = "auto",
    precision: PrecisionOpt = "auto",
    compiled: CompileOpt = False,
    batch_size: BatchSizeOpt = "auto",
    memory: MemoryOpt = "2G",
    min_area: MinAreaOpt = 0.0,
    simplify: SimplifyOpt = 0.0,
    smooth: SmoothOpt = False,
    dissolve: DissolveOpt = False,
    classes: ClassesOpt = None,
    before_date: BeforeDateOpt = None,
    after_date: AfterDateOpt = None,
) -> None:
    """Write the change map of two images: what changed, from what to what, and where."""
    options = make_predict_options(locals())
    from lsafnet_cli.prediction.pipeline import (
        predict_change,  # here, so that wrong options do not wait for torch
    )
    from lsafnet_cli.terminal.console import show_report
    from lsafnet_cli.terminal.progress import make_observer

    report = predict_change(before, after, output, options, make_observer(quiet, progress, verbose))
    show_report(report, as_json, verbose > 0)


def make_predict_options(given: Mapping[str, Any]) -> "PredictOptions":
    """Put what the user wrote, by the names of `predict`'s parameters, into one value. Raises OptionError."""
    from lsafnet_cli.options import (
        DeviceOptions,
        GridOptions,
        OutputOptions,
        PredictOptions,
        ReadOptions,
        StretchRule,
        TileOptions,
        parse_bytes,
    )

    checkpoints: list[Path] = given["checkpoint"] or []
    return PredictOptions(
        checkpoint=checkpoints[0] if checkpoints else None,
        ensemble=tuple(checkpoints[1:]),
        tta=given["tta"],
        threshold=given["threshold"],
        read=ReadOptions(
            parse_bands(given["bands"]), StretchRule.parse(given["stretch"]), given["readers"], given["aoi"]
        ),
        grid=GridOptions(given["grid"], given["resolution"], given["coregister"]),
        tile=TileOptions(given["tile"], given["overlap"], given["blend"]),
        device=DeviceOptions(
            given["device"],
            given["precision"],
            parse_batch_size(given["batch_size"]),
            given["compiled"],
            parse_bytes(given["memory"]),
        ),
        output=OutputOptions(
            tuple(given["polygons"] or ()), parse_names(given["also"]), given["overwrite"], given["resume"]
        ),
        polygons=make_polygon_options(
            given["min_area"],
            given["simplify"],
            given["smooth"],
            given["dissolve"],
            given["classes"],
            (given["before_date"], given["after_date"]),
        ),
    )


def parse_batch_size(text: str) -> int | None:
    """Read a number, or "auto" as None."""
    from lsafnet_cli.errors import OptionError

    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise OptionError(f"--batch-size {text}: write a number or auto") from None


def parse_names(text: str) -> tuple[str, ...]:
    """Read "from,to"; each name once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
