"""From finished parts to finished files: polygons and pictures first, the map last."""

from pathlib import Path

from lsafnet_cli.background import run_apart, run_beside
from lsafnet_cli.outputs import OutputPaths
from lsafnet_cli.run import Run
from lsafnet_cli.stages.align import pixel_size_m
from lsafnet_cli.stages.quicklook import draw_quicklook
from lsafnet_cli.stages.report import ChangeTable, RunReport, change_table
from lsafnet_cli.stages.vectorize import ChangeMap, vectorize_map
from lsafnet_cli.stages.write import CODES, MapWriter, PartStore, output_errors, publish

POLYGONS_APART_PX = 1 << 24  # from here on polygonizing may take seconds in which no Ctrl-C would be heard


def write_outputs(run: Run, store: PartStore, paths: OutputPaths) -> tuple[ChangeTable, int | None]:
    """Make the finished files, then give them their names; return the map's table and how many polygons there are.

    The table is counted from the finished map, which so has been read to its last pixel before it is named.
    Raises OutputError.
    """
    with output_errors(paths.map):
        return _write_outputs(run, store, paths)


def _write_outputs(run: Run, store: PartStore, paths: OutputPaths) -> tuple[ChangeTable, int | None]:
    writer = MapWriter(store, run.layout, run.provenance)
    finished: list[Path] = []
    with run.timed("write"):
        for layer, path in (*paths.layers.items(), (CODES, paths.map)):
            finished += run_beside(writer.write_layer, layer, path)
        table = change_table(store.path(paths.map.name), run.decision.legend)
    polygon_count = None
    if paths.polygons:
        with run.timed("polygons"):
            polygon_count = write_polygons(run, store, writer, paths)
    if paths.quicklook:
        picture = store.path(paths.quicklook.name)
        draw_quicklook(picture, run.mapped, store.path(paths.map.name), run.decision.legend, table)
        finished.insert(0, paths.quicklook)
    publish(store, (*paths.polygons, *finished))
    return table, polygon_count


def write_polygons(run: Run, store: PartStore, writer: MapWriter, paths: OutputPaths) -> int:
    """Write every polygon file that was asked for; return how many polygons there are."""
    change_map = ChangeMap(writer.mosaic(CODES), writer.mosaic("probability"), run.provenance, paths.map.stem)
    targets = [store.path(path.name) for path in paths.polygons]
    apart = run.pair.grid.pixel_count >= POLYGONS_APART_PX
    count: int = (run_apart if apart else run_beside)(vectorize_map, change_map, targets)
    return count


def make_report(
    run: Run, paths: OutputPaths, notices: list[str], table: ChangeTable, polygon_count: int | None
) -> RunReport:
    """Put what happened into one value."""
    grid, provenance = run.mapped.grid, run.provenance
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
