"""Plan of a run: all that is determined before the first pixel is computed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.provenance import Provenance
from lsafnet_cli.files.sources import is_remote, same_image
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.observer import LOG, Observer
from lsafnet_cli.options import LAYERS, GridOptions, PredictOptions, ReadOptions, TileOptions
from lsafnet_cli.polygons.files import refuse_without_place
from lsafnet_cli.polygons.wishes import check_classes
from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.home import pair_reasons
from lsafnet_cli.prediction.memory import MemoryPlan, plan_memory
from lsafnet_cli.prediction.region import Region
from lsafnet_cli.prediction.tile import Swath, TilePlan, cut_swaths, overlap_of, plan_tiles
from lsafnet_cli.prediction.tile_rows import Limits
from lsafnet_cli.prediction.write import PartLayout
from lsafnet_cli.scenes.align import AlignedPair, align_pair
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.doubts import doubt_notices
from lsafnet_cli.scenes.home import outside_words
from lsafnet_cli.scenes.limits import limits_for
from lsafnet_cli.scenes.masks import PlacedMask, cloud_mask, exclusion
from lsafnet_cli.scenes.notices import (
    TOLERABLE_SHIFT_PX,
    area_notices,
    band_notices,
    date_notices,
    grid_notices,
    named_date_notices,
    outline_notices,
    range_notices,
    stretch_notices,
)
from lsafnet_cli.scenes.outline import place_outlines, wished_outlines
from lsafnet_cli.scenes.read import ScenePair
from lsafnet_cli.scenes.registration import (
    LEAST_WINDOWS,
    Registration,
    coregistered,
    looks_alike,
    register_pair,
)
from lsafnet_cli.scenes.stamps import file_stamp, scene_stamp
from lsafnet_cli.scenes.stretch import Stretch, sample_scene, scene_stretch
from lsafnet_cli.system.devices import Device, choose_device, free_device_bytes

LEAST_GAIN = 0.05  # minimum gain of the dates' correlation for an automatic correction: patterns may repeat
CUT = "the way the scene is cut"
# (rows, cols) by which the after image was off, or with an image of the grid each date, as JSON has it
ShiftPx = list[Any] | None


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

    def _mask_files(self) -> list[str]:
        return [mask.mask.path for image in (self.pair.before, self.pair.after) for mask in image.masks]

    def fingerprint(self) -> dict[str, Any]:
        """Return all that determines the parts of this run, by names for users."""
        area = self.region.area
        return {
            "the version of lsafnet": self.provenance.version,
            "the before image": scene_stamp(self.pair.before.scene),
            "the after image": scene_stamp(self.pair.after.scene),
            "the area of interest": area and area.sha256,
            "a mask": [file_stamp(name) for name in self._mask_files()],
            "the image of the grid": self.options.grid.image and file_stamp(self.options.grid.image),
            "the checkpoint": self.provenance.checkpoint_sha256,
            "an option": self.provenance.options,
            "the choice of outputs": self.decision.layers,
            CUT: [self.layout.rows_px, self.layout.swath_cols],
        }


def masked_pair(pair: AlignedPair, options: ReadOptions, observer: Observer) -> AlignedPair:
    """Return a pair with the requested masks; report the share of its area masked by each cause."""
    wishes = options.cloud_masks * (2 if len(options.cloud_masks) == 1 else 1)
    images = []
    for name, image, wish in zip(
        ("before", "after"), (pair.before, pair.after), wishes or (None, None), strict=True
    ):
        masks = []
        if wish is not None:
            masks.append((f"{name}: ", PlacedMask(cloud_mask(str(wish), image.scene.path), pair.grid)))
        if name == "before" and options.exclude is not None:
            found = exclusion(str(options.exclude), options.exclude_values, pair.grid)
            if found is None:
                observer.notice(
                    f"`exclude` {options.exclude}: does not overlap the images, so nothing is masked"
                )
            else:
                masks.append(("", PlacedMask(found, pair.grid)))
        for date, mask in masks:
            for cause, share in mask.shares().items():
                if share:
                    observer.notice(f"{date}{cause} are masked, {share:.1%} of the area, by {mask.mask.path}")
        images.append(replace(image, masks=tuple(mask for _, mask in masks)))
    return replace(pair, before=images[0], after=images[1])


def prepare_run(
    pair: ScenePair, checkpoint: NamedCheckpoint, options: PredictOptions, observer: Observer
) -> RunPlan:
    """Align the pair, plan its tiles, determine its stretch; report notices."""
    check_classes(checkpoint.legend, options.polygons)  # a wrong class name is reported before the work
    check_layers(checkpoint, options.output.also)
    pair, aligned, shift_px = place_pair(pair, options.grid, options.read.aoi, observer)
    refuse_without_place(tuple(map(Path, options.output.polygons)), aligned.grid)
    aligned = masked_pair(aligned, options.read, observer)
    info = checkpoint.info
    before, after = (
        scene_stretch(scene, options.read.stretch, info.value_range) for scene in (pair.before, pair.after)
    )
    notices = (
        grid_notices(pair, aligned, options.grid),
        stretch_notices(pair, (before, after)),
        date_notices(pair),
        named_date_notices(pair),
        band_notices(pair, options.read.bands is not None),
        outline_notices(aligned.grid, options.output.also),
        *(
            chain(
                () if is_remote(scene.path) else doubt_notices(scene),  # they are mainly rows of tiles
                range_notices(scene, stretch, info.value_range, partial(sample_scene, scene)),
            )
            for scene, stretch in ((pair.before, before), (pair.after, after))
        ),
    )
    for text in chain(*notices):
        observer.notice(text)
    area = find_area(options, aligned.grid, observer)
    check_overlap(options.tile.size_px or checkpoint.tile_px, options.tile)
    region = Region.of(aligned, plan_tiles(aligned.grid, checkpoint.tile_px, options.tile), area)
    threshold = checkpoint.threshold if options.threshold is None else options.threshold
    decision = Decision(checkpoint.legend, threshold, layers_to_compute(options), options.same_class)
    device = choose_device(options.device)
    outside = pair_reasons(
        region.pair, region.plan, checkpoint, (before, after), device, options.read.bands is not None
    )
    if outside:
        observer.notice(outside_words(outside))
    LOG.debug(
        "%s; %d tiles of %d pixels on %s", device, len(region.plan), region.plan.size, aligned.grid.shape
    )
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
            aligned, checkpoint, options, decision, device, (before, after), shift_px, outside
        ),
    )


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


def place_pair(
    pair: ScenePair, options: GridOptions, aoi: str | Path | None, observer: Observer
) -> tuple[ScenePair, AlignedPair, ShiftPx]:
    """Return the pair on one grid with the shift between its dates corrected if requested, and that shift.

    With a reference each date's shift against it is corrected instead, so that pairs of one series agree.
    """
    if pair.reference is None:
        pair, aligned, moved = _without_shift(pair, options, aoi, observer)
        return pair, aligned, _in_pixels(moved)
    against, shifts = replace(options, owner="before", image=None), []
    scenes = []
    for scene in (pair.before, pair.after):
        moved = None
        if not same_image(scene.path, pair.reference.path):
            found, _, moved = _without_shift(ScenePair(pair.reference, scene), against, aoi, observer)
            scene = found.after
        scenes.append(scene)
        shifts.append(_in_pixels(moved))
    pair = replace(pair, before=scenes[0], after=scenes[1])
    return pair, align_pair(pair, options), shifts if any(shifts) else None


def _in_pixels(moved: Registration | None) -> list[float | None] | None:
    return None if moved is None else [moved.rows_px, moved.cols_px]


def _without_shift(
    pair: ScenePair, options: GridOptions, aoi: str | Path | None, observer: Observer
) -> tuple[ScenePair, AlignedPair, Registration | None]:
    """Return a pair on one grid with the shift between its images corrected if requested, and that shift.

    "auto" corrects a shift that is significant, above TOLERABLE_SHIFT_PX and increases the correlation of the dates;
    images that are not georeferenced are not moved.
    """
    aligned = align_pair(pair, options)
    automatic = options.coregister == "auto"
    if options.coregister == "off" or (automatic and not pair.georeferenced):
        return pair, aligned, None
    outlines = wished_outlines(aoi, options.bounds, aligned.grid)
    area = place_outlines(outlines, aligned.grid) if outlines else None  # nothing else is read
    observer.wait("measuring the shift between the dates")
    found = register_pair(aligned, area)
    if not found.clear or (automatic and not _is_sure(aligned, found, area)):
        if not automatic:
            observer.notice(
                "`coregister`: no shift between the dates can be measured; the images are not moved"
            )
        return pair, aligned, None
    observer.notice(
        f"`coregister`: the shift between the dates is corrected by {found.rows_px:+.2f} rows, "
        f"{found.cols_px:+.2f} cols (spread {found.spread_px:.2f} pixels, {found.windows} of {found.tried} windows)"
    )
    pair = coregistered(pair, aligned, found, options.owner)
    return pair, align_pair(pair, options), found


def _is_sure(pair: AlignedPair, found: Registration, area: AreaOfInterest | None) -> bool:
    """Return whether a measured shift is large enough to matter, and real."""
    if (found.distance_px or 0) <= TOLERABLE_SHIFT_PX or found.windows < LEAST_WINDOWS:
        return False
    assert found.rows_px is not None
    assert found.cols_px is not None
    moved = looks_alike(pair, round(found.rows_px), round(found.cols_px), area)
    return moved - looks_alike(pair, 0, 0, area) > LEAST_GAIN


def find_area(options: PredictOptions, grid: Grid, observer: Observer) -> AreaOfInterest | None:
    """Return the area of interest on a grid, None if there is none; report notices."""
    outlines = wished_outlines(options.read.aoi, options.grid.bounds, grid)
    if not outlines:
        return None
    area = place_outlines(outlines, grid)
    for text in area_notices(outlines, area, grid):
        observer.notice(text)
    return area


def describe_run(
    pair: AlignedPair,
    checkpoint: NamedCheckpoint,
    options: PredictOptions,
    decision: Decision,
    device: Device,
    stretches: tuple[Stretch | None, Stretch | None],
    shift_px: ShiftPx,
    outside: tuple[str, ...],
) -> Provenance:
    """Return the provenance of the map; the options are those that determine its pixels."""
    before, after = pair.before.scene, pair.after.scene
    stretch = dict(zip(("before", "after"), (s and asdict(s) for s in stretches), strict=True))
    size = options.tile.size_px or checkpoint.tile_px
    return Provenance(
        legend=checkpoint.legend,
        version=version("lsafnet"),
        checkpoint=checkpoint.names,
        checkpoint_sha256=checkpoint.fingerprints,
        before=before.path,
        after=after.path,
        before_date=options.polygons.before_date or before.day,
        after_date=options.polygons.after_date or after.day,
        options={
            "threshold": decision.threshold,
            "same_class": decision.same_class,
            "sieve_px": options.sieve_px,
            "tile_px": size,
            "overlap_px": overlap_of(size, options.tile),
            "blend": options.tile.blend,
            **({"nodata": list(options.read.nodata)} if options.read.nodata else {}),
            "bands": list(before.bands),
            "bands_after": list(after.bands),
            **({"bands_asked": list(options.read.bands)} if options.read.bands else {}),
            "grid": options.grid.image or options.grid.owner,
            "resolution_m": options.grid.resolution_m,
            "shift_px": shift_px,
            "stretch": stretch,
            "stretch_rule": str(options.read.stretch),
            "coregister": options.grid.coregister,
            **_dated_by(options, pair),
            "precision": device.precision,
            "tta": options.tta,
            **{
                name: value
                for name, value in {
                    "dst_crs": options.grid.dst_crs,
                    "bounds": options.grid.bounds and list(options.grid.bounds),
                    "aoi": options.read.aoi,
                    "exclude": options.read.exclude,
                    "exclude_values": options.read.exclude_values,
                    "cloud_masks": options.read.cloud_masks,
                }.items()
                if value
            },
        },
        outside=outside,
        reliability=checkpoint.reliability,
    )


def _dated_by(options: PredictOptions, pair: AlignedPair) -> dict[str, dict[str, str]]:
    """Return the source of each known date, years included; {} if none is known."""
    given = {"before": options.polygons.before_date, "after": options.polygons.after_date}
    found = {"before": pair.before.scene.acquired, "after": pair.after.scene.acquired}
    told = {
        name: f"{acquired.source}: {acquired.text}" if acquired is not None and not given[name] else "option"
        for name, acquired in found.items()
        if given[name] or acquired is not None
    }
    return {"dated_by": told} if told else {}


def layers_to_compute(options: PredictOptions) -> tuple[str, ...]:
    """Return the layers to compute besides codes: polygons need the probability for their confidence."""
    wanted = set(options.output.layers) | ({"probability"} if options.output.polygons else set())
    return tuple(layer for layer in LAYERS if layer in wanted)
