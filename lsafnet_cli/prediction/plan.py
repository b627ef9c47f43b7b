"""Plan of a run: all that is determined before the first pixel is computed."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.provenance import Provenance, outside_of
from lsafnet_cli.files.sources import is_remote
from lsafnet_cli.observer import LOG, Observer
from lsafnet_cli.options import PredictOptions, TileOptions
from lsafnet_cli.polygons.wishes import check_classes, refuse_without_place
from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.describe import describe_run
from lsafnet_cli.prediction.finished import FinishedMap, layers_behind
from lsafnet_cli.prediction.home import pair_reasons
from lsafnet_cli.prediction.input_scale import network_px, scale_notice, tiles_seen
from lsafnet_cli.prediction.inputs import input_stamps
from lsafnet_cli.prediction.memory import MemoryPlan, plan_memory
from lsafnet_cli.prediction.placing import find_area, masked_pair, place_pair
from lsafnet_cli.prediction.region import Region
from lsafnet_cli.prediction.tile import Swath, TilePlan, cut_swaths, overlap_of, plan_tiles
from lsafnet_cli.prediction.tile_rows import Limits
from lsafnet_cli.prediction.write import PartLayout
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.doubts import doubt_notices
from lsafnet_cli.scenes.home import outside_words
from lsafnet_cli.scenes.limits import limits_for
from lsafnet_cli.scenes.notices import (
    band_notices,
    date_notices,
    grid_notices,
    named_date_notices,
    outline_notices,
    range_notices,
    stretch_notices,
)
from lsafnet_cli.scenes.read import ScenePair
from lsafnet_cli.scenes.stretch import Stretch, sample_scene, scene_stretch
from lsafnet_cli.system.devices import Device, choose_device, free_device_bytes

CUT = "the way the scene is cut"


@dataclass(frozen=True)
class RunPlan:
    """One scene pair, aligned, planned, and ready to compute."""

    region: Region
    checkpoint: NamedCheckpoint
    decision: Decision
    device: Device
    memory: MemoryPlan
    stretches: tuple[Stretch | None, Stretch | None]
    options: PredictOptions
    provenance: Provenance
    stamps: Mapping[str, Any]  # of its inputs
    scales: tuple[float, ...]  # by which each network sees the images enlarged
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pair(self) -> AlignedPair:
        """The pair over all computed tiles, which may extend beyond the map."""
        return self.region.pair

    @property
    def plan(self) -> TilePlan:
        """The tiles of what is computed."""
        return self.region.plan

    @property
    def network_px(self) -> int:
        """The side of a tile in pixels as the network sees it, the largest of an ensemble's."""
        return max(network_px(self.plan.size, scale) for scale in self.scales)

    @property
    def mapped(self) -> AlignedPair:
        """The pair over the map."""
        return self.pair.cut(self.region.kept)

    @property
    def swaths(self) -> list[Swath]:
        """The swaths of the scene, each owning columns of the map."""
        first, width = int(self.region.kept.col_off), int(self.region.kept.width)
        swaths = [
            replace(swath, owned=(max(swath.owned[0], first), min(swath.owned[1], first + width)))
            for swath in cut_swaths(self.plan, self.memory.widest_px)
        ]
        return [swath for swath in swaths if swath.owned[0] < swath.owned[1]]

    @property
    def limits(self) -> Limits:
        """Limits for the values of each date without a stretch."""
        value_range = self.checkpoint.info.value_range
        before, after = (
            limits_for(image.scene.dtype, value_range) if stretch is None else None
            for image, stretch in zip((self.pair.before, self.pair.after), self.stretches, strict=True)
        )
        return before, after

    @property
    def layout(self) -> PartLayout:
        """How the scene is divided into parts."""
        owned = tuple(swath.owned for swath in self.swaths)
        corner = int(self.region.kept.row_off), int(self.region.kept.col_off)
        return PartLayout(self.mapped.grid, self.options.tile.row_band_px, owned, corner, self.region.area)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record the seconds that a stage takes."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        LOG.debug("%s took %.3f s", stage, self.seconds[stage])

    def fingerprint(self) -> dict[str, Any]:
        """Return all that determines the parts of this run, by names for users."""
        return {
            "the version of lsafnet": self.provenance.version,
            **self.stamps,
            "the checkpoint": self.provenance.checkpoint_sha256,
            "an option": self.provenance.options,
            "the choice of outputs": self.decision.layers,
            CUT: [self.layout.rows_px, self.layout.swath_cols],
        }


def prepare_run(
    pair: ScenePair, checkpoint: NamedCheckpoint, options: PredictOptions, observer: Observer,
    found: FinishedMap | None = None,
) -> RunPlan:  # fmt: skip
    """Align the pair, plan its tiles, determine its stretch; report notices.

    If outputs are added to a map that was `found`, its tags say whether the pair is within the checkpoint's domain.
    """
    check_classes(checkpoint.legend, options.polygons)  # a wrong class name is reported before the work
    check_layers(checkpoint, options.output.also)
    pair, aligned, shift_px = place_pair(pair, options.grid, options.read.aoi, observer)
    refuse_without_place(tuple(map(Path, options.output.polygons)), aligned.grid)
    aligned = masked_pair(aligned, options.read, observer)
    info = checkpoint.info
    before, after = (
        scene_stretch(scene, options.read.stretch, info.value_range) for scene in (pair.before, pair.after)
    )
    for text in _notices(pair, aligned, checkpoint, (before, after), options):
        observer.notice(text)
    area = find_area(options, aligned.grid, observer)
    tile_px, scales = tiles_seen(aligned.grid, checkpoint, options.tile)
    if options.tile.scale is None and (words := scale_notice(aligned.grid, scales)) is not None:
        observer.notice(words)
    check_overlap(tile_px, options.tile)
    region = Region.of(aligned, plan_tiles(aligned.grid, tile_px, options.tile), area)
    threshold = checkpoint.threshold if options.threshold is None else options.threshold
    layers = layers_to_compute(options) if found is None else found.layers_to_compute()
    decision = Decision(checkpoint.legend, threshold, layers, options.same_class)
    device = choose_device(options.device)
    outside = (
        pair_reasons(
            region.pair,
            region.plan,
            checkpoint,
            (before, after),
            device,
            options.read.bands is not None,
            scales[0],
        )
        if found is None
        else outside_of(found.tags) or ()
    )
    if outside:
        observer.notice(outside_words(outside))
    LOG.debug(
        "%s; %d tiles of %d pixels on %s", device, len(region.plan), region.plan.size, aligned.grid.shape
    )
    stamps = input_stamps(region.pair, area, options.grid)
    return RunPlan(
        region=region,
        checkpoint=checkpoint,
        decision=decision,
        device=device,
        memory=plan_memory(
            region.pair, region.plan, decision, options.device.memory_bytes, free_device_bytes(device)
        ),
        stretches=(before, after),
        options=options,
        provenance=describe_run(
            aligned,
            checkpoint,
            options,
            decision,
            device,
            (before, after),
            shift_px,
            outside,
            stamps,
            (tile_px, scales),
        ),
        stamps=stamps,
        scales=scales,
    )


def _notices(
    pair: ScenePair,
    aligned: AlignedPair,
    checkpoint: NamedCheckpoint,
    stretches: tuple[Stretch | None, Stretch | None],
    options: PredictOptions,
) -> Iterator[str]:
    """Yield what users should know of their images before the run."""
    yield from grid_notices(pair, aligned, options.grid)
    yield from stretch_notices(pair, stretches)
    yield from date_notices(pair)
    yield from named_date_notices(pair)
    yield from band_notices(pair, options.read.bands is not None)
    yield from outline_notices(aligned.grid, options.output.also)
    for scene, stretch in zip((pair.before, pair.after), stretches, strict=True):
        if not is_remote(scene.path):  # where doubts would mainly be rows of tiles
            yield from doubt_notices(scene)
        yield from range_notices(scene, stretch, checkpoint.info.value_range, partial(sample_scene, scene))


def check_overlap(size: int, options: TileOptions) -> None:
    """Raise OptionError for an overlap of more than half a tile."""
    if overlap_of(size, options) > size // 2:
        raise OptionError(
            f"`overlap_px` {options.overlap_px}: tiles of {size} pixels overlap by at most half, {size // 2} pixels"
        )


def check_layers(checkpoint: NamedCheckpoint, also: tuple[str, ...]) -> None:
    """Raise OptionError for land-cover layers of a binary network."""
    missing = [layer for layer in ("from", "to", "before", "after") if layer in also]
    if missing and not checkpoint.legend.semantic:
        raise OptionError(
            f"`also` {','.join(missing)}: {checkpoint.name} is a binary change network "
            "and has no land cover; remove them"
        )


def layers_to_compute(options: PredictOptions) -> tuple[str, ...]:
    """Return the layers to compute besides codes: polygons need the probability for their confidence."""
    return layers_behind(options.output.layers, bool(options.output.polygons))
