"""`lsafnet predict`: the main job."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import (
    AfterArg,
    AlsoOpt,
    AoiOpt,
    BandsOpt,
    BatchSizeOpt,
    BeforeArg,
    BlendOpt,
    BoundsOpt,
    CheckpointsOpt,
    CloudMaskOpt,
    CompileOpt,
    CoregisterOpt,
    CreationOpt,
    DeviceOpt,
    DstCrsOpt,
    ExcludeOpt,
    ExcludeValuesOpt,
    GridOpt,
    JsonOpt,
    MemoryOpt,
    NodataOpt,
    OverlapOpt,
    OverwriteOpt,
    PolygonsOpt,
    PrecisionOpt,
    ProgressFormat,
    ProgressOpt,
    QuietOpt,
    ReadersOpt,
    ResolutionOpt,
    ResumeOpt,
    SameClassOpt,
    ScaleOpt,
    SieveOpt,
    StretchOpt,
    ThresholdOpt,
    TileOpt,
    TtaOpt,
    VerboseOpt,
)
from lsafnet_cli.commands.options_file import OptionsFileOpt
from lsafnet_cli.commands.polygon_options import (
    AfterDateOpt,
    BeforeDateOpt,
    ClassesOpt,
    DissolveOpt,
    MinAreaOpt,
    ReviewFormOpt,
    SimplifyOpt,
    SmoothOpt,
)
from lsafnet_cli.commands.predict_options import (
    make_device_options,
    make_output_options,
    make_polygon_options,
    make_read_options,
    make_tile_options,
    parse_also,
    split_checkpoints,
)
from lsafnet_cli.options import GridOptions, PredictOptions

# readable=False: whether a file may be read is found out, and said, where it is read
MapOpt = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="MAP.tif", readable=False, help="Change map to write (.tif)."),
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
    co: CreationOpt = None,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
    bands: BandsOpt = None,
    nodata: NodataOpt = None,
    stretch: StretchOpt = "auto",
    grid: GridOpt = "before",
    resolution: ResolutionOpt = None,
    dst_crs: DstCrsOpt = None,
    bounds: BoundsOpt = None,
    coregister: CoregisterOpt = "auto",
    aoi: AoiOpt = None,
    exclude: ExcludeOpt = None,
    exclude_values: ExcludeValuesOpt = None,
    cloud_mask: CloudMaskOpt = None,
    readers: ReadersOpt = 2,
    tile: TileOpt = None,
    scale: ScaleOpt = "auto",
    overlap: OverlapOpt = None,
    blend: BlendOpt = "taper",
    threshold: ThresholdOpt = None,
    same_class: SameClassOpt = "differ",
    sieve: SieveOpt = 0,
    tta: TtaOpt = False,
    device: DeviceOpt = "auto",
    precision: PrecisionOpt = "auto",
    compiled: CompileOpt = False,
    batch_size: BatchSizeOpt = "auto",
    memory: MemoryOpt = "2G",
    min_area: MinAreaOpt = None,
    simplify: SimplifyOpt = 0.0,
    smooth: SmoothOpt = False,
    dissolve: DissolveOpt = False,
    classes: ClassesOpt = None,
    review_form: ReviewFormOpt = False,
    before_date: BeforeDateOpt = None,
    after_date: AfterDateOpt = None,
    options_file: OptionsFileOpt = None,  # noqa: ARG001 - it has set what the others are
) -> None:
    """Write the change map of two images: what changed, from what to what, and where."""
    first, others = split_checkpoints(checkpoint)
    named, beside = parse_also(also, output)
    options = PredictOptions(
        checkpoint=first,
        ensemble=others,
        tta=tta,
        threshold=threshold,
        same_class=same_class,
        sieve_px=sieve,
        read=make_read_options(bands, stretch, readers, aoi, (exclude, exclude_values), cloud_mask, nodata),
        grid=GridOptions(grid, resolution, coregister, dst_crs, bounds),
        tile=make_tile_options(tile, overlap, blend, scale),
        device=make_device_options(device, precision, batch_size, compiled, memory),
        output=make_output_options((*(polygons or ()), *beside), named, overwrite, resume, co),
        polygons=make_polygon_options(
            min_area, simplify, smooth, dissolve, classes, (before_date, after_date), review_form
        ),
    )
    from lsafnet_cli.terminal.progress import make_observer

    observer = make_observer(quiet, progress, verbose)
    observer.wait("loading PyTorch")
    from lsafnet_cli.prediction.pipeline import predict_change  # here: wrong options do not wait for torch
    from lsafnet_cli.terminal.console import show_report

    report = predict_change(before, after, output, options, observer)
    show_report(report, as_json, verbose > 0)
