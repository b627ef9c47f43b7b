"""Red is shown as red: on report pages, quicklooks and chips, whatever order the bands of either date have."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from lsafnet_cli.files.rasters import grid_of
from lsafnet_cli.maps.quicklook import read_picture as quicklook_picture
from lsafnet_cli.options import ReadOptions
from lsafnet_cli.report_page.painted_rows import date_reader, read_bands
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.on_grid import images_on_grid
from lsafnet_cli.scenes.read import read_pair

from .conftest import noise, write_raster
from .maps import blobs, legend_of, write_map

LEVELS = {"red": 190, "green": 120, "blue": 50, "nir": 240}
RGB, BGR = ("red", "green", "blue"), ("blue", "green", "red")
BGRN, NRGB = (*BGR, "nir"), ("nir", *RGB)


def image(path, names, kind="described"):
    """Write an image of 50 x 60 pixels whose bands have the levels of their colours, and say so in one way."""
    grain = noise(1, 50, 60, 1)[0] // 16
    pixels = np.stack([LEVELS[name] - grain for name in names]).astype(np.uint8)
    write_raster(path, pixels, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        for number, name in enumerate(names, 1):
            dataset.set_band_description(number, f"band {number} ({name})" if kind == "named" else name)
    return path


def is_true_colour(picture) -> bool:
    """Return whether a picture is mostly red, then green, then blue."""
    red, green, blue = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    return red - 40 > green > blue + 40


@pytest.mark.parametrize("kind", ["described", "named"])
@pytest.mark.parametrize(
    ("before", "after"), [(BGRN, BGRN), (NRGB, BGRN), (BGRN, (*RGB, "nir")), (BGR, NRGB)]
)
def test_the_page_of_a_finished_map_shows_true_colours(tmp_path, before, after, kind):
    paths = [str(image(tmp_path / f"{n}.tif", names, kind)) for n, names in enumerate((before, after))]
    map_path = str(write_map(tmp_path / "map.tif", blobs(1, 50, 60, 4), legend_of()))
    with (
        rasterio.open(paths[0]) as dataset,
        rasterio.open(map_path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as target,
    ):
        target.transform, target.crs = dataset.transform, dataset.crs
    with rasterio.open(map_path) as dataset:
        pair = images_on_grid(grid_of(dataset), *paths, map_path)
    for rows in read_bands(map_path, pair, None):
        assert is_true_colour(rows.before)
        assert is_true_colour(rows.after)


@pytest.mark.parametrize(("before", "after"), [(BGRN, BGRN), (NRGB, BGRN), (BGRN, (*RGB, "nir"))])
@pytest.mark.parametrize("count", [3, 4])
def test_a_run_shows_true_colours_also_of_a_checkpoint_of_four_bands(tmp_path, before, after, count):
    paths = [image(tmp_path / f"{n}.tif", names) for n, names in enumerate((before, after))]
    pair = align_pair(read_pair(*paths, ReadOptions(), count))
    for one in (pair.before, pair.after):
        assert is_true_colour(quicklook_picture(one, (50, 60)))
        with ImageReader(one) as reader:
            assert is_true_colour(date_reader(reader)(Window(0, 0, 60, 50)))


def test_bands_that_somebody_chose_in_false_colours_are_shown_as_chosen(tmp_path):
    path = image(tmp_path / "a.tif", BGRN)
    for bands, shown in ((("nir", "red", "green"), (0, 1, 2)), (BGR, (2, 1, 0)), (("nir", "red"), (0,))):
        options = ReadOptions(bands=bands)
        assert read_pair(path, path, options, len(bands)).before.shown == shown
