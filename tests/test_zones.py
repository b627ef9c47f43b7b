"""Zones of `lsafnet summarize`: which pixels belong to them, and how they are named."""

import json
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.windows import Window
from shapely.geometry import box, mapping

from lsafnet_cli.errors import InputError, NoOverlapError, OptionError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps import summarize
from lsafnet_cli.maps.summarize import summarize_map
from lsafnet_cli.maps.zones import ZoneRequest
from lsafnet_cli.scenes.outline import place_outlines, read_outline

from .conftest import UTM
from .maps import ground, legend_of, write_map, write_town, write_zones


@pytest.fixture
def made(tmp_path):
    """Return a map of four classes in UTM, with its codes."""
    return write_town(tmp_path)


def low_bands(grid):
    """Yield row bands of 7 rows."""
    for top in range(0, grid.height, 7):
        yield Window(0, top, grid.width, min(7, grid.height - top))


def counts_of(codes, legend):
    return {t.code: int((codes == t.code).sum()) for t in legend.transitions if (codes == t.code).any()}


@pytest.mark.parametrize(("crs", "driver", "ending"), [
    (UTM, "GPKG", "gpkg"), ("EPSG:4326", "GeoJSON", "geojson"), ("EPSG:3857", "ESRI Shapefile", "shp"),
    ("EPSG:25833", "FlatGeobuf", "fgb"),
])  # fmt: skip
def test_zones_in_any_crs_hold_the_pixels_whose_centres_they_hold(made, tmp_path, crs, driver, ending):
    path, codes, legend = made
    west, north = ground((0.2, 120.2), (-0.2, 45.3)), ground((-5, 50.3), (45.3, 200))
    zones = write_zones(tmp_path / f"zones.{ending}", [west, north], crs, driver, name=["West", "Nord"])
    summary = summarize_map(path, ZoneRequest(zones))
    found = {zone.zone: zone.table for zone in summary.zones}
    parts = {"West": codes[:, :45], "Nord": codes[:50, 45:], None: codes[50:, 45:]}
    for name, part in parts.items():
        table = found[name] if name else summary.outside.table
        assert {row.code: row.pixels for row in table.transitions} == counts_of(part, legend)
        assert table.nodata_pixels == (part == legend.nodata).sum()
    total = summary.whole.table
    assert sum(zone.table.valid_ha for zone in summary.parts[1:]) == pytest.approx(total.valid_ha, abs=3e-6)


def test_a_long_edge_is_straight_in_the_crs_of_the_zones_and_bends_in_the_map(tmp_path):
    legend = legend_of()
    codes = np.ones((100, 300), np.uint8)
    place = Affine(10_000, 0, 2_900_000, 0, -10_000, 3_600_000)  # Europe, 3,000 km wide: parallels are arcs
    path = write_map(tmp_path / "changes.tif", codes, legend, "EPSG:3035", place)
    zone = {"type": "Feature", "properties": {"name": "band"}, "geometry": mapping(box(-5, 46, 25, 50))}
    zones = tmp_path / "zones.geojson"
    zones.write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))
    rows, cols = np.mgrid[:100, :300] + 0.5
    x, y = place @ (cols.ravel(), rows.ravel())
    lon, lat = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True).transform(x, y)
    inside = int(((lon > -5) & (lon < 25) & (lat > 46) & (lat < 50)).sum())
    (found,) = summarize_map(path, ZoneRequest(str(zones))).zones
    assert found.table.valid_pixels == pytest.approx(inside, abs=0.002 * inside)


def test_overlapping_zones_each_count_their_pixels(made, tmp_path):
    path, codes, _ = made
    shapes = [ground((0, 80), (0, 60)), ground((40, 120), (30, 90))]
    summary = summarize_map(path, ZoneRequest(write_zones(tmp_path / "z.gpkg", shapes, name=["a", "b"])))
    first, second = summary.zones
    assert first.table.valid_pixels == (codes[:80, :60] != 255).sum()
    assert second.table.valid_pixels == (codes[40:, 30:] != 255).sum()
    outside = np.ones(codes.shape, bool)
    outside[:80, :60] = outside[40:, 30:] = False
    assert summary.outside.table.valid_pixels == (codes[outside] != 255).sum()


def test_neighbours_with_a_common_edge_never_share_or_lose_a_pixel(made, tmp_path, monkeypatch):
    monkeypatch.setattr(summarize, "row_windows", low_bands)
    path, codes, _ = made
    edges = [0, 20.5, 41, 60.5, 90]  # through centres of pixels as well
    shapes = [
        ground((top, end), (left, right))
        for top, end in ((0, 30.5), (30.5, 64), (64, 120))
        for left, right in pairwise(edges)
    ]
    names = [f"zone {number}" for number in range(len(shapes))]
    summary = summarize_map(path, ZoneRequest(write_zones(tmp_path / "z.gpkg", shapes, name=names)))
    assert len(summary.zones) == 12
    assert sum(z.table.valid_pixels + z.table.nodata_pixels for z in summary.zones) == codes.size
    assert summary.outside.table.valid_pixels == 0


def test_the_height_of_row_bands_changes_no_number(made, tmp_path, monkeypatch):
    path, _, _ = made
    zones = write_zones(tmp_path / "z.gpkg", [ground((10, 100), (5, 70)).buffer(3)], name=["a"])
    usual = summarize_map(path, ZoneRequest(zones))
    monkeypatch.setattr(summarize, "row_windows", low_bands)
    other = summarize_map(path, ZoneRequest(zones))
    assert [part.matrix_pixels for part in other.parts] == [part.matrix_pixels for part in usual.parts]
    np.testing.assert_allclose(other.zones[0].matrix_ha, usual.zones[0].matrix_ha, atol=2e-6)


def test_zones_are_named_by_a_field_and_those_of_one_name_are_one(made, tmp_path):
    path, codes, _ = made
    shapes = [ground((0, 50), (0, 50)), ground((40, 90), (40, 90)), ground((100, 120), (0, 90))]
    columns = {"number": [7, 8, 9], "district": ["Süd", "Süd", "北"], "other": ["x", "y", "z"]}
    zones = write_zones(tmp_path / "z.gpkg", shapes, **columns)
    summary = summarize_map(path, ZoneRequest(zones))
    assert (summary.zone_field, [zone.zone for zone in summary.zones]) == ("district", ["Süd", "北"])
    both = np.zeros(codes.shape, bool)
    both[:50, :50] = both[40:90, 40:90] = True
    assert summary.zones[0].table.valid_pixels == (codes[both] != 255).sum()  # what both hold counts once
    by_number = summarize_map(path, ZoneRequest(zones, "number"))
    assert [zone.zone for zone in by_number.zones] == ["7", "8", "9"]
    nameless = write_zones(tmp_path / "n.gpkg", shapes, number=[1, 2, 3])
    names = [zone.zone for zone in summarize_map(path, ZoneRequest(nameless)).zones]
    assert names == ["feature 1", "feature 2", "feature 3"]


def test_zones_that_do_not_touch_the_map_have_no_pixels_and_huge_ones_are_cut(made, tmp_path):
    path, codes, _ = made
    far = box(800_000, 100_000, 810_000, 110_000)
    zones = write_zones(
        tmp_path / "z.gpkg", [far, ground((0, 120), (0, 90))], "EPSG:4326", name=["far", "here"]
    )
    found = {zone.zone: zone.table.valid_pixels for zone in summarize_map(path, ZoneRequest(zones)).zones}
    assert found == {"far": 0, "here": (codes != 255).sum()}
    world = tmp_path / "world.geojson"
    square = {
        "type": "Polygon",
        "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]],
    }
    world.write_text(json.dumps({"type": "Feature", "properties": {"name": "world"}, "geometry": square}))
    everything = summarize_map(path, ZoneRequest(str(world))).zones[0]
    assert everything.table.valid_pixels + everything.table.nodata_pixels == codes.size


def test_what_cannot_serve_as_zones_is_said_in_one_line(made, tmp_path):
    path, _, _ = made
    here = [ground((0, 50), (0, 50))]
    good = write_zones(tmp_path / "z.gpkg", here, name=["a"])
    with pytest.raises(OptionError, match=r"`zone_field` nam: .*z.gpkg has the fields name"):
        summarize_map(path, ZoneRequest(good, "nam"))
    with pytest.raises(InputError, match="no such file"):
        summarize_map(path, ZoneRequest(str(tmp_path / "none.gpkg")))
    with pytest.raises(InputError, match="cannot be read as zones"):
        summarize_map(path, ZoneRequest(str(path)))
    bare = write_zones(tmp_path / "bare.shp", here, None, "ESRI Shapefile", name=["a"])
    with pytest.raises(InputError, match="has no CRS"):
        summarize_map(path, ZoneRequest(bare))
    far = write_zones(tmp_path / "far.gpkg", [box(0, 0, 1, 1)], name=["a"])
    with pytest.raises(NoOverlapError, match="no zone overlaps the map"):
        summarize_map(path, ZoneRequest(far))
    write_zones(tmp_path / "z.gpkg", here, layer="second", name=["b"])
    with pytest.raises(OptionError, match=r"layers z, second; choose one with `zone_layer`"):
        summarize_map(path, ZoneRequest(good))
    assert summarize_map(path, ZoneRequest(good, layer="second")).zones[0].zone == "b"


def rectangle(west, east):
    return [[[west, 49], [east, 49], [east, 51], [west, 51], [west, 49]]]


ISLAND = {"type": "MultiPolygon", "coordinates": [rectangle(179, 180), rectangle(-180, -179)]}
PLACES = {
    "degrees across 180": ("EPSG:4326", Affine(1e-3, 0, 179.97, 0, -1e-3, 50), ISLAND),
    "UTM across 180": ("EPSG:32601", Affine(100, 0, 282_000, 0, -100, 5_543_000), ISLAND),
    "degrees from 0 to 360": (
        "EPSG:4326", Affine(1e-3, 0, 190, 0, -1e-3, 50), {"type": "Polygon", "coordinates": rectangle(-171, -169)},
    ),
    "zones from 0 to 360": (
        "EPSG:4326", Affine(1e-3, 0, -170, 0, -1e-3, 50), {"type": "Polygon", "coordinates": rectangle(189, 191)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("others", [0, 40])
def test_zones_are_found_however_longitudes_are_counted(tmp_path, place, others):
    crs, transform, geometry = PLACES[place]
    codes = np.full((60, 60), 2)
    path = write_map(tmp_path / "map.tif", codes, legend_of(), crs, transform)
    far = [{"type": "Polygon", "coordinates": rectangle(number, number + 1)} for number in range(others)]
    features = [
        {"type": "Feature", "properties": {"name": f"zone {n}"}, "geometry": one}
        for n, one in enumerate([geometry, *far])
    ]
    zones = tmp_path / "zones.geojson"
    zones.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    summary = summarize_map(path, ZoneRequest(str(zones)))
    assert [zone.zone for zone in summary.zones if zone.table.valid_pixels] == ["zone 0"]
    assert summary.zones[0].table.valid_pixels == 3600
    assert summary.outside.table.valid_pixels == 0
    outline = place_outlines([read_outline(str(zones))], Grid(CRS.from_string(crs), transform, 60, 60))
    assert outline.inside(Window(0, 0, 60, 60)).all()
