"""The intervals of a series: a map for each pair of consecutive dates, made as a batch that can be resumed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lsafnet.registry import network_spec
from lsafnet_cli.batch.driver import run_batch
from lsafnet_cli.batch.options import BatchOptions, scene_fingerprint, scene_options
from lsafnet_cli.batch.plan import BatchPlan, plan_batch
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.checkpoints.choose import chosen_checkpoint, read_info
from lsafnet_cli.errors import SeriesError
from lsafnet_cli.files.fingerprints import Fingerprint
from lsafnet_cli.files.outputs import layer_path
from lsafnet_cli.observer import Observer
from lsafnet_cli.series.dates import DatedImage
from lsafnet_cli.series.options import FIRST, LAST, SeriesOptions

MAPS = "maps"  # the folder of the maps, a batch's


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two consecutive images, and the map of what changed in it."""

    earlier: DatedImage
    later: DatedImage
    map: Path

    @property
    def name(self) -> str:
        """Both dates, as people read them."""
        return f"{self.earlier.date.text} to {self.later.date.text}"

    def layer(self, name: str) -> Path | None:
        """Return a layer beside the map, None where it was not kept."""
        path = layer_path(self.map, name)
        return path if path.exists() else None


@dataclass(frozen=True, slots=True)
class IntervalPlan:
    """The batch of a series' maps: what it is told, and what it would do."""

    intervals: tuple[Interval, ...]
    specs: tuple[SceneSpec, ...]
    folder: Path
    options: BatchOptions
    batch: BatchPlan

    def fingerprint(self) -> dict[str, Fingerprint]:
        """Return what decides the pixels of each map."""
        return {spec.name: self._of_scene(spec) for spec in self.specs}

    def _of_scene(self, spec: SceneSpec) -> Fingerprint:
        options = scene_options(spec, self.folder, self.options)
        return scene_fingerprint(spec, self.folder, options, self.batch.sha256)

    def make(self, observer: Observer) -> None:
        """Make the maps that are missing. Raises SeriesError where one cannot be made; the others are kept."""
        report = run_batch(self.specs, self.folder, self.options, observer, self.batch)
        if report.failures:
            first = report.failures[0]
            raise SeriesError(
                f"{len(report.failures)} of {len(self.specs)} maps failed, {first.name}: {first.error}; "
                "the others are kept"
            )


def plan_intervals(dated: Sequence[DatedImage], folder: Path, options: SeriesOptions) -> IntervalPlan:
    """Plan the maps of a series; nothing is written. Raises a subclass of LsafnetError."""
    specs = tuple(_specs(dated))
    maps = folder / MAPS
    semantic = knows_land_cover(options)
    told = options.of_maps(grid_image(dated, str(options.grid)), semantic)
    intervals = tuple(
        Interval(one, other, maps / spec.output)
        for (one, other), spec in zip(pairwise(dated), specs, strict=True)
    )
    return IntervalPlan(intervals, specs, maps, told, plan_batch(specs, maps, told))


def knows_land_cover(options: SeriesOptions) -> bool:
    """Return whether the checkpoint's network tells classes apart, and not only what changed."""
    info = read_info(chosen_checkpoint(options.predict.checkpoint))
    return network_spec(info.network).semantic


def grid_image(dated: Sequence[DatedImage], wish: str) -> str:
    """Return the image whose grid all maps take."""
    return {FIRST: dated[0].path, LAST: dated[-1].path}.get(wish, wish)


def _specs(dated: Sequence[DatedImage]) -> Iterator[SceneSpec]:
    for one, other in pairwise(dated):
        name = f"{one.date.text}_{other.date.text}"
        masks: dict[str, Any] = {}
        if one.cloud_mask is not None and other.cloud_mask is not None:
            masks["cloud_masks"] = (one.cloud_mask, other.cloud_mask)
        yield SceneSpec(
            name, one.path, other.path, Path(f"{name}.tif"), one.date.day, other.date.day, **masks
        )
