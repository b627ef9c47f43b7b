"""Decide again: another map from stored layers, with another threshold, sieved, with classes merged or ignored.

Neither the images nor the network are needed.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import rasterio

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.outputs import OutputPaths, layer_path
from lsafnet_cli.files.provenance import (
    AFTER_DATE,
    BEFORE_DATE,
    Provenance,
    day_of,
    outside_of,
    reliability_of,
)
from lsafnet_cli.files.publishing import finish_naming, output_errors, publish
from lsafnet_cli.files.rasters import bounded_cache, work_profile
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.legend.regroup import Regrouping, regroup
from lsafnet_cli.maps.finding import headline
from lsafnet_cli.maps.table import ChangeTable, change_table, uniform_notices
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import OutputOptions, PolygonOptions, check_polygon_files
from lsafnet_cli.polygons.vectorization import open_change_map, polygon_notices, vectorizing
from lsafnet_cli.polygons.wishes import check_classes, refuse_without_place, wanted_codes
from lsafnet_cli.prediction.decided_map import DecidedMap, decided_codes
from lsafnet_cli.prediction.sieved import sieve_layers, write_class_layers
from lsafnet_cli.prediction.write import MapWriter, PartLayout, PartStore

DERIVED = ("from", "to", "probability")  # layers that a new map can have as well


@dataclass(frozen=True, slots=True)
class RedecideOptions:
    """Options of the new map. A threshold of None keeps which pixels have changed.

    sieve_px: connected components of fewer pixels go to their neighbours. ignored: transitions "from:to" that
    count as unchanged. merged: "a+b=c" merges the classes a and b to c; changes between them become
    unchanged.
    """

    threshold: float | None = None
    sieve_px: int = 0
    ignored: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise OptionError(f"`threshold` {self.threshold}: give a probability between 0 and 1")
        if self.sieve_px < 0:
            raise OptionError(f"`sieve_px` {self.sieve_px}: give 0 pixels or more")
        if not any((self.threshold, self.sieve_px, self.ignored, self.merged)):
            raise OptionError("nothing to decide: give `threshold`, `sieve_px`, `ignored` or `merged`")


@dataclass(frozen=True, slots=True)
class RedecideReport:
    """Result of `redecide_map`."""

    map: str
    outputs: dict[str, str]
    options: dict[str, Any]
    polygon_options: dict[str, Any]
    notices: tuple[str, ...]
    finding: str
    table: ChangeTable
    polygon_count: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


@bounded_cache()
def redecide_map(
    change_map: Path,
    output: Path,
    options: RedecideOptions,
    polygons: tuple[Path, ...] = (),
    polygon_options: PolygonOptions | None = None,
    *,
    also: tuple[str, ...] = (),
    overwrite: bool = False,
    observer: Observer | None = None,
) -> RedecideReport:
    """Write another map, and its polygons, from the layers beside a map. Raises a subclass of LsafnetError.

    `also`: layers of DERIVED to write beside the new map.
    """
    if strange := [name for name in also if name not in DERIVED]:
        raise OptionError(f"`also` {strange[0]}: decide writes {', '.join(DERIVED)} and polygons")
    notes = Observer(observer)
    check_polygon_files(polygon_options or PolygonOptions(), polygons)
    found = DecidedMap.open(change_map)
    check_derived(found, also)
    paths = OutputPaths.of(output, OutputOptions(polygons, also))
    others = [*paths.layers.values(), *polygons]
    finish_naming(output, others)
    paths.check((str(change_map),), overwrite)
    ignored = wanted_codes(found.legend, options.ignored, "ignored") if options.ignored else []
    regrouping = regroup(found.legend, options.merged, ignored)
    polygon_options = polygon_options or PolygonOptions()
    check_classes(regrouping.legend, polygon_options)  # a wrong class is told before the work
    refuse_without_place(polygons, found.grid)
    provenance = _provenance(found, regrouping.legend, options)
    store = PartStore(output)
    with store.used(others, notes.notice):
        with watched(notes, "decide", found.grid.pixel_count), output_errors(output):
            table, finished = _write(found, store, paths, options, regrouping, provenance)
        count = _draw(found, store, paths, polygon_options, notes) if polygons else None
        publish(store, [*polygons, *finished], overwrite)
    for text in uniform_notices(table):
        notes.notice(text)
    return RedecideReport(
        str(change_map), {name: str(path) for name, path in paths.named()}, dict(provenance.options),
        polygon_options.told() if polygons else {},
        tuple(notes.notices), headline(table, provenance.before_date, provenance.after_date), table, count,
    )  # fmt: skip


def _write(
    found: DecidedMap,
    store: PartStore,
    paths: OutputPaths,
    options: RedecideOptions,
    regrouping: Regrouping,
    provenance: Provenance,
) -> tuple[ChangeTable, list[Path]]:
    layout = PartLayout(found.grid, found.grid.height, ((0, found.grid.width),))
    writer = MapWriter(store, layout, provenance)
    whole = store.path(f"{CODES}.decided.tif")
    _write_codes(found, whole, options.threshold, regrouping)
    writer.take_whole(CODES, whole)
    if options.sieve_px:
        sieve_layers(store, writer, regrouping.legend, options.sieve_px, paths.layers)
    else:
        write_class_layers(store, writer, regrouping.legend, paths.layers)
    if "probability" in paths.layers:
        copy = store.path("probability.whole.tif")
        copyfile(found.layer("probability"), copy)
        writer.take_whole("probability", copy)
    finished: list[Path] = []
    for layer, path in (*paths.layers.items(), (CODES, paths.map)):
        finished += writer.write_layer(layer, path)
    return change_table(store.path(paths.map.name), regrouping.legend), finished


def check_derived(found: DecidedMap, also: tuple[str, ...]) -> None:
    """Raise OptionError for classes of a map that has none, InputError if the probability is missing."""
    if not found.legend.semantic and (classes := [name for name in also if name != "probability"]):
        raise OptionError(f"`also` {classes[0]}: {found.path} tells changed from unchanged only")
    if "probability" in also:
        found.layer("probability")


def _write_codes(found: DecidedMap, target: Path, threshold: float | None, regrouping: Regrouping) -> None:
    grid, legend = found.grid, regrouping.legend
    with rasterio.open(target, "w", **work_profile(grid, legend.dtype, legend.nodata)) as dataset:
        for window, codes in decided_codes(found, threshold):
            dataset.write(regrouping.new_code[codes].astype(legend.dtype), 1, window=window)


def _provenance(found: DecidedMap, legend: Legend, options: RedecideOptions) -> Provenance:
    """Return the tags of the new map: those of the old one, with the new decisions."""
    tags, told = found.tags, found.options
    decided = {name: value for name, value in asdict(options).items() if value}
    if "threshold" in decided:
        told = told | {"threshold": decided["threshold"]}
    return Provenance(
        legend=legend,
        version=tags.get("LSAFNET_VERSION", "unknown"),
        checkpoint=tags.get("LSAFNET_CHECKPOINT", "unknown"),
        checkpoint_sha256=tags.get("LSAFNET_CHECKPOINT_SHA256", "unknown"),
        before=tags.get("LSAFNET_BEFORE", ""),
        after=tags.get("LSAFNET_AFTER", ""),
        before_date=day_of(tags.get(BEFORE_DATE)),
        after_date=day_of(tags.get(AFTER_DATE)),
        options=told | {"decided_from": found.path.name, **decided},
        outside=outside_of(tags),
        reliability=reliability_of(tags),
    )


def _draw(
    found: DecidedMap, store: PartStore, paths: OutputPaths, options: PolygonOptions, notes: Observer
) -> int:
    """Draw the polygons of the new map in the work folder, to be published with it; return their number."""
    probability = layer_path(found.path, "probability")
    known = probability if probability.exists() else None
    change_map, grid = open_change_map(store.path(paths.map.name), known, options)
    for text in polygon_notices(found.path, known, options):
        notes.notice(text)
    targets = [store.path(path.name) for path in paths.polygons]
    with (
        watched(notes, "vectorize", grid.pixel_count),
        vectorizing(change_map, targets, options, grid.pixel_count) as wait,
    ):
        count = wait()
        notes.advance(grid.pixel_count)
    return count
