"""Scores of a change map against references; `data_sets` scores checkpoints."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import rasterio

from lsafnet.checkpoint.info import ClassEntry
from lsafnet_cli.data_sets.labels import LabelRaster
from lsafnet_cli.data_sets.mapping import MappedRaster, read_mapping
from lsafnet_cli.data_sets.pair_labels import (
    BinaryLabels,
    DateLabels,
    PairLabels,
    TransitionLabels,
    looks_binary,
    looks_like_mask,
)
from lsafnet_cli.errors import NoOverlapError, OptionError, PairError
from lsafnet_cli.evaluation.change_probability import decision_of, score_layer
from lsafnet_cli.evaluation.counting import MapPart, PairCounts, count_map, fitting_unit
from lsafnet_cli.evaluation.options import EvaluateOptions
from lsafnet_cli.evaluation.report import MapEvaluation
from lsafnet_cli.evaluation.scoring import interval_notice, resample, score
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.sources import patience
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend, hex_color
from lsafnet_cli.maps.table import open_legend, read_legend, refuse_layer
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import KINDS_OF_DATE, KINDS_OF_ONE, KINDS_OF_TWO, DeviceOptions, KindOfLabels
from lsafnet_cli.scenes.align import window_within
from lsafnet_cli.system.devices import choose_device
from lsafnet_cli.system.heap import memory_errors

STAGE = "evaluate"
CHANGE_ALONE = Legend(("unchanged", "changed"), ((255, 255, 255), (227, 26, 28)), semantic=False)


def evaluate_map(
    change_map: str | Path,
    references: Sequence[str | Path],
    labels: str | None = None,
    options: EvaluateOptions | None = None,
    device: str = "auto",
    observer: Observer | None = None,
    mapping: str | None = None,
) -> MapEvaluation:
    """Score a change map against a reference raster of each date, or against one of transitions or of changes.

    References lie on any grid and hold the classes of the map's legend, by number or colour, or with a `mapping`
    those of another one (see `data_sets.mapping`). `labels` says what two hold: "land-cover" (the default: changed
    where they differ, 0 unknown) or "changes" (0 unchanged); and what one alone holds: "transitions" (codes) or
    "binary" (0 and 1, or 0 and 255; changed pixels are scored, not classes; the default where it looks so). Memory
    does not follow the map's size. Raises OptionError, InputError for files that cannot be read and classes that
    are none, NoOverlapError, and PairError where a reference has another legend.
    """
    options, notes = options or EvaluateOptions(), Observer(observer)
    paths = tuple(str(path) for path in references)
    kind = _kind_of(paths, labels, mapping)
    torch_device = choose_device(DeviceOptions(device)).torch_device
    with rasterio.Env(**patience()), memory_errors():
        legend, grid = open_legend(change_map)
        decision = decision_of(str(change_map))
        if kind == KindOfLabels.TRANSITIONS and labels is None and legend.semantic and looks_binary(paths[0]):
            notes.notice(f"{paths[0]} is a binary change map: changes are scored, not their classes")
            kind = KindOfLabels.BINARY
        if kind == KindOfLabels.BINARY:
            legend = CHANGE_ALONE
        reference = _reference_labels(paths, kind, legend, str(change_map), mapping)
        part = scored_part(str(change_map), grid, paths, options.unit_px, notes)
        tally = PairCounts.start(legend, options, torch_device)
        with watched(notes, STAGE, int(part.window.width) * int(part.window.height)):
            count_map(part, reference, tally, notes)
        probability = score_layer(str(change_map), part, reference, decision.get("threshold"))
    refuse_nothing(tally, str(change_map), paths)
    size = f"of {part.unit_px} pixels"
    tell(notes, interval_notice(tally, f"square {size}", f"squares {size}"))
    outside = grid.pixel_count - int(part.window.width) * int(part.window.height)
    return MapEvaluation(
        map=str(change_map),
        references=paths,
        labels=kind,
        classes=legend.names,
        resamples=options.resamples,
        seed=options.seed,
        notices=tuple(notes.notices),
        scores=score(tally, resample(tally), part.unit_px, outside),
        decision=decision,
        probability=probability,
    )


def _kind_of(references: tuple[str, ...], labels: str | None, mapping: str | None) -> str:
    """Return what references hold. Raises OptionError."""
    if labels is not None and labels not in list(KindOfLabels):
        raise OptionError(f"`labels` {labels}: choose from {', '.join(KindOfLabels)}")
    if len(references) not in (1, 2):
        raise OptionError(
            f"{len(references)} references: name one for each date, or one with transition codes"
        )
    if labels in KINDS_OF_DATE:
        raise OptionError(f"`labels` {labels}: scores land cover, not change; call evaluate_land_cover")
    kinds = KINDS_OF_ONE if len(references) == 1 else KINDS_OF_TWO
    if labels is not None and labels not in kinds:
        speaks_of = "one reference alone" if labels in KINDS_OF_ONE else "two references"
        raise OptionError(f"`labels` {labels}: needs {speaks_of}, not {len(references)}")
    if mapping is not None and kinds is KINDS_OF_ONE:
        raise OptionError(
            f"`mapping` {mapping}: needs two references with classes, one for each date, or one with `labels` "
            f"{' or '.join(KINDS_OF_DATE)}"
        )
    return str(labels or kinds[0])


def _reference_labels(
    paths: tuple[str, ...], kind: str, legend: Legend, change_map: str, mapping: str | None
) -> PairLabels:
    """Return what reads the references. Raises InputError and PairError."""
    if kind == KindOfLabels.BINARY:
        return BinaryLabels(paths[0])
    if mapping is not None:
        table = read_mapping(mapping, legend.names)
        changes = kind == KindOfLabels.CHANGES
        return DateLabels(MappedRaster(paths[0], table), MappedRaster(paths[1], table), changes)
    for path in paths:
        _check_legend(path, kind, legend, change_map)
    if kind == KindOfLabels.TRANSITIONS:
        return TransitionLabels(paths[0], len(legend.names))
    if kind == KindOfLabels.LAND_COVER and not legend.semantic:
        raise OptionError(
            f"{change_map}: knows changed and unchanged only; name one reference of these, or `labels` "
            f"{KindOfLabels.CHANGES}"
        )
    if all(map(looks_like_mask, paths)):
        raise OptionError(
            f"{' and '.join(paths)}: hold 0 and 255, changed or not, and no classes; name one of them as the only "
            f"reference, with `labels` {KindOfLabels.BINARY}"
        )
    entries = zip(legend.names, legend.colors, strict=True)
    classes = tuple(ClassEntry(name, hex_color(color)) for name, color in entries)
    changes = kind == KindOfLabels.CHANGES
    before, after = (LabelRaster(path, classes, zero_is_known=changes) for path in paths)
    return DateLabels(before, after, changes)


def _check_legend(path: str, kind: str, legend: Legend, change_map: str) -> None:
    """Raise PairError for a reference whose tags name other classes, InputError for a layer in place of a map."""
    with open_raster(path) as dataset:
        tags, description = dataset.tags(), dataset.descriptions[0]
    if LEGEND not in tags:
        return
    own = read_legend(Path(path), tags)
    if own.names != legend.names:
        raise PairError(
            f"{path}: has the classes {', '.join(own.names)}, and {change_map} has {', '.join(legend.names)}"
        )
    if kind == KindOfLabels.TRANSITIONS:
        refuse_layer(path, description, own)


def scored_part(
    path: str, grid: Grid, references: tuple[str, ...], unit_px: int, observer: Observer
) -> MapPart:
    """Return the window of a map that all references lie under. Raises NoOverlapError where there is none."""
    placed = {path: grid}
    for reference in references:
        with open_raster(reference) as dataset:
            own = grid_of(dataset)
        if grid.crs is None or (own.crs is None and own.transform.is_identity):
            continue  # met pixel by pixel, or refused when read
        if own.crs is None:
            observer.notice(f"{reference} has no CRS: its coordinates are assumed to be in that of the map")
            own = replace(own, crs=grid.crs)
        window_within(
            grid, {path: grid, reference: own}
        )  # so that an error names the one that lies elsewhere
        placed[reference] = own
    window = window_within(grid, placed)
    return MapPart(path, grid, window, unit_px=fitting_unit(window, unit_px))


def refuse_nothing(tally: PairCounts, what: str, references: tuple[str, ...]) -> None:
    """Raise NoOverlapError where not one pixel was counted."""
    if tally.counted_pixels == 0:
        raise NoOverlapError(
            f"{what}: no pixel with data has a known label in {' and '.join(references)} "
            f"({tally.nodata_pixels:,} have no data, {tally.unlabelled_pixels:,} no label)"
        )


def tell(observer: Observer, text: str | None) -> None:
    """Pass a notice on, where there is one."""
    if text is not None:
        observer.notice(text)
