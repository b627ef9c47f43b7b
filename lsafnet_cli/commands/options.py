"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

FILES, TILES, DECISION, DEVICE, OUTPUT = "Images", "Tiles", "Decision", "Device", "Output"


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
        help="Trained network. Default: $LSAFNET_CHECKPOINT, else the checkpoint that ships with lsafnet.",
    ),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png|svg", rich_help_panel=OUTPUT,
        help="Also plot the from-to table (needs pip install 'lsafnet[plot]').",
    ),
]  # fmt: skip
JsonOpt = Annotated[bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=OUTPUT)]
OverwriteOpt = Annotated[bool, typer.Option(help="Overwrite existing outputs.", rich_help_panel=OUTPUT)]
QuietOpt = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show neither notices nor progress.", rich_help_panel=OUTPUT)
]
VerboseOpt = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, rich_help_panel=OUTPUT,
        help="More messages: the time of each stage, and in a batch the messages of single scenes. -vv: also debug"
        " messages, and the traceback of an error.",
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
        help="Bands to read, by number or name: 4,3,2 or nir,red,green. Default: red, green, blue if the file says"
        " which bands these are, else the first ones.",
        rich_help_panel=FILES,
    ),
]
NodataOpt = Annotated[
    str | None,
    typer.Option(
        metavar="VALUE[,VALUE]",
        help="No-data value of both images, or of before and after, instead of those of the files.",
        rich_help_panel=FILES,
    ),
]
StretchOpt = Annotated[
    str,
    typer.Option(
        help="How pixel values are rescaled to the range the network was trained on: auto, none, "
        "percentile:LO,HI or range:LO,HI.",
        rich_help_panel=FILES,
    ),
]
GridOpt = Annotated[
    str, typer.Option(help="Image whose pixel grid the map uses: before or after.", rich_help_panel=FILES)
]
ResolutionOpt = Annotated[
    float | None,
    typer.Option(help="Pixel size of the map in metres. Default: that of the grid.", rich_help_panel=FILES),
]
DstCrsOpt = Annotated[
    str | None,
    typer.Option(
        metavar="CRS", rich_help_panel=FILES,
        help="CRS of the map, such as EPSG:32632. Default: that of the grid.",
    ),
]  # fmt: skip
BoundsOpt = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(
        metavar="W S E N", rich_help_panel=FILES,
        help="Bounds of the map: west, south, east, north in the map's CRS.",
    ),
]  # fmt: skip
CreationOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--co", metavar="KEY=VALUE", rich_help_panel=OUTPUT,
        help="Creation option of GDAL's COG driver for every raster that is written: COMPRESS, LEVEL, "
        "PREDICTOR, BLOCKSIZE, BIGTIFF and others that keep maps lossless and tiled. Repeatable.",
    ),
]  # fmt: skip
CheckpointsOpt = Annotated[
    list[Path] | None,
    typer.Option(
        readable=False,
        help="Trained network. Default: $LSAFNET_CHECKPOINT, else the checkpoint that ships with "
        "lsafnet. Repeat it to average "
        "the probabilities of several.",
    ),
]
ScaleOpt = Annotated[
    str,
    typer.Option(
        metavar="auto|FACTOR",
        help="Scale at which the network sees the images, such as 2 for twice their rows and cols. auto: "
        "coarser images than suit the checkpoint are enlarged.",
        rich_help_panel=TILES,
    ),
]
TtaOpt = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Test-time augmentation: average over each tile and its three flips; takes four times as long.",
        rich_help_panel=TILES,
    ),
]
PolygonsOpt = Annotated[
    list[Path] | None,
    typer.Option(
        readable=False,
        help="Also write polygons: .gpkg, .geojson, .fgb, .shp or .parquet. Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]
AlsoOpt = Annotated[
    str,
    typer.Option(
        help="Further outputs beside the map, comma-separated: from, to, before, after, probability, "
        "transition, quicklook, report, stac; polygons by their format (gpkg) or file name (polygons.gpkg).",
        rich_help_panel=OUTPUT,
    ),
]
CoregisterOpt = Annotated[
    str,
    typer.Option(
        metavar="auto|on|off",
        help="Correct a constant shift between the dates: auto (if significant and above one pixel), "
        "on (if significant) or off.",
        rich_help_panel=FILES,
    ),
]
AoiOpt = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Area of interest: a vector file; only the area inside its polygons is mapped.",
        rich_help_panel=FILES,
    ),
]
ExcludeOpt = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", rich_help_panel=FILES,
        help="Vector file or raster of areas to exclude: pixels inside its polygons, or where it is "
        "not 0, become no data.",
    ),
]  # fmt: skip
ExcludeValuesOpt = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", rich_help_panel=FILES, help="Values of the --exclude raster that are excluded."
    ),
]
CloudMaskOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="scl|qa_pixel|FILE", rich_help_panel=FILES,
        help="Clouds, shadows and snow are no data: by Sentinel-2's SCL or Landsat's QA_PIXEL, a band "
        "or a file "
        "beside the image, or by a raster. Give it once for both dates, or twice.",
    ),
]  # fmt: skip
ReadersOpt = Annotated[int, typer.Option(help="Number of reader threads.", rich_help_panel=FILES)]
TileOpt = Annotated[
    int | None, typer.Option(help="Tile size in pixels. Default: the checkpoint's.", rich_help_panel=TILES)
]
OverlapOpt = Annotated[
    int | None,
    typer.Option(
        help="Overlap of neighbouring tiles in pixels. Default: a quarter of a tile.", rich_help_panel=TILES
    ),
]
BlendOpt = Annotated[
    str,
    typer.Option(
        help="How overlapping tiles are combined: taper (weighted mean) or crop.", rich_help_panel=TILES
    ),
]
ThresholdOpt = Annotated[
    float | None,
    typer.Option(
        help="Probability above which a pixel is changed. Default: the checkpoint's.",
        rich_help_panel=DECISION,
    ),
]
SameClassOpt = Annotated[
    str,
    typer.Option(
        metavar="differ|keep",
        help="Classes of changed pixels: the most probable pair of different classes (differ), or the most "
        "probable class of each date, even if both are the same (keep).",
        rich_help_panel=DECISION,
    ),
]
SieveOpt = Annotated[
    int,
    typer.Option(
        metavar="PX", help="Merge connected components of the map with fewer pixels than this into their neighbours.",
        rich_help_panel=DECISION,
    ),
]  # fmt: skip
DeviceOpt = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...", rich_help_panel=DEVICE)]
DevicesOpt = Annotated[
    str,
    typer.Option(
        help="auto (each CUDA device, else cpu), cuda:0,cuda:1, or 4xcpu: one worker each.",
        rich_help_panel=DEVICE,
    ),
]
PrecisionOpt = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.", rich_help_panel=DEVICE)]
BatchSizeOpt = Annotated[
    str,
    typer.Option(
        help="Tiles per batch; auto finds the fastest number while running.", rich_help_panel=DEVICE
    ),
]
MemoryOpt = Annotated[
    str,
    typer.Option(help="Host memory budget besides the network, such as 512M or 2G.", rich_help_panel=DEVICE),
]
CompileOpt = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the network with torch.compile (slow start, faster tiles).",
        rich_help_panel=DEVICE,
    ),
]
ResumeOpt = Annotated[
    bool,
    typer.Option(help="Resume an interrupted run with the same inputs and options.", rich_help_panel=OUTPUT),
]
