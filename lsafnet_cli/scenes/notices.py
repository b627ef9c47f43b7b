"""Notices and warnings of a run about its images."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from lsafnet_cli.geometry.crs import name_of
from lsafnet_cli.geometry.footprints import footprint_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.options import GridOptions
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.dates import FILE_NAME, Acquired
from lsafnet_cli.scenes.outline import Outline
from lsafnet_cli.scenes.read import Scene, ScenePair
from lsafnet_cli.scenes.registration import Registration
from lsafnet_cli.scenes.stretch import Sample, Stretch, fills_range, out_of_range

TOLERABLE_SHIFT_PX = 1.0


def grid_notices(pair: ScenePair, aligned: AlignedPair, options: GridOptions) -> Iterator[str]:
    """Yield how the images are put on one grid, if they are not on one already."""
    grid, owner = aligned.grid, pair.owner(options)
    if not pair.georeferenced:
        for scene in (pair.before, pair.after):
            if scene.unplaced_crs is not None:
                yield f"{scene.path} has the CRS {scene.unplaced_crs}, but neither transform nor control points"
        yield "the images are not georeferenced: they are compared pixel by pixel, and areas are unknown"
        return
    for image in (aligned.before, aligned.after):
        if image.offset is None:
            yield f"{image.scene.path} {_why_warped(image.scene)}: {_onto(owner, image.scene, options)}"
    own_pixels = options.resolution_m is None and grid.crs == owner.grid.crs
    if own_pixels and grid.shape != owner.grid.shape:
        share = grid.pixel_count / owner.grid.pixel_count
        yield f"the images overlap in {grid.width}x{grid.height} pixels, {share:.1%} of {owner.path}"


def _why_warped(scene: Scene) -> str:
    if scene.placement.gcps:
        return f"is georeferenced by {len(scene.placement.gcps)} ground control points"
    return (
        "is georeferenced by rational polynomial coefficients (RPC), at height 0"
        if scene.placement.rpcs
        else "is on another grid"
    )


def _onto(owner: Scene, scene: Scene, options: GridOptions) -> str:
    onto = f" {options.dst_crs}" if options.dst_crs is not None else ""
    if options.resolution_m is not None:
        return f"it is warped to{onto}{onto and ','} pixels of {options.resolution_m:g} m"
    if onto:
        return f"it is warped to{onto}"
    return "it is warped to a north-up grid" if scene is owner else f"it is warped to that of {owner.path}"


def area_notices(outlines: Sequence[Outline], area: AreaOfInterest, grid: Grid) -> Iterator[str]:
    """Yield the part of the overlap that the map covers, and assumptions made for it."""
    for outline in outlines:
        if outline.crs is None and outline.is_file:
            yield f"{outline.path} has no CRS: its coordinates are assumed to be in that of the images"
    window, by = area.window, " and ".join("`aoi`" if outline.is_file else "`bounds`" for outline in outlines)
    yield f"{by}: the map covers {window.width}x{window.height} of {grid.width}x{grid.height} pixels"


def stretch_notices(pair: ScenePair, stretches: tuple[Stretch | None, Stretch | None]) -> Iterator[str]:
    """Yield the stretch limits of each image."""
    for scene, stretch in zip((pair.before, pair.after), stretches, strict=True):
        if stretch is not None:
            yield f"{scene.path}: {_describe(scene, stretch)}"


def _describe(scene: Scene, stretch: Stretch) -> str:
    limits = ", ".join(f"{low:.6g}..{high:.6g}" for low, high in zip(stretch.low, stretch.high, strict=True))
    return f"{scene.dtype} values are stretched from {limits} (bands {', '.join(map(str, scene.bands))})"


def registration_notices(found: Registration) -> Iterator[str]:
    """Yield a warning if the dates are visibly shifted against each other."""
    if found.clear and (found.distance_px or 0) > TOLERABLE_SHIFT_PX:
        yield (
            f"the after image is shifted by about {found.distance_px:.1f} pixels against the before image "
            f"({found.rows_px:+.1f} rows, {found.cols_px:+.1f} cols; spread {found.spread_px:.1f}): "
            "expect false changes along edges; `coregister` corrects a constant shift"
        )


def outline_notices(grid: Grid, also: tuple[str, ...]) -> Iterator[str]:
    """Yield a notice if a STAC item has no geometry because its grid has a CRS but no outline on the globe."""
    if "stac" in also and grid.crs is not None and footprint_of(grid) is None:
        yield f"the STAC item has no geometry: {name_of(grid.crs)} has no outline in WGS 84"


def answer_notices(answered: int, unanswered: int) -> Iterator[str]:
    """Yield warnings about valid pixels without a result, and about a map without any pixel with data."""
    if unanswered:
        share = unanswered / (answered + unanswered)
        yield (
            f"{unanswered:,} pixels ({share:.2%} of those with data in both images) are no data in the map: the "
            "network gave no finite value there; check the images' values and `precision`"
        )
    elif answered == 0:
        yield "no pixel has data in both images: the map is entirely nodata"


def date_notices(pair: ScenePair) -> Iterator[str]:
    """Yield a warning if the acquisition dates of the files suggest that the images are swapped."""
    before, after = pair.before.acquired, pair.after.acquired
    if before is not None and after is not None and after.last_day < before.day:
        yield (
            f"{pair.after.path} was acquired {_when(after)} ({after.source}), before {pair.before.path} "
            f"({before.text}, {before.source}): swap them?"
        )


def named_date_notices(pair: ScenePair) -> Iterator[str]:
    """Yield the dates known only from file names, which may mean another day than that of the acquisition."""
    named = {
        name: scene.acquired.text
        for name, scene in (("before", pair.before), ("after", pair.after))
        if scene.acquired is not None and scene.acquired.exact and scene.acquired.source == FILE_NAME
    }
    if named:
        days = ", ".join(f"{name} {day}" for name, day in named.items())
        options = " and ".join(f"`{name}_date`" for name in named)
        files, override = ("file names", "override") if len(named) > 1 else (FILE_NAME, "overrides")
        yield f"dates taken from the {files}: {days}; {options} {override} this"


def _when(acquired: Acquired) -> str:
    return f"{'on' if acquired.exact else 'in'} {acquired.text}"


def band_notices(pair: ScenePair, named: bool) -> Iterator[str]:
    """Yield which bands are read if the user chose none and they are not the first ones in order."""
    for scene in (pair.before, pair.after):
        if not named and not scene.paletted and scene.bands != tuple(range(1, len(scene.bands) + 1)):
            shown = ",".join(map(str, scene.bands))
            yield f"{scene.path}: bands {shown} are read, according to the names and colours of bands in the file"


def range_notices(
    scene: Scene, stretch: Stretch | None, value_range: tuple[float, float], sample: Callable[[], Sample]
) -> Iterator[str]:
    """Yield a warning if an image is not stretched although its values are in another range."""
    if stretch is not None or fills_range(scene.dtype, value_range):
        return
    seen = sample()
    numbers = seen.numbers[:, seen.valid]
    if out_of_range(numbers, value_range):
        low, high = np.percentile(numbers, (2, 98))
        yield (
            f"{scene.path}: most values lie in {low:.6g}..{high:.6g}, but the checkpoint was trained on "
            f"{value_range[0]:g}..{value_range[1]:g}: expect noise; `stretch` auto rescales them"
        )


def blank_notices(samples: Mapping[str, Sample]) -> Iterator[str]:
    """Yield a warning for each image that is empty or constant."""
    for path, sample in samples.items():
        if not sample.valid.any():
            yield f"{path}: no pixel of a sample has data"
        elif all(np.ptp(band[sample.valid]) == 0 for band in sample.numbers):
            yield f"{path}: all pixels have one value; there is nothing to compare"
