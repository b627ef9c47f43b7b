"""Facts about the images of a pair and about their overlap."""

from collections.abc import Iterator
from dataclasses import dataclass

from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.ground import pixel_areas, pixel_size_m
from lsafnet_cli.options import ReadOptions
from lsafnet_cli.scenes.align import AlignedPair, offset_px
from lsafnet_cli.scenes.bands import band_names
from lsafnet_cli.scenes.images import decimated
from lsafnet_cli.scenes.read import Scene, ScenePair
from lsafnet_cli.scenes.registration import read_windows
from lsafnet_cli.scenes.stretch import SAMPLE_PX, WHOLE_READ_PX, Sample, Stretch, stretch_of


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
