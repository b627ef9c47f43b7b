"""From finished parts to finished files: polygons and pictures first, the map last."""

from lsafnet_cli.background import run_apart, run_beside
from lsafnet_cli.outputs import OutputPaths
from lsafnet_cli.run import Run
from lsafnet_cli.stages.align import pixel_size_m
from lsafnet_cli.stages.quicklook import draw_quicklook
from lsafnet_cli.stages.report import ChangeTable, RunReport, change_table
from lsafnet_cli.stages.vectorize import ChangeMap, vectorize_map
from lsafnet_cli.stages.write import CODES, MapWriter, PartStore, publish

POLYGONS_APART_PX = 1 << 24  # from here on polygonizing may take seconds in which no Ctrl-C would be heard


def write_outputs(run: Run, store: PartStore, paths: OutputPaths) -> tuple[ChangeTable, int | None]:
    """Make the finished files; return the map's table and how many polygons there are."""
    writer = MapWriter(store, run.layout, run.provenance)
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
            run_beside(writer.write_layer, layer, path)
    return table, polygon_count


def write_polygons(run: Run, store: PartStore, writer: MapWriter, paths: OutputPaths) -> int:
    """Write every polygon file that was asked for; return how many polygons there are."""
    change_map = ChangeMap(writer.mosaic(CODES), writer.mosaic("probability"), run.provenance, paths.map.stem)
    finished = {path: store.path(f"{number}-{path.name}") for number, path in enumerate(paths.polygons)}
    apart = run.pair.grid.pixel_count >= POLYGONS_APART_PX
    count: int = (run_apart if apart else run_beside)(vectorize_map, change_map, finished)
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
