"""Zones with their numbers as a GeoPackage."""

import fiona
import pytest

from lsafnet_cli.errors import OptionError, OutputError
from lsafnet_cli.maps.summarize import summarize_map
from lsafnet_cli.maps.zone_file import check_zone_file, write_zone_file
from lsafnet_cli.maps.zones import ZoneRequest

from .maps import ground, write_town, write_zones
from .test_recipes import run


@pytest.fixture
def made(tmp_path):
    path, _, _ = write_town(tmp_path)
    shapes = [ground((0, 120), (0, 45)), ground((0, 60), (45, 90)), ground((5000, 5100), (5000, 5100))]
    zones = write_zones(tmp_path / "zones.gpkg", shapes, "EPSG:4326", name=["West", "Nord", "Elsewhere"])
    return path, zones


def test_a_row_for_each_zone_holds_what_the_summary_says(made, tmp_path):
    path, zones = made
    request = ZoneRequest(zones)
    summary = summarize_map(path, request)
    write_zone_file(summary, request, tmp_path / "out.gpkg")
    with fiona.open(tmp_path / "out.gpkg", layer="zones") as source:
        rows = {row["properties"]["zone"]: row["properties"] for row in source}
        assert source.crs.to_epsg() == 4326
    assert list(rows) == ["West", "Nord", "Elsewhere"]
    for part in summary.zones:
        row = rows[part.zone]
        assert row["valid"] == part.table.valid_ha
        assert row["changed_percent"] == part.changed_percent
        for transition in part.table.transitions:
            name = transition.name.lower().replace(" ", "_")
            assert row[name] == pytest.approx(transition.area_ha)
        for change in part.classes:
            name = change.name.lower().replace(" ", "_")
            assert row[f"net_{name}"] == pytest.approx(row[f"gain_{name}"] - row[f"loss_{name}"], abs=1e-5)


def test_zones_without_a_pixel_are_kept(made):
    path, zones = made
    summary = summarize_map(path, ZoneRequest(zones))
    assert [zone.zone for zone in summary.zones] == ["West", "Nord", "Elsewhere"]
    elsewhere = summary.zones[2]
    assert (elsewhere.table.valid_pixels, elsewhere.table.valid_ha, elsewhere.changed_percent) == (0, 0, None)


def test_where_the_file_may_not_be_written_nothing_is_counted(made, tmp_path):
    path, zones = made
    with pytest.raises(OptionError, match=r"its name must end in \.gpkg"):
        check_zone_file(tmp_path / "zones.shp", (str(path),), False)
    with pytest.raises(OutputError, match="exists already"):
        check_zone_file(tmp_path / "zones.gpkg", (str(path),), False)
    assert run(f"lsafnet summarize {path} -o {tmp_path / 'x.gpkg'}") == 2
    assert run(f"lsafnet summarize {path} --zones {zones} -o {tmp_path / 'x.gpkg'} --json") == 0
    assert run(f"lsafnet summarize {path} --zones {zones} -o {zones} --overwrite") == 6
