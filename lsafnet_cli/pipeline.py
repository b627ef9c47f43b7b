"""The main job on one page: two images in, a change map, polygons and a report out."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from lsafnet_cli.background import Background, run_ahead
from lsafnet_cli.checkpoints import NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.outputs import OutputPaths
from lsafnet_cli.provenance import Provenance
from lsafnet_cli.stages.align import AlignedPair, align_pair, pixel_size_m
from lsafnet_cli.stages.infer import Device, Scorer, choose_device, infer_tiles
from lsafnet_cli.stages.quicklook import draw_quicklook
from lsafnet_cli.stages.read import Scene, ScenePair, read_pair, scene_stretch
from lsafnet_cli.stages.report import ChangeTable, RunReport, change_table
from lsafnet_cli.stages.stitch import Decision, stitch_tiles
from lsafnet_cli.stages.tile import TilePlan, overlap_of, plan_tiles, read_tiles
from lsafnet_cli.stages.vectorize import ChangeMap, vectorize_map
from lsafnet_cli.stages.write import CODES, MapWriter, PartStore, PartWriter, publish
from lsafnet_cli.types import LAYERS, Grid, Observer, PredictOptions, SilentObserver, Stretch

PATCHES_WAITING = 8


def predict_change(
    before: str | Path,
    after: str | Path,
    output: str | Path,
    options: PredictOptions | None = None,
    observer: Observer | None = None,
) -> RunReport:
    """Write the change map of two images, and what else the options ask for.

    Every file appears under its name only when complete. Raises a subclass of LsafnetError for whatever a
    user can mend; then nothing is left behind.
    """
    options, notes = options or PredictOptions(), Notebook(observer or SilentObserver())
    paths = OutputPaths.of(Path(output), options.output)
    paths.check((str(before), str(after)), options.output.overwrite)
    checkpoint = load_named_checkpoint(options.checkpoint, notes)
    pair = read_pair(before, after, options.read, checkpoint.info.bands)
    run = prepare_run(pair, checkpoint, options, notes)
    with work_folder(paths.map) as store:
        compute_parts(run, store, notes)
        table, polygon_count = write_outputs(run, store, paths)
    return make_report(run, paths, notes.notices, table, polygon_count)


class Notebook:
    """Passes on what an observer is told, and keeps the notices for the report."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.notices: list[str] = []
        self.start, self.advance, self.finish = observer.start, observer.advance, observer.finish

    def notice(self, text: str) -> None:
        """Keep a notice and pass it on."""
        self.notices.append(text)
        self._observer.notice(text)


@dataclass(frozen=True)
class Run:
    """One scene pair, aligned, planned, and ready to be computed."""

    pair: AlignedPair
    plan: TilePlan
    checkpoint: NamedCheckpoint
    decision: Decision
    device: Device
    stretches: tuple[Stretch | None, Stretch | None]
    options: PredictOptions
    provenance: Provenance
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how many seconds a stage takes."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)


def prepare_run(
    pair: ScenePair, checkpoint: NamedCheckpoint, options: PredictOptions, observer: Observer
) -> Run:
    """Align the pair, plan its tiles, find its stretch; say what the user should know."""
    aligned = align_pair(pair)
    info = checkpoint.info
    before, after = (
        scene_stretch(scene, options.read.stretch, info.value_range) for scene in (pair.before, pair.after)
    )
    run = Run(
        pair=aligned,
        plan=plan_tiles(aligned.grid, info.tile_px, options.tile),
        checkpoint=checkpoint,
        decision=Decision(checkpoint.legend, options.threshold, layers_to_compute(options)),
        device=choose_device(options.device),
        stretches=(before, after),
        options=options,
        provenance=describe_run(pair, checkpoint, options, (before, after)),
    )
    for text in pair_notices(pair, run):
        observer.notice(text)
    return run


def pair_notices(pair: ScenePair, run: Run) -> Iterator[str]:
    """Yield what the user should know about how the pair is taken."""
    grid = run.pair.grid
    if not pair.georeferenced:
        yield "the images have no georeference: they are compared pixel by pixel, and areas are not known"
    elif run.pair.after.offset is None:
        yield f"{pair.after.path} lies on another grid: it is warped onto that of {pair.before.path}"
    if grid.shape != pair.before.grid.shape:
        share = grid.pixel_count / pair.before.grid.pixel_count
        yield f"the images share {grid.width}x{grid.height} pixels, {share:.1%} of {pair.before.path}"
    for scene, stretch in zip((pair.before, pair.after), run.stretches, strict=True):
        if stretch is not None:
            yield f"{scene.path}: {_describe_stretch(scene, stretch)}"
    size, trained = pixel_size_m(grid), run.checkpoint.info.gsd_m
    if size and trained and not 1 / 3 <= size / trained <= 3:
        yield f"pixels are {size:.3g} m, but the checkpoint was trained on {trained:.3g} m: expect poor maps"


def _describe_stretch(scene: Scene, stretch: Stretch) -> str:
    limits = ", ".join(f"{low:.6g}..{high:.6g}" for low, high in zip(stretch.low, stretch.high, strict=True))
    return f"{scene.dtype} numbers are stretched from {limits} (bands {', '.join(map(str, scene.bands))})"


def describe_run(
    pair: ScenePair,
    checkpoint: NamedCheckpoint,
    options: PredictOptions,
    stretches: tuple[Stretch | None, Stretch | None],
) -> Provenance:
    """Return what the map will say about itself; the options are those that decide its pixels."""
    stretch = dict(zip(("before", "after"), (s and asdict(s) for s in stretches), strict=True))
    size = options.tile.size_px or checkpoint.info.tile_px
    return Provenance(
        legend=checkpoint.legend,
        version=version("lsafnet"),
        checkpoint=checkpoint.name,
        checkpoint_sha256=checkpoint.sha256,
        before=pair.before.path,
        after=pair.after.path,
        before_date=pair.before.acquired,
        after_date=pair.after.acquired,
        options={
            "threshold": options.threshold,
            "tile_px": size,
            "overlap_px": overlap_of(size, options.tile),
            "blend": options.tile.blend,
            "bands": list(pair.before.bands),
            "stretch": stretch,
            "precision": options.device.precision,
        },
    )


def layers_to_compute(options: PredictOptions) -> tuple[str, ...]:
    """Return the layers to compute besides codes: polygons need the probability for their confidence."""
    wanted = set(options.output.also) | ({"probability"} if options.output.polygons else set())
    return tuple(layer for layer in LAYERS if layer in wanted)


def compute_parts(run: Run, store: PartStore, observer: Observer) -> None:
    """Read, infer, stitch and write parts, all at the same time."""
    scorer = Scorer(run.checkpoint.checkpoint, run.stretches, run.device)
    writer = PartWriter(store, run.pair.grid, run.options.tile.row_band_px, run.decision)
    tiles = run_ahead(read_tiles(run.pair, run.plan, run.options.read.threads), len(run.plan.col_starts))
    scores = infer_tiles(scorer, tiles, run.options.device.batch_size)
    with run.timed("map"), watched(observer, "map", run.pair.grid), closing(tiles):
        with Background(writer.put, PATCHES_WAITING) as background:
            for patch in stitch_tiles(scores, run.plan, run.decision):
                background.put(patch)
                observer.advance(patch.pixel_count)
        writer.finish()


@contextmanager
def watched(observer: Observer, stage: str, grid: Grid) -> Iterator[None]:
    """Tell the observer that a stage over the whole grid begins and ends."""
    observer.start(stage, grid.pixel_count)
    try:
        yield
    finally:
        observer.finish()


@contextmanager
def work_folder(output: Path) -> Iterator[PartStore]:
    """Give a work folder beside the output, gone at the end whatever happens."""
    store = PartStore(output)
    store.create()
    try:
        yield store
    finally:
        store.remove()


def write_outputs(run: Run, store: PartStore, paths: OutputPaths) -> tuple[ChangeTable, int | None]:
    """Make the finished files from the parts, the map last; return its table and how many polygons there are."""
    writer = MapWriter(store, run.pair.grid, run.options.tile.row_band_px, run.provenance)
    codes = writer.mosaic(CODES)
    table = change_table(codes, run.decision.legend)
    polygon_count = None
    if paths.polygons:
        with run.timed("polygons"):
            polygon_count = write_polygons(run, store, writer, paths)
    if paths.quicklook:
        picture = store.path(paths.quicklook.name)
        draw_quicklook(picture, run.pair, codes, run.decision.legend, table)
        publish(picture, paths.quicklook)
    with run.timed("write"):
        for layer, path in (*paths.layers.items(), (CODES, paths.map)):
            writer.write_layer(layer, path)
    return table, polygon_count


def write_polygons(run: Run, store: PartStore, writer: MapWriter, paths: OutputPaths) -> int:
    """Write every polygon file that was asked for; return how many polygons there are."""
    change_map = ChangeMap(writer.mosaic(CODES), writer.mosaic("probability"), run.provenance, paths.map.stem)
    finished = {path: store.path(f"{number}-{path.name}") for number, path in enumerate(paths.polygons)}
    count = vectorize_map(change_map, finished)
    for path, target in finished.items():
        publish(target, path)
    return count


def make_report(
    run: Run, paths: OutputPaths, notices: list[str], table: ChangeTable, polygon_count: int | None
) -> RunReport:
    """Put what happened into one value."""
    grid, provenance = run.pair.grid, run.provenance
    return RunReport(
        before=provenance.before,
        after=provenance.after,
        outputs={name: str(path) for name, path in paths.named()},
        width=grid.width,
        height=grid.height,
        crs=grid.crs.to_string() if grid.crs is not None else None,
        pixel_size_m=pixel_size_m(grid),
        checkpoint=provenance.checkpoint,
        checkpoint_sha256=provenance.checkpoint_sha256,
        device=str(run.device.torch_device),
        options=dict(provenance.options),
        notices=tuple(notices),
        table=table,
        polygon_count=polygon_count,
        seconds=run.seconds,
        version=provenance.version,
    )
