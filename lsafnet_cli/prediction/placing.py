"""The pair on its grid: shift between the dates, masks, area of interest."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lsafnet_cli.files.sources import same_image
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import GridOptions, PredictOptions, ReadOptions
from lsafnet_cli.scenes.align import AlignedPair, align_pair
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.masks import PlacedMask, cloud_mask, exclusion
from lsafnet_cli.scenes.notices import TOLERABLE_SHIFT_PX, area_notices
from lsafnet_cli.scenes.outline import place_outlines, wished_outlines
from lsafnet_cli.scenes.read import ScenePair
from lsafnet_cli.scenes.registration import (
    LEAST_WINDOWS,
    Registration,
    coregistered,
    looks_alike,
    register_pair,
)

LEAST_GAIN = 0.05  # minimum gain of the dates' correlation for an automatic correction: patterns may repeat
# (rows, cols) by which the after image was off, or with an image of the grid each date, as JSON has it
ShiftPx = list[Any] | None


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
        if name == "before":  # a pixel without data in one date has none in the map
            masks += [("", mask) for mask in _excluded(pair.grid, options, observer)]
        for date, mask in masks:
            _tell_shares(date, mask, observer)
        images.append(replace(image, masks=tuple(mask for _, mask in masks)))
    return replace(pair, before=images[0], after=images[1])


def _excluded(grid: Grid, options: ReadOptions, observer: Observer) -> Iterator[PlacedMask]:
    """Yield the mask of the areas to exclude, if there are any on the grid."""
    if options.exclude is None:
        return
    found = exclusion(str(options.exclude), options.exclude_values, grid)
    if found is None:
        observer.notice(f"`exclude` {options.exclude}: does not overlap the images, so nothing is masked")
    else:
        yield PlacedMask(found, grid)


def _tell_shares(date: str, mask: PlacedMask, observer: Observer) -> None:
    for cause, share in mask.shares().items():
        if share:
            observer.notice(f"{date}{cause} are masked, {share:.1%} of the area, by {mask.mask.path}")


def find_area(options: PredictOptions, grid: Grid, observer: Observer) -> AreaOfInterest | None:
    """Return the area of interest on a grid, None if there is none; report notices."""
    outlines = wished_outlines(options.read.aoi, options.grid.bounds, grid)
    if not outlines:
        return None
    area = place_outlines(outlines, grid)
    for text in area_notices(outlines, area, grid):
        observer.notice(text)
    return area
