"""`lsafnet series`: more than two dates."""

from pathlib import Path
from typing import Annotated

import typer

from lsafnet_cli.commands.options import (
    FILES,
    OUTPUT,
    AoiOpt,
    BandsOpt,
    BatchSizeOpt,
    BlendOpt,
    BoundsOpt,
    CheckpointsOpt,
    CompileOpt,
    CoregisterOpt,
    CreationOpt,
    DevicesOpt,
    DstCrsOpt,
    ExcludeOpt,
    ExcludeValuesOpt,
    JsonOpt,
    MemoryOpt,
    OverlapOpt,
    OverwriteOpt,
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
from lsafnet_cli.commands.polygon_options import (
    ClassesOpt,
    DissolveOpt,
    MinAreaOpt,
    SimplifyOpt,
    SmoothOpt,
)
from lsafnet_cli.commands.predict_options import (
    make_device_options,
    make_output_options,
    make_polygon_options,
    make_read_options,
    make_tile_options,
    parse_names,
    split_checkpoints,
)
from lsafnet_cli.options import GridOptions, PredictOptions

ImagesArg = Annotated[
    list[str],
    typer.Argument(metavar="IMAGE...", help="Images of one place, two or more dates, in any order."),
]
FolderOpt = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", readable=False, help="Folder to write to.")
]
DatesOpt = Annotated[
    str,
    typer.Option(
        metavar="DATE,DATE,...", rich_help_panel=FILES,
        help="Date of each image, in the order of the images: 2024-05-31, 2024-05 or 2024. Default: the dates in "
        "their tags or names.",
    ),
]  # fmt: skip
GridOpt = Annotated[
    str,
    typer.Option(
        metavar="first|last|IMAGE", rich_help_panel=FILES,
        help="Image whose pixel grid all maps use: the earliest, the latest or another one. Shifts are measured "
        "against it.",
    ),
]  # fmt: skip
NodataOpt = Annotated[
    str | None,
    typer.Option(
        metavar="VALUE", rich_help_panel=FILES,
        help="No-data value of all images, instead of those of the files.",
    ),
]  # fmt: skip
CloudMaskOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="scl|qa_pixel|FILE", rich_help_panel=FILES,
        help="Clouds, shadows and snow are no data: by Sentinel-2's SCL or Landsat's QA_PIXEL, a band or a file "
        "beside the image, or by a raster. Give it once for all images, or once for each, in their order.",
    ),
]  # fmt: skip
AlsoOpt = Annotated[
    str,
    typer.Option(
        help="Further outputs beside each map, comma-separated: from, to, probability, transition, quicklook, "
        "report, stac.",
        rich_help_panel=OUTPUT,
    ),
]
LandCoverOpt = Annotated[
    bool,
    typer.Option(
        help="Keep the land cover of each map, which gives the classes of unchanged pixels.",
        rich_help_panel=OUTPUT,
    ),
]

PageOpt = Annotated[
    bool,
    typer.Option(
        help="Write a page with a slider over the dates that opens offline.", rich_help_panel=OUTPUT
    ),
]
MaxMbOpt = Annotated[
    float,
    typer.Option("--max-mb", help="Largest size of the page in megabytes.", rich_help_panel=OUTPUT),
]


def series(
    images: ImagesArg,
    output: FolderOpt,
    dates: DatesOpt = "",
    checkpoint: CheckpointsOpt = None,
    also: AlsoOpt = "",
    land_cover: LandCoverOpt = True,
    page: PageOpt = True,
    max_mb: MaxMbOpt = 15.0,
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
    grid: GridOpt = "first",
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
    devices: DevicesOpt = "auto",
    precision: PrecisionOpt = "auto",
    compiled: CompileOpt = False,
    batch_size: BatchSizeOpt = "auto",
    memory: MemoryOpt = "2G",
    min_area: MinAreaOpt = None,
    simplify: SimplifyOpt = 0.0,
    smooth: SmoothOpt = False,
    dissolve: DissolveOpt = False,
    classes: ClassesOpt = None,
) -> None:
    """Map a series of dates: what changed in each interval, when each pixel last changed, and how often."""
    from lsafnet_cli.series.options import SeriesOptions

    first, others = split_checkpoints(checkpoint)
    options = SeriesOptions(
        predict=PredictOptions(
            checkpoint=first,
            ensemble=others,
            tta=tta,
            threshold=threshold,
            same_class=same_class,
            sieve_px=sieve,
            read=make_read_options(bands, stretch, readers, aoi, (exclude, exclude_values), nodata=nodata),
            grid=GridOptions("before", resolution, coregister, dst_crs, bounds),
            tile=make_tile_options(tile, overlap, blend, scale),
            device=make_device_options("auto", precision, batch_size, compiled, memory),
            output=make_output_options((), parse_names(also), overwrite, resume, co),
            polygons=make_polygon_options(min_area, simplify, smooth, dissolve, classes),
        ),
        dates=tuple(one.strip() for one in dates.split(",")) if dates else (),
        grid=grid,
        cloud_masks=tuple(cloud_mask or ()),
        land_cover=land_cover,
        devices=devices,
        page=page,
        max_mb=max_mb,
    )
    from lsafnet_cli.series.run import map_series
    from lsafnet_cli.terminal.progress import make_observer
    from lsafnet_cli.terminal.series import show_series

    show_series(map_series(images, output, options, make_observer(quiet, progress, verbose)), as_json)
