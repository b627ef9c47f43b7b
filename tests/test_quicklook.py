"""A quicklook: its scale bar measures the ground, its arrow points north, its words say what it is of."""

import math
from datetime import date

import numpy as np
import PIL.Image
import pytest
import rasterio
from affine import Affine
from hypothesis import given, strategies as st
from rasterio.crs import CRS
from rasterio.enums import Resampling

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import printable
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_sides_m
from lsafnet_cli.maps import quicklook_sheet
from lsafnet_cli.maps.map_marks import centre_degrees, north, scale_bar
from lsafnet_cli.maps.quicklook import read_picture, sheet_words
from lsafnet_cli.maps.quicklook_sheet import PAPER, SheetMarks, SheetWords, compose_sheet, font_for, shortened
from lsafnet_cli.maps.table import change_table
from lsafnet_cli.options import OutputOptions, ReadOptions
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair

from .conftest import noise, write_raster
from .maps import legend_of, provenance_of, write_map

UTM = CRS.from_epsg(32632)
NORTH_UP = Affine(0.5, 0, 600000, 0, -0.5, 5335000)


def grid_of(transform=NORTH_UP, crs=UTM, size=400):
    return Grid(crs, transform, size, size)


@given(st.floats(1e-3, 200), st.integers(20, 3000), st.floats(10, 400))
def test_a_scale_bar_is_a_round_length_that_fills_its_room_at_least_by_two_fifths(pixel_m, cols, room_px):
    grid = grid_of(Affine(pixel_m, 0, 600000, 0, -pixel_m, 5335000), size=1000)
    bar = scale_bar(grid, cols, room_px)
    assert bar.length_px * (pixel_m * 1000 / cols) == pytest.approx(bar.length_m)
    assert 0.399 * room_px <= bar.length_px <= room_px * 1.001
    assert f"{bar.length_m:e}"[0] in "125"


@pytest.mark.parametrize(("length_px", "label"), [(1000, "500 m"), (4000, "2 km"), (3, "1 m"), (1, "50 cm")])
def test_a_scale_bar_is_labelled_in_units_people_read(length_px, label):
    assert scale_bar(grid_of(size=5000), 5000, length_px).label == label


def test_degrees_have_a_scale_bar_that_holds_on_the_ground():
    grid = grid_of(Affine(1e-5, 0, 11.0, 0, -1e-5, 60.0), CRS.from_epsg(4326))
    bar = scale_bar(grid, 400, 200)
    assert bar.length_m / bar.length_px == pytest.approx(pixel_sides_m(grid)[0])
    assert bar.length_m / bar.length_px == pytest.approx(
        1e-5 * 111_320 * math.cos(math.radians(60)), rel=0.01
    )


@pytest.mark.parametrize(
    ("transform", "direction"),
    [
        (NORTH_UP, (0, -1)),
        (Affine(0.5, 0, 600000, 0, 0.5, 5335000), (0, 1)),
        (Affine(0, 0.5, 600000, 0.5, 0, 5335000), (1, 0)),
        (NORTH_UP @ Affine.rotation(30), (-0.5, -math.sqrt(3) / 2)),
    ],
    ids=["north up", "south up", "turned", "rotated"],
)
def test_north_is_where_the_grid_has_it(transform, direction):
    assert north(grid_of(transform)) == pytest.approx(direction, abs=0.03)  # meridians lean by a degree there


def test_north_is_true_north_not_that_of_the_grid():
    polar = grid_of(Affine(100, 0, 1_000_000, 0, -100, 20_000), CRS.from_epsg(3413))  # 45 degrees turned
    right, down = north(polar)
    assert (right, down) == pytest.approx((-1, 0), abs=0.02)
    assert centre_degrees(polar)[0] == pytest.approx(80.8, abs=0.2)


def test_without_a_crs_there_is_neither_bar_nor_north():
    grid = grid_of(Affine.identity(), None)
    assert (scale_bar(grid, 400, 200), north(grid), centre_degrees(grid)) == (None, None, None)


def test_at_the_pole_there_is_no_north():
    assert north(grid_of(Affine(1, 0, -200, 0, -1, 200), CRS.from_epsg(3413))) is None


def test_the_words_say_names_dates_areas_and_place(tmp_path):
    codes = np.zeros((40, 60), np.uint8)
    codes[:10] = 2
    legend = legend_of()
    path = write_map(tmp_path / "changes.tif", codes, legend)
    provenance = provenance_of(
        legend, before="https://host/a/2019\nx.tif", after="b/2024.tif", before_date=date(2019, 6, 1)
    )
    words = sheet_words(grid_of(size=40), provenance, change_table(path, legend))
    assert words.title == "What changed from 2019\\nx.tif to 2024.tif"
    assert words.panels == ("before  2019-06-01", "after", "change")
    assert "(25.0%)" in words.summary
    assert "EPSG:32632" in words.footer
    assert "latitude" in words.footer


@given(st.text(max_size=80), st.integers(0, 300))
def test_a_text_never_is_wider_than_its_room(anything, room_px):
    text = printable(anything)
    short = shortened(text, room_px)
    assert not short or font_for(text).getlength(short) <= room_px


def test_names_as_long_as_they_like_do_not_widen_the_sheet():
    panels = [np.full((50, 100, 3), 90, np.uint8)] * 3
    marks = SheetMarks(scale_bar(grid_of(size=100), 100, 80), north(grid_of()))
    sheets = [
        compose_sheet(
            panels, SheetWords(text, (text, text, text), text, text), marks, [((1, 2, 3), "a to b")]
        )
        for text in ("short", "long " * 200)
    ]
    assert sheets[0].size == sheets[1].size
    for sheet in sheets:
        pixels = np.asarray(sheet)
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge == PAPER).all()


@pytest.mark.parametrize("shape", [(64, 96), (1, 300), (300, 1), (3000, 20)])
def test_scenes_of_any_shape_and_without_any_crs_have_a_quicklook(shape, tiny_checkpoint, tmp_path):
    images = [
        write_raster(tmp_path / f"{name}.tif", noise(seed, *shape), crs=None, transform=Affine.identity())
        for name, seed in (("before", 1), ("after", 2))
    ]
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions(also=("quicklook",)))
    predict_change(*images, tmp_path / "changes.tif", options)
    with PIL.Image.open(tmp_path / "changes.quicklook.png") as picture:
        assert max(picture.size) < 2500
        assert min(picture.size) > 100


def test_overviews_are_read_where_there_are_any_not_the_full_resolution(tmp_path):
    path = write_raster(tmp_path / "image.tif", np.full((3, 2048, 2048), 50, np.uint8), tiled=True)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path, "r+") as dataset:  # what was built stays as it is
        dataset.write(np.full((3, 1024, 2048), 200, np.uint8), window=((0, 1024), (0, 2048)))
    pair = align_pair(read_pair(str(path), str(path), ReadOptions()))
    picture = read_picture(pair.before, (512, 512))
    assert len(np.unique(picture)) == 1, "the top half has changed in the full resolution alone"


class OneLetterFont:
    """Has a picture for one letter; every other one looks like what is missing."""

    def __init__(self, letter):
        self.letter = letter

    def getmask(self, letter):
        return b"1" if letter == self.letter else b"0"


def test_the_first_font_that_has_every_letter_writes_a_text(monkeypatch):
    fonts = (OneLetterFont("a"), OneLetterFont("\u5909"))
    monkeypatch.setattr(quicklook_sheet, "_fonts", lambda _: fonts)
    assert font_for("a a") is fonts[0]
    assert font_for("\u5909") is fonts[1]
    assert font_for("a\u5909") is fonts[0], "no font has both, so the first one does what it can"
