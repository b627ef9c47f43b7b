"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

FILES, TILES, DECISION, DEVICE = "Images", "Tiles", "Decision", "Device"
OUTPUT, POLYGONS = "Output", "Polygons"


class ProgressFormat(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    BAR = "bar"
    JSON = "json"
    NONE = "none"


BeforeArg = Annotated[str, typer.Argument(metavar="BEFORE", help="Image of the earlier date.")]
AfterArg = Annotated[str, typer.Argument(metavar="AFTER", help="Image of the later date.")]
MapArg = Annotated[str, typer.Argument(metavar="MAP.tif", help="A change map written by lsafnet.")]
CheckpointOpt = Annotated[
    Path | None,
    typer.Option(
        readable=False,  # whether a file may be read is found out, and said, where it is read
        help="Trained network; else $LSAFNET_CHECKPOINT, else the small one shipped inside.",
    ),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg", rich_help_panel=OUTPUT,
        help="Draw the from-to table as a picture too (needs matplotlib: the extra plot).",
    ),
]  # fmt: skip
JsonOpt = Annotated[bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=OUTPUT)]
OverwriteOpt = Annotated[bool, typer.Option(help="Replace outputs that exist.", rich_help_panel=OUTPUT)]
QuietOpt = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notices, no progress.", rich_help_panel=OUTPUT)
]
VerboseOpt = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, rich_help_panel=OUTPUT,
        help="Say more: how long each stage took, and in a batch what concerns single scenes. -vv: debug lines too, "
        "and the traceback of an error.",
    ),
]  # fmt: skip
ProgressOpt = Annotated[
    ProgressFormat,
    typer.Option(
        rich_help_panel=OUTPUT,
        help="Progress on stderr: auto (a bar in a terminal), bar, json (a line for each event) or none.",
    ),
]
BandsOpt = Annotated[
    str | None,
    typer.Option(
        help="Bands to read, by number or name: 4,3,2 or nir,red,green. Default: red, green, blue where the file "
        "says which they are, else the first ones.",
        rich_help_panel=FILES,
    ),
]
NodataOpt = Annotated[
    str | None,
    typer.Option(
        metavar="VALUE[,VALUE]",
        help="Number that means no data, in both images or in before and after each, in place of what the files say.",
        rich_help_panel=FILES,
    ),
]
StretchOpt = Annotated[
    str,
    typer.Option(
        help="auto, none, percentile:LO,HI or range:LO,HI: how numbers become the checkpoint's values.",
        rich_help_panel=FILES,
    ),
]
GridOpt = Annotated[
    str, typer.Option(help="Whose pixels the map has: before or after.", rich_help_panel=FILES)
]
ResolutionOpt = Annotated[
    float | None,
    typer.Option(help="Side of the map's pixels in metres. Default: as they are.", rich_help_panel=FILES),
]
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
        help="Further files beside the map, by comma: from, to, before, after, probability, transition, "
        "quicklook, report, stac.",
        rich_help_panel=OUTPUT,
    ),
]
CoregisterOpt = Annotated[
    str,
    typer.Option(
        metavar="auto|on|off",
        help="Correct a constant shift between the dates: one that is clear and above a pixel, any clear one, none.",
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
ExcludeOpt = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", rich_help_panel=FILES,
        help="Vector file or raster; ground within its polygons, or where it is not 0, is no data.",
    ),
]  # fmt: skip
ExcludeValuesOpt = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", rich_help_panel=FILES, help="Which numbers of the raster of --exclude count."
    ),
]
CloudMaskOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="scl|qa_pixel|FILE", rich_help_panel=FILES,
        help="Clouds, shadows and snow are no data: by Sentinel-2's SCL or Landsat's QA_PIXEL, a band or a file "
        "beside the image, or by a raster. Give it once for both dates, or twice.",
    ),
]  # fmt: skip
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
ThresholdOpt = Annotated[
    float | None,
    typer.Option(
        help="Changed above this probability. Default: the checkpoint's own.", rich_help_panel=DECISION
    ),
]
SameClassOpt = Annotated[
    str,
    typer.Option(
        metavar="differ|keep",
        help="Where something has changed: the most probable pair of different classes, or the most probable class "
        "of each date by itself, be they the same.",
        rich_help_panel=DECISION,
    ),
]
SieveOpt = Annotated[
    int,
    typer.Option(
        metavar="PX", help="In the map itself, connected components of fewer pixels go to their neighbours.",
        rich_help_panel=DECISION,
    ),
]  # fmt: skip
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
MinAreaOpt = Annotated[
    float | None,
    typer.Option(
        metavar="M2", rich_help_panel=POLYGONS,
        help="Merge connected components smaller than this into their neighbours, and fill such holes. The map stays "
        "as it is. Default: those below 16 pixels; 0 keeps all.",
    ),
]  # fmt: skip
SimplifyOpt = Annotated[
    float,
    typer.Option(
        metavar="M", rich_help_panel=POLYGONS,
        help="Simplify borders by up to M metres; common borders stay common, areas stay the same.",
    ),
]  # fmt: skip
SmoothOpt = Annotated[bool, typer.Option("--smooth", help="Round the pixel steps.", rich_help_panel=POLYGONS)]
DissolveOpt = Annotated[
    bool, typer.Option("--dissolve", help="One multipolygon for each transition.", rich_help_panel=POLYGONS)
]
ClassesOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM:TO", rich_help_panel=POLYGONS,
        help='Only these transitions: "water:building", "*:building", "water:*". Repeatable.',
    ),
]  # fmt: skip
BeforeDateOpt = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="2024-05-31, in place of the file's date.", rich_help_panel=POLYGONS),
]
AfterDateOpt = Annotated[
    str | None, typer.Option(metavar="DATE", help="The same for the later date.", rich_help_panel=POLYGONS)
]
