"""Images of a finished map: both dates on its grid."""

from lsafnet_cli.errors import NoOverlapError, PairError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.scenes.align import AlignedImage, shared_window, whole_pixel_offset
from lsafnet_cli.scenes.read import ScenePair, read_picture


def images_on_grid(grid: Grid, before: str, after: str, map_path: str) -> tuple[AlignedImage, AlignedImage]:
    """Return both images on the map's grid. Raises PairError if their extent does not contain it."""
    pair = ScenePair(read_picture(before), read_picture(after))
    if (grid.crs is None) != (pair.before.grid.crs is None):
        raise PairError(
            f"{before} and {map_path}: one has a CRS, the other none; give the images of this map"
        )
    if not pair.georeferenced and pair.before.grid.shape != grid.shape:
        raise PairError(f"{before} and {map_path} differ in size; give the images of this map")
    try:
        shared_window(grid, ScenePair(pair.before, pair.after))
    except NoOverlapError as error:
        raise NoOverlapError(
            f"{before} and {after} do not cover {map_path}; give the images of this map"
        ) from error
    one, other = (
        AlignedImage(scene, grid, whole_pixel_offset(grid, scene.grid) if not scene.placement else None)
        for scene in (pair.before, pair.after)
    )
    return one, other
