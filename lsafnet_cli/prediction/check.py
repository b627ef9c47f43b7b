"""Check: whether a pair fits, extents and overlap of its images, and how `predict` would use them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import rasterio

from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet_cli.checkpoints.choose import chosen_checkpoint, read_info
from lsafnet_cli.errors import PairError, one_line
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.sources import patience
from lsafnet_cli.geometry.ground import pixel_areas, pixel_size_m
from lsafnet_cli.options import GridOptions, ReadOptions
from lsafnet_cli.prediction.report import DomainVerdict
from lsafnet_cli.scenes.align import AlignedPair, align_pair, offset_px
from lsafnet_cli.scenes.bands import band_names
from lsafnet_cli.scenes.doubts import doubt_notices
from lsafnet_cli.scenes.home import outside_reasons, outside_words
from lsafnet_cli.scenes.images import decimated
from lsafnet_cli.scenes.notices import (
    band_notices,
    blank_notices,
    date_notices,
    grid_notices,
    range_notices,
    registration_notices,
)
from lsafnet_cli.scenes.read import Scene, ScenePair, read_scene
from lsafnet_cli.scenes.registration import Registration, read_windows, register_pair
from lsafnet_cli.scenes.stretch import SAMPLE_PX, WHOLE_READ_PX, Sample, Stretch, sample_scene, stretch_of

LEAST_SHARE = 0.5  # minimum share of an image within the overlap, and of pixels with data, without a warning


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding for the user; `level` is "problem" (the pair does not fit), "warning" or "note"."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """One image. `bands` names those that are read; shares are 0..1, estimated from a sample for large
    images. `stretch` holds the lower and upper limit of each band, or None.
    """

    path: str
    crs: str | None
    width: int
    height: int
    pixel_size_m: float | None
    placed_by: str
    bands: tuple[str, ...]
    dtype: str
    nodata: str
    nodata_share: float
    stretch: tuple[tuple[float, float], ...] | None
    acquired: str | None
    acquired_by: str | None


@dataclass(frozen=True, slots=True)
class CommonFacts:
    """The overlap of both images, on the grid of the map.

    `offset_px` is (row, col) of the grid's first pixel in the after image, None in another CRS.
    """

    crs: str | None
    width: int
    height: int
    pixel_size_m: float | None
    offset_px: tuple[float, float] | None
    warped: tuple[str, ...]
    share_of_before: float
    share_of_after: float
    area_ha: float | None
    nodata_share: float


@dataclass(frozen=True, slots=True)
class PairCheck:
    """Result of `check_pair`. Values are None if a problem prevented finding them."""

    verdict: str
    findings: tuple[Finding, ...]
    before: SceneFacts
    after: SceneFacts
    common: CommonFacts | None
    registration: Registration | None
    domain: DomainVerdict
    checkpoint: dict[str, Any]

    @property
    def fits(self) -> bool:
        """Whether `predict` can make a map of the pair."""
        return not any(finding.level == "problem" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the check as JSON-ready values."""
        return asdict(self)


def check_pair(
    before: str | Path,
    after: str | Path,
    checkpoint: str | Path | None = None,
    read: ReadOptions | None = None,
    grid: GridOptions | None = None,
) -> PairCheck:
    """Open both images and report how `predict` would use them; writes nothing.

    Raises InputError if a file cannot be read, CheckpointFileError, and OptionError for bands that do not fit the
    checkpoint. Two images that do not form a pair are a problem among the findings, not an error.
    """
    with rasterio.Env(**patience()):
        return _check_pair(
            (before, after), chosen_checkpoint(checkpoint), read or ReadOptions(), grid or GridOptions()
        )


def _check_pair(
    paths: tuple[str | Path, str | Path], checkpoint: Path, read: ReadOptions, grid: GridOptions
) -> PairCheck:
    info = read_info(checkpoint)
    numbers = read.nodata or (None, None)
    scenes = [
        read_scene(path, read.bands, info.bands, nodata) for path, nodata in zip(paths, numbers, strict=True)
    ]
    samples = {scene.path: sample_scene(scene) for scene in scenes}
    facts = [scene_facts(scene, samples[scene.path], read, info) for scene in scenes]
    doubts = chain(
        blank_notices(samples), *(_doubts(scene, samples[scene.path], read, info) for scene in scenes)
    )
    findings = [Finding("warning", text) for text in doubts]
    common, registration = None, None
    outside: tuple[str, ...] = ()
    try:
        pair = ScenePair(*scenes)
        aligned = align_pair(pair, grid)
    except PairError as error:
        findings.insert(0, Finding("problem", one_line(error)))
    else:
        registration = register_pair(aligned)
        common = common_facts(pair, aligned)
        findings += pair_findings(pair, aligned, grid, registration, common)
        outside = _outside(aligned, samples, read, info)
        findings += [Finding("warning", outside_words(outside))] if outside else []
        findings += [Finding("note", text) for text in band_notices(pair, read.bands is not None)]
    return PairCheck(
        verdict=verdict_of(findings),
        findings=tuple(findings),
        before=facts[0],
        after=facts[1],
        common=common,
        registration=registration,
        domain=DomainVerdict(not outside, outside),
        checkpoint={
            "name": checkpoint.name,
            "bands": info.bands,
            "gsd_m": info.gsd_m,
            "tile_px": info.tile_px,
            "value_range": list(info.value_range),
        },
    )


def _doubts(scene: Scene, sample: Sample, read: ReadOptions, info: CheckpointInfo) -> Iterator[str]:
    stretch = stretch_of(scene, read.stretch, info.value_range, lambda: sample)
    yield from doubt_notices(scene)
    yield from range_notices(scene, stretch, info.value_range, lambda: sample)


def _outside(
    aligned: AlignedPair, samples: dict[str, Sample], read: ReadOptions, info: CheckpointInfo
) -> tuple[str, ...]:
    """Return why the pair is outside the domain of the checkpoint, without running its network."""
    scenes = (aligned.before.scene, aligned.after.scene)
    before, after = (samples[scene.path] for scene in scenes)
    stretched = [
        stretch_of(scene, read.stretch, info.value_range, lambda sample=sample: sample)  # type: ignore[misc]
        for scene, sample in zip(scenes, (before, after), strict=True)
    ]
    stretches = (stretched[0], stretched[1])
    return tuple(outside_reasons(aligned, info, (before, after), stretches, read.bands is not None))


def verdict_of(findings: list[Finding]) -> str:
    """Return the most severe level of the findings as text."""
    levels = {finding.level for finding in findings}
    if "problem" in levels:
        return "does not fit"
    return "fits, with warnings" if "warning" in levels else "fits"


def scene_facts(scene: Scene, sample: Sample, read: ReadOptions, info: CheckpointInfo) -> SceneFacts:
    """Return the facts about one image."""
    stretch = stretch_of(scene, read.stretch, info.value_range, lambda: sample)
    return SceneFacts(
        path=scene.path,
        crs=scene.grid.crs.to_string() if scene.grid.crs is not None else None,
        width=scene.file_shape[1],
        height=scene.file_shape[0],
        pixel_size_m=pixel_size_m(scene.grid),
        placed_by=_placed_by(scene),
        bands=tuple(_band_words(scene)),
        dtype=scene.dtype,
        nodata=_nodata_words(scene),
        nodata_share=round(1 - sample.valid_share, 6),
        stretch=_limits(stretch),
        acquired=scene.acquired.text if scene.acquired else None,
        acquired_by=scene.acquired.source if scene.acquired else None,
    )


def _placed_by(scene: Scene) -> str:
    if scene.placement:
        return f"{len(scene.placement.gcps)} ground control points" if scene.placement.gcps else "RPC"
    return "transform" if scene.georeferenced else "nothing"


def _band_words(scene: Scene) -> Iterator[str]:
    with open_raster(scene.path) as dataset:
        names = [("", color) for color in ("red", "green", "blue")] if scene.paletted else band_names(dataset)
    for band in scene.bands:
        yield " ".join([str(band), *dict.fromkeys(filter(None, names[band - 1]))])


def _nodata_words(scene: Scene) -> str:
    numbers = {f"{number:g}" for number in scene.nodata if number is not None}
    known = {"all": [], "nodata": [f"number {', '.join(sorted(numbers))}"], "mask": ["mask"]}[scene.validity]
    return " and ".join([*known, *(["alpha band"] if scene.alpha else [])]) or "none"


def _limits(stretch: Stretch | None) -> tuple[tuple[float, float], ...] | None:
    return None if stretch is None else tuple(zip(stretch.low, stretch.high, strict=True))


def common_facts(pair: ScenePair, aligned: AlignedPair) -> CommonFacts:
    """Return the facts about the overlap of both images."""
    grid, size, areas = aligned.grid, pixel_size_m(aligned.grid), pixel_areas(aligned.grid)
    images = (aligned.before, aligned.after)
    return CommonFacts(
        crs=grid.crs.to_string() if grid.crs is not None else None,
        width=grid.width,
        height=grid.height,
        pixel_size_m=size,
        offset_px=offset_px(grid, pair.after.grid),
        warped=tuple(
            name for name, image in zip(("before", "after"), images, strict=True) if image.offset is None
        ),
        share_of_before=_share(aligned, pair.before),
        share_of_after=_share(aligned, pair.after),
        area_ha=None if areas is None else round(areas.total() / 10_000, 4),
        nodata_share=round(1 - _both_valid_share(aligned), 6),
    )


def _share(aligned: AlignedPair, scene: Scene) -> float:
    """Return the approximate share of a scene within the common grid, 0..1."""
    sizes = pixel_size_m(aligned.grid), pixel_size_m(scene.grid)
    factor = (sizes[0] / sizes[1]) ** 2 if sizes[0] and sizes[1] else 1.0
    return round(min(1.0, aligned.grid.pixel_count * factor / scene.grid.pixel_count), 4)


def _both_valid_share(aligned: AlignedPair) -> float:
    """Return the share of pixels with data in both dates, 0..1; of windows spread over a large scene."""
    rows, cols = aligned.grid.shape
    if rows * cols > WHOLE_READ_PX:
        counted = [(int(valid.sum()), valid.size) for _, _, valid in read_windows(aligned)]
        return sum(count for count, _ in counted) / sum(size for _, size in counted)
    scale = max(1.0, max(rows, cols) / SAMPLE_PX)
    shape = max(1, round(rows / scale)), max(1, round(cols / scale))
    before, after = (decimated(image, shape)[1] for image in (aligned.before, aligned.after))
    return float((before & after).mean())


def pair_findings(
    pair: ScenePair,
    aligned: AlignedPair,
    options: GridOptions,
    registration: Registration,
    common: CommonFacts,
) -> Iterator[Finding]:
    """Yield findings about a pair on one grid."""
    if common.nodata_share == 1:
        yield Finding("problem", "no pixel has data in both images")
    level = "note" if pair.georeferenced else "warning"
    yield from (Finding(level, text) for text in grid_notices(pair, aligned, options))
    warnings = (
        date_notices(pair),
        registration_notices(registration),
        _share_warnings(common),
    )
    yield from (Finding("warning", text) for text in chain(*warnings))
    if registration.distance_px is None:
        yield Finding("note", "the shift between the dates cannot be measured: they correlate too little")


def _share_warnings(common: CommonFacts) -> Iterator[str]:
    if max(common.share_of_before, common.share_of_after) < LEAST_SHARE:
        yield f"the images share only {max(common.share_of_before, common.share_of_after):.1%} of their ground"
    if LEAST_SHARE < common.nodata_share < 1:
        yield f"{common.nodata_share:.1%} of the pixels in the overlap have no data in one image or both"
