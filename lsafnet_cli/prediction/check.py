"""Check: whether a pair fits, and how `predict` would use it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import rasterio

from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet_cli.checkpoints.choose import chosen_checkpoint, read_info
from lsafnet_cli.errors import PairError, one_line
from lsafnet_cli.files.sources import patience
from lsafnet_cli.options import GridOptions, ReadOptions
from lsafnet_cli.prediction.facts import CommonFacts, SceneFacts, common_facts, scene_facts
from lsafnet_cli.prediction.input_scale import scale_for, scale_notice
from lsafnet_cli.prediction.report import DomainVerdict
from lsafnet_cli.scenes.align import AlignedPair, align_pair
from lsafnet_cli.scenes.doubts import doubt_notices
from lsafnet_cli.scenes.home import outside_reasons, outside_words
from lsafnet_cli.scenes.notices import (
    band_notices,
    blank_notices,
    date_notices,
    grid_notices,
    range_notices,
    registration_notices,
)
from lsafnet_cli.scenes.read import Scene, ScenePair, read_scene
from lsafnet_cli.scenes.registration import Registration, register_pair
from lsafnet_cli.scenes.stretch import Sample, sample_scene, stretch_of

LEAST_SHARE = 0.5  # minimum share of an image within the overlap, and of pixels with data, without a warning


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding for the user; `level` is "problem" (the pair does not fit), "warning" or "note"."""

    level: str
    text: str


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
        scale = scale_for(aligned.grid, info)
        enlarged = scale_notice(aligned.grid, (scale,))
        findings += [] if enlarged is None else [Finding("note", enlarged)]
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
            "input_gsd_m": info.input_gsd_m,
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
