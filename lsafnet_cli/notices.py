"""What a user should know about a run, in words."""

from collections.abc import Iterator

from lsafnet_cli.stages.align import AlignedPair, pixel_size_m
from lsafnet_cli.stages.area import Area
from lsafnet_cli.stages.outline import Outline
from lsafnet_cli.stages.read import Scene, ScenePair
from lsafnet_cli.types import Grid, Observer, Stretch


class Notebook:
    """Passes on what an observer is told, and keeps the notices for the report."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.notices: list[str] = []
        self.start, self.advance, self.finish = observer.start, observer.advance, observer.finish

    def notice(self, text: str) -> None:
        """Keep a notice and pass it on."""
        self.notices.append(text)
        self._observer.notice(text)


def grid_notices(pair: ScenePair, aligned: AlignedPair) -> Iterator[str]:
    """Yield how the images are brought onto one grid, where that is not plain."""
    grid = aligned.grid
    if not pair.georeferenced:
        yield "the images have no georeference: they are compared pixel by pixel, and areas are not known"
    elif aligned.after.offset is None:
        yield f"{pair.after.path} lies on another grid: it is warped onto that of {pair.before.path}"
    if grid.shape != pair.before.grid.shape:
        share = grid.pixel_count / pair.before.grid.pixel_count
        yield f"the images share {grid.width}x{grid.height} pixels, {share:.1%} of {pair.before.path}"


def area_notices(outline: Outline, area: Area, grid: Grid) -> Iterator[str]:
    """Yield what part of the shared ground the map covers, and what had to be assumed for that."""
    if outline.crs is None:
        yield f"{outline.path} has no CRS: its coordinates are taken to be in that of the images"
    window = area.window
    yield f"--aoi: the map covers {window.width}x{window.height} of {grid.width}x{grid.height} pixels"


def stretch_notices(pair: ScenePair, stretches: tuple[Stretch | None, Stretch | None]) -> Iterator[str]:
    """Yield the numbers that each image is stretched by."""
    for scene, stretch in zip((pair.before, pair.after), stretches, strict=True):
        if stretch is not None:
            yield f"{scene.path}: {_describe(scene, stretch)}"


def _describe(scene: Scene, stretch: Stretch) -> str:
    limits = ", ".join(f"{low:.6g}..{high:.6g}" for low, high in zip(stretch.low, stretch.high, strict=True))
    return f"{scene.dtype} numbers are stretched from {limits} (bands {', '.join(map(str, scene.bands))})"


def resolution_notices(aligned: AlignedPair, trained_m: float | None) -> Iterator[str]:
    """Yield a warning where pixels are far from the size the checkpoint was trained on."""
    size = pixel_size_m(aligned.grid)
    if size and trained_m and not 1 / 3 <= size / trained_m <= 3:
        yield f"pixels are {size:.3g} m, but the checkpoint was trained on {trained_m:.3g} m: expect poor maps"
