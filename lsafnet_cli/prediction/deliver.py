"""Finished files from finished parts: polygons and pictures first, the map last."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.errors import OutputError
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.files.publishing import output_errors
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.maps.finding import headline
from lsafnet_cli.maps.quicklook import draw_quicklook
from lsafnet_cli.maps.table import ChangeTable, change_table
from lsafnet_cli.prediction.finished import LEAST_AGREEMENT, FinishedMap, agreement
from lsafnet_cli.prediction.plan import RunPlan
from lsafnet_cli.prediction.report import DomainVerdict, RunReport
from lsafnet_cli.prediction.sieved import sieve_layers, write_class_layers
from lsafnet_cli.prediction.write import MapWriter, PartStore
from lsafnet_cli.system.beside import run_beside


@dataclass(frozen=True, slots=True)
class Delivered:
    """The final names of the finished files, in order, and their contents.

    `unanswered` counts valid pixels for which the network gave no finite value.
    """

    finished: tuple[Path, ...]
    table: ChangeTable
    polygon_count: int | None
    unanswered: int


def write_outputs(
    run: RunPlan, store: PartStore, paths: OutputPaths, found: FinishedMap | None = None
) -> Delivered:
    """Write the finished files in the work folder; return their contents.

    The table is counted from the finished map, which so is verified to be readable before it is published. If outputs
    are added to a map that was `found`, only these are written. Raises OutputError.
    """
    with output_errors(paths.map):
        return _write_outputs(run, store, paths, found)


def _write_outputs(
    run: RunPlan, store: PartStore, every: OutputPaths, found: FinishedMap | None
) -> Delivered:
    writer = MapWriter(store, run.layout, run.provenance, run.options.output.creation_options)
    computed = found is None or bool(run.decision.layers)
    unanswered = writer.unanswered_pixels() if computed else 0
    if run.options.sieve_px and computed:
        with run.timed("sieve"):
            sieve_layers(store, writer, run.decision.legend, run.options.sieve_px, run.decision.layers)
    paths, change_map = every, store.path(every.map.name)
    if found is not None:
        paths, change_map = found.new, found.path
        take_finished(found, run, store, writer)
    layers = [*paths.layers.items(), *([(CODES, paths.map)] if found is None else [])]
    finished: list[Path] = []
    with drawing_polygons(run, store, writer, paths) as polygons:
        with run.timed("write"):
            for layer, path in layers:
                finished += run_beside(writer.write_layer, layer, path)
            table = change_table(change_map, run.decision.legend)
        polygon_count = None
        if polygons is not None:
            with run.timed("polygons"):  # their time beyond that of the map
                polygon_count = polygons()
    if paths.quicklook:
        picture = store.path(paths.quicklook.name)
        draw_quicklook(picture, run.mapped, change_map, run.provenance, table)
        finished.insert(0, paths.quicklook)
    if paths.page:
        probability = None
        if found is not None and "probability" in found.stored:
            probability = found.stored["probability"]
        elif "probability" in paths.layers:
            probability = store.path(paths.layers["probability"].name)
        write_page(run, store.path(paths.page.name), change_map, probability, table)
        finished.insert(0, paths.page)
    if paths.stac:
        from lsafnet_cli.maps.stac import (
            stac_text,  # here, since its library is slow to import and rarely needed
        )

        text = stac_text(every, run.mapped.grid, run.provenance, table)
        store.path(paths.stac.name).write_text(text, encoding="utf-8")
        finished.append(paths.stac)  # after the files that it lists
    return Delivered(tuple(finished), table, polygon_count, unanswered)


def take_finished(found: FinishedMap, run: RunPlan, store: PartStore, writer: MapWriter) -> None:
    """Take the codes of a finished map, and the layers stored beside it, instead of parts.

    Raises OutputError if the network has run and its map is another one.
    """
    if run.decision.layers and (share := agreement(writer.mosaic(CODES), found.path)) < LEAST_AGREEMENT:
        raise OutputError(
            f"{found.path}: the network now gives other codes in {1 - share:.2%} of the pixels, so nothing is added; "
            "add `overwrite` to make the map anew"
        )
    for layer, path in {**found.stored, CODES: found.path}.items():
        writer.take_finished(layer, path)
    write_class_layers(store, writer, run.decision.legend, found.new.layers)


def write_page(
    run: RunPlan, page: Path, change_map: Path, probability: Path | None, table: ChangeTable
) -> None:
    """Write the report page of a finished map before it is published."""
    from lsafnet_cli.report_page import page as pages  # here, since it is rarely needed
    from lsafnet_cli.report_page.content import PageContent

    content = PageContent.of_map(
        str(change_map),
        table,
        (run.mapped.before, run.mapped.after),
        str(probability) if probability else None,
    )
    pages.write_page(page, content, change_map.name, pages.PageOptions())


def drawing_polygons(
    run: RunPlan, store: PartStore, writer: MapWriter, paths: OutputPaths
) -> AbstractContextManager[Callable[[], int] | None]:
    """Start all requested polygon files; yield a call that waits for the number of polygons, None if none
    were requested.

    Polygons are vectorized from the parts while the map is written.
    """
    if not paths.polygons:
        return nullcontext()
    from lsafnet_cli.polygons.vectorization import vectorizing  # here, since its libraries are slow to import
    from lsafnet_cli.polygons.vectorize import ChangeMap

    provenance = run.provenance
    change_map = ChangeMap(
        codes=writer.mosaic(CODES),
        probability=writer.mosaic("probability"),
        legend=provenance.legend,
        before_date=provenance.before_date,
        after_date=provenance.after_date,
        scene=run.options.output.scene or paths.map.stem,
    )
    targets = [store.path(path.name) for path in paths.polygons]
    return vectorizing(change_map, targets, run.options.polygons, run.pair.grid.pixel_count)


def make_report(
    run: RunPlan, paths: OutputPaths, notices: list[str], table: ChangeTable, polygon_count: int | None
) -> RunReport:
    """Return the report of a run."""
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
        polygon_options=run.options.polygons.told() if paths.polygons else {},
        notices=tuple(notices),
        domain=DomainVerdict(not provenance.outside, provenance.outside or ()),
        finding=headline(table, provenance.before_date, provenance.after_date),
        table=table,
        polygon_count=polygon_count,
        seconds=run.seconds,
        version=provenance.version,
    )
