"""`lsafnet batch`: many pairs."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lsafnet_cli.commands.batch_options import (
    AfterDirArg,
    BeforeDirArg,
    CollectOpt,
    DryRunOpt,
    FailFastOpt,
    FolderOpt,
    FormatsOpt,
    MatchOpt,
    MosaicOpt,
    PagesOpt,
    PairsOpt,
    RayOpt,
    SeriesOpt,
    ShardOpt,
    SplitOpt,
)
from lsafnet_cli.commands.options import (
    AlsoOpt,
    AoiOpt,
    BandsOpt,
    BatchSizeOpt,
    BlendOpt,
    BoundsOpt,
    CheckpointsOpt,
    CloudMaskOpt,
    CompileOpt,
    CoregisterOpt,
    CreationOpt,
    DevicesOpt,
    DstCrsOpt,
    ExcludeOpt,
    ExcludeValuesOpt,
    GridOpt,
    JsonOpt,
    MemoryOpt,
    NodataOpt,
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
from lsafnet_cli.commands.options_file import OptionsFileOpt
from lsafnet_cli.commands.polygon_options import (
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
    parse_also_of_many,
    parse_names,
    split_checkpoints,
)
from lsafnet_cli.options import GridOptions, PredictOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsafnet_cli.batch.files import Pairing
    from lsafnet_cli.batch.options import BatchOptions


def batch(
    before: BeforeDirArg = None,
    after: AfterDirArg = None,
    output: FolderOpt = None,
    pairs: PairsOpt = None,
    match: MatchOpt = None,
    series: SeriesOpt = False,
    dry_run: DryRunOpt = False,
    fail_fast: FailFastOpt = False,
    formats: FormatsOpt = "gpkg",
    mosaic: MosaicOpt = False,
    report: PagesOpt = False,
    devices: DevicesOpt = "auto",
    shard: ShardOpt = None,
    collect: CollectOpt = None,
    ray: RayOpt = None,
    split_rows: SplitOpt = None,
    overwrite: OverwriteOpt = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = 0,
    progress: ProgressOpt = ProgressFormat.AUTO,
    checkpoint: CheckpointsOpt = None,
    also: AlsoOpt = "",
    resume: ResumeOpt = True,
    co: CreationOpt = None,
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
    options_file: OptionsFileOpt = None,  # noqa: ARG001 - it has set what the others are
) -> None:
    """Write the change maps of many pairs; a failed pair does not stop the others. Run again to resume."""
    from lsafnet_cli.batch.options import BatchOptions
    from lsafnet_cli.batch.shards import Shard
    from lsafnet_cli.terminal.batch import show_batch
    from lsafnet_cli.terminal.progress import make_observer

    observer = make_observer(quiet, progress, verbose)
    if collect is not None:
        from lsafnet_cli.batch.collect import collect_batch

        refuse_besides_collect(before, output, pairs)
        ended = collect_batch(collect, mosaic, observer.notice)
    else:
        first, others = split_checkpoints(checkpoint)
        named, endings = parse_also_of_many(also)
        options = BatchOptions(
            predict=PredictOptions(
                checkpoint=first,
                ensemble=others,
                tta=tta,
                threshold=threshold,
                same_class=same_class,
                sieve_px=sieve,
                read=make_read_options(
                    bands, stretch, readers, aoi, (exclude, exclude_values), cloud_mask, nodata
                ),
                grid=GridOptions(grid, resolution, coregister, dst_crs, bounds),
                tile=make_tile_options(tile, overlap, blend, scale),
                device=make_device_options("auto", precision, batch_size, compiled, memory),
                output=make_output_options((), named, overwrite, resume, co),
                polygons=make_polygon_options(
                    min_area, simplify, smooth, dissolve, classes, review_form=review_form
                ),
            ),
            devices=devices,
            formats=tuple(dict.fromkeys((*parse_formats(formats), *endings))),
            mosaic=mosaic,
            fail_fast=fail_fast,
            shard=Shard.parse(shard) if shard is not None else None,
            ray=ray,
            split_rows=split_rows,
            report=report,
        )
        found = find_pairs(before, after, pairs, match, series)
        folder = needed(output)
        if dry_run:
            observer.wait("planning the scenes")
            show_plan_only(found, folder, options, as_json)
            return
        from lsafnet_cli.batch.driver import run_batch

        tell_left_out(found, observer.notice)
        observer.wait("planning the scenes")
        ended = run_batch(found.scenes, folder, options, observer)
    show_batch(ended, as_json)
    raise typer.Exit(ended.exit_code)


def find_pairs(
    before: Path | None, after: Path | None, table: Path | None, match: str | None, series: bool
) -> "Pairing":
    """Return the pairs of two folders, of one, or of a table. Raises OptionError unless it is one of them."""
    from lsafnet_cli.batch.pairing import pair_folders, read_pairs
    from lsafnet_cli.batch.sites import pair_one_folder
    from lsafnet_cli.errors import OptionError

    if series and (after is not None or table is not None):
        raise OptionError("--series takes one folder with all dates: leave out the second folder and --pairs")
    if table is not None:
        if before is not None or match is not None:
            raise OptionError("--pairs lists the pairs: leave out the folders and --match")
        return read_pairs(table)
    if before is None:
        raise OptionError("name one or two folders, or --pairs PAIRS.csv, or --collect OUT_DIR")
    return pair_folders(before, after, match) if after is not None else pair_one_folder(before, match, series)


def needed(output: Path | None) -> Path:
    """Return the folder to write to. Raises OptionError where none is named."""
    from lsafnet_cli.errors import OptionError

    if output is None:
        raise OptionError("name the folder to write to: -o OUT_DIR")
    return output


def refuse_besides_collect(*others: Path | None) -> None:
    """Raise OptionError where anything else is named with --collect."""
    from lsafnet_cli.errors import OptionError

    if any(other is not None for other in others):
        raise OptionError("--collect takes the batch's folder alone; leave out everything else but --mosaic")


def parse_formats(text: str) -> tuple[str, ...]:
    """Read "gpkg,geojson" as endings."""
    return tuple(f".{name}" for name in parse_names(text.lower()))


def show_plan_only(found: "Pairing", folder: Path, options: "BatchOptions", as_json: bool) -> None:
    """Show what would be done, and how long that takes."""
    from lsafnet_cli.batch.estimate import estimate_batch
    from lsafnet_cli.batch.plan import plan_batch
    from lsafnet_cli.terminal.batch import show_batch_plan

    plan = plan_batch(found.scenes, folder, options)
    show_batch_plan(plan, found, estimate_batch(plan, options).seconds, as_json)


def tell_left_out(found: "Pairing", tell: "Callable[[str], None]") -> None:
    """Tell, before anything starts, which files found no partner, or too many."""
    for text in found.notes:
        tell(text)
    for path in found.unpaired:
        tell(f"left out, it has no partner: {path}")
    for text in found.doubled:
        tell(f"left out, several files of one folder pair by {text}")
