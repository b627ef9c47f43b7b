"""What someone meant who typed an option or a command of another program: gdal, rio, Orfeo ToolBox, torchgeo ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

MOST_COMMANDS = 3  # named in a hint


@dataclass(frozen=True, slots=True)
class Meaning:
    """What words mean: options with what they do, the best first, and what to say where a command has none of them.

    A word is an option of other programs without its dashes, in small letters, with hyphens for underscores.
    """

    words: str
    options: tuple[tuple[str, str], ...] = ()
    otherwise: str = ""


MEANINGS = (
    Meaning(
        "threads nthreads num-threads n-threads",
        (
            ("--readers", "sets the number of reader threads"),
            ("--workers", "sets the number of loading processes"),
        ),
    ),
    Meaning(
        "jobs n-jobs njobs num-workers n-workers workers processes nproc cores cpus j parallel",
        (
            ("--devices", "starts one worker on each device: --devices 4xcpu, cuda:0,cuda:1"),
            ("--workers", "sets the number of loading processes"),
            ("--readers", "sets the number of reader threads"),
        ),
    ),
    Meaning(
        "gpu gpus gpu-id gpu-ids cuda use-gpu use-cuda no-gpu no-cuda cpu accelerator devices device",
        (
            ("--device", "chooses the device: cuda, cuda:1 or cpu"),
            ("--devices", "chooses the devices: cuda:0,cuda:1 or 4xcpu"),
        ),
    ),
    Meaning("batch bs batchsize", (("--batch-size", "sets the number of tiles that are computed at once"),)),
    Meaning(
        "output-format out-format of format formats driver file-format fmt f",
        (
            ("--format", "chooses the format"),
            ("--formats", "names the formats of polygons: --formats gpkg,geojson"),
            ("--polygons", "writes polygons in the format of the file's ending; a map is a GeoTIFF"),
            ("--output", "names the file, whose ending chooses its format"),
        ),
    ),
    Meaning(
        "dst-crs t-srs crs target-crs out-crs output-crs srs epsg s-srs a-srs src-crs proj projection",
        (
            ("--dst-crs", "sets the CRS of the map"),
            (
                "--grid",
                "chooses the image whose CRS and grid the map has; rio warp takes a map to another CRS",
            ),
        ),
        "outputs have the CRS of the map; rio warp and ogr2ogr -t_srs take them to another",
    ),
    Meaning(
        "co creation-option creation-options profile compress compression blocksize bigtiff",
        (("--co", "sets creation options of the map"),),
        "maps are compressed, tiled, cloud-optimised GeoTIFFs; gdal_translate -co writes them otherwise",
    ),
    Meaning(
        "bounds te bbox extent projwin window roi region clip cutline",
        (
            ("--bounds", "limits the map to a rectangle"),
            ("--aoi", "limits the map to the polygons of a vector file"),
            ("--zones", "names polygons that are summarized separately"),
        ),
    ),
    Meaning(
        "mask area area-of-interest aoi-file",
        (("--aoi", "limits the map to the polygons of a vector file"),),
    ),
    Meaning(
        "nodata srcnodata dstnodata src-nodata dst-nodata a-nodata nodata-value no-data nodatavalue bv ignore-value",
        (("--nodata", "sets the no-data value of the images"),),
        "a map has its own no-data value; --nodata of predict, batch and check is for images",
    ),
    Meaning(
        "tr res resolution gsd pixel-size pixelsize cell-size target-resolution spatial-resolution",
        (("--resolution", "sets the pixel size of the map in metres"),),
    ),
    Meaning(
        "ot dtype data-type out-type output-type",
        (),
        "a map is uint8, or uint16 where there are more than 15 classes",
    ),
    Meaning(
        "r resampling resample interpolator",
        (),
        "where grids differ, images are resampled bilinearly and their masks by nearest neighbour",
    ),
    Meaning(
        "model weights ckpt checkpoint-path checkpoint-file model-path model-file pretrained",
        (
            ("--checkpoint", "names the trained network"),
            ("--start", "names the checkpoint whose weights a training starts from"),
        ),
    ),
    Meaning(
        "out outfile out-file output-file output-path outdir out-dir output-dir output-folder dst dest",
        (("--output", "names what is written"),),
    ),
    Meaning(
        "patch patch-size chip chip-size tilesize tile-size window-size image-size img-size crop-size size",
        (
            ("--tile", "sets the tile size in pixels"),
            ("--crop", "sets the side of a training example in pixels"),
        ),
    ),
    Meaning(
        "stride step padding pad buffer margin halo tile-overlap delta",
        (("--overlap", "sets how many pixels neighbouring tiles share"),),
    ),
    Meaning(
        "fp16 half amp bf16 fp32 mixed-precision float16 autocast",
        (("--precision", "sets the precision of the network: fp32, bf16 or fp16"),),
    ),
    Meaning(
        "ram cachemax wm memory-limit max-memory max-ram mem",
        (("--memory", "sets the host memory budget: --memory 4G"),),
    ),
    Meaning(
        "force clobber yes y replace overwrite overwrite-output force-overwrite",
        (("--overwrite", "overwrites existing outputs"),),
    ),
    Meaning(
        "silent no-progress noprogress no-progress-bar",
        (("--quiet", "shows neither notices nor progress"),),
    ),
    Meaning("debug log-level loglevel", (("--verbose", "shows more messages; -vv also debug messages"),)),
    Meaning(
        "probability probabilities proba prob confidence scores score score-map logits uncertainty heatmap",
        (("--also", "writes further layers: --also probability"),),
    ),
    Meaning(
        "polygonize vectorize vector vectors shapefile shp gpkg geojson vector-output",
        (
            ("--polygons", "also writes polygons: --polygons changes.gpkg"),
            ("--formats", "names formats of polygons"),
        ),
    ),
    Meaning("quicklook png preview thumbnail", (("--also", "writes a picture: --also quicklook"),)),
    Meaning("report html", (("--also", "writes a page: --also report"),)),
    Meaning(
        "min-size mmu minimum-mapping-unit min-mapping-unit min-pixels min-px minsize",
        (
            (
                "--sieve",
                "merges components of fewer pixels into their neighbours; --min-area does so for polygons",
            ),
            ("--min-area", "merges smaller polygons into their neighbours, in square metres"),
        ),
    ),
    Meaning(
        "cutoff confidence-threshold prob-threshold probability-threshold thresh thr",
        (("--threshold", "sets the probability above which a pixel is changed"),),
    ),
    Meaning("tolerance simplify-tolerance generalize", (("--simplify", "simplifies borders, in metres"),)),
    Meaning(
        "cloudmask clouds cloud mask-clouds qa qa-band scl qa-pixel",
        (("--cloud-mask", "masks clouds, shadows and snow: scl, qa_pixel or a file"),),
    ),
    Meaning("augment augmentation flip flips", (("--tta", "averages over each tile and its three flips"),)),
    Meaning(
        "upscale upsample upsampling enlarge zoom input-scale scales multi-scale multiscale",
        (("--scale", "sets by how much the network sees the images enlarged"),),
    ),
    Meaning(
        "config conf cfg params parameters settings options-file",
        (("--options", "repeats a run with the options of a file"),),
    ),
    Meaning(
        "zone-id id-field name-field field attribute column",
        (("--zone-field", "names the field that holds the zones' names"), ("--strata", "chooses the strata")),
    ),
    Meaning("lr rate", (("--learning-rate", "sets the learning rate"),)),
    Meaning("wd decay", (("--weight-decay", "sets the weight decay"),)),
    Meaning("num-epochs max-epochs n-epochs", (("--epochs", "sets the number of epochs"),)),
    Meaning("opt", (("--optimizer", "chooses the optimizer"),)),
    Meaning("random-seed rand random-state", (("--seed", "sets the random seed"),)),
)
INPUTS = (
    "input inputs i il in in1 in2 input-file before after before-image after-image image image1 image2 im1 im2 img1 "
    "img2 pre post pre-image post-image t1 t2 map src source"
)
MEANT: Mapping[str, Meaning] = {word: meaning for meaning in MEANINGS for word in meaning.words.split()}
COMMANDS = {
    "predict": "infer inference detect run apply compute change change-detection detect-changes map process",
    "batch": "many folder folders batch-predict",
    "vectorize": "polygonize vectorise polygons to-vector footprints",
    "summarize": "stats statistics zonal zonal-stats summarise summary area areas histogram",
    "evaluate": "eval test score validate metrics accuracy",
    "train": "fit finetune fine-tune",
    "decide": "threshold sieve reclassify postprocess",
    "show": "view plot display",
    "check": "info verify compare gdalinfo inspect",
    "checkpoint": "model models weights networks import export calibrate",
    "doctor": "diagnose env environment system",
}
COMMAND_MEANT = {word: name for name, words in COMMANDS.items() for word in words.split()}


def usage_text(error: Any, arguments: Sequence[str], program: str) -> str:
    """Return in one line what was wrong with a command line, what was probably meant, and where to read more.

    `error` is what Typer raised, `arguments` are the words after the program's name.
    """
    context, name = getattr(error, "ctx", None), getattr(error, "option_name", "")
    typed = _as_typed(name, arguments)
    hint = _hint_for(context, typed, arguments)
    found = f"No such option: {typed}" if hint and typed else error.format_message()
    path = context.command_path if context is not None else program
    parts = (" ".join(found.split()).removesuffix("."), hint, f"see {path} --help")
    return "; ".join(filter(None, parts))


def read_letter_by_letter(arguments: Sequence[str]) -> str:
    """Return how an option with one dash and several letters was read, as GDAL has them; "" where there is none."""
    word = next(filter(_is_gdal_option, arguments), "")
    return (
        f"{word} is read as {word[:2]} {word[2:]}: options of several letters take two dashes" if word else ""
    )


def _hint_for(context: typer.Context | None, option: str, arguments: Sequence[str]) -> str:
    if context is None:
        return ""
    if option:
        return hint_for_option(context, option)
    commands = getattr(context.command, "commands", {})
    if commands:
        typed = next((word.lower() for word in arguments if not word.startswith("-")), "")
        meant = COMMAND_MEANT.get(typed)
        return f"{context.command_path} {meant} may be what you mean" if meant in commands else ""
    word = next(filter(_is_gdal_option, arguments), "")
    return hint_for_option(context, word) if word else ""


def hint_for_option(context: typer.Context, name: str) -> str:
    """Return what a command has for an option that it lacks; "" where there is no such thing."""
    command, word = context.command, name.lstrip("-").lower().replace("_", "-").partition("=")[0]
    own, meaning = set(_flags_of(command)), MEANT.get(word, Meaning(word))
    wished = [(f"--{word}", ""), *meaning.options]
    for flag, does in wished:
        if flag in own:
            return f"{flag} {does}" if does else f"write {flag}"
    if word in INPUTS.split() and not hasattr(command, "commands"):
        names = " ".join(piece.strip("{}") for piece in command.collect_usage_pieces(context)[1:])
        return f"files are given without an option: {context.command_path} {names}"
    if meaning.otherwise and "--output" in own:
        return meaning.otherwise
    for flag, _ in wished:
        if having := [path for path, other in _walk(context.find_root().command) if flag in _flags_of(other)]:
            return f"{flag} is an option of {_listed(having)}"
    return ""


def _as_typed(name: str, arguments: Sequence[str]) -> str:
    """Return the whole word of an option of which Typer took the first letter: -co for -c."""
    if len(name) == 2 and not name.startswith("--"):
        return next((word for word in arguments if word.startswith(name) and _is_gdal_option(word)), name)
    return name


def _is_gdal_option(word: str) -> bool:
    """Return whether a word is an option of several letters with one dash, as GDAL's are."""
    return len(word) > 2 and word[0] == "-" != word[1] and word[1:].lower().replace("_", "-") in MEANT


def _flags_of(command: Any) -> Iterator[str]:
    for one in command.params:
        yield from (flag for flag in (*one.opts, *one.secondary_opts) if flag.startswith("-"))


def _walk(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield f"{path}{name}", below
            yield from _walk(below, f"{path}{name} ")


def _listed(names: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c", or "a, b, c and others"."""
    shown = list(names) if len(names) <= MOST_COMMANDS else [*names[:MOST_COMMANDS], "others"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
