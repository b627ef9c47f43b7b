"""All zones of a file, names and outlines, including those outside a map."""

from typing import Any

import fiona
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.maps.zones import ZoneRequest, layer_of_zones, name_field_of, name_of_zone
from lsafnet_cli.scenes.polygon_files import polygons_of


def names_of_zones(request: ZoneRequest) -> tuple[str, ...]:
    """Return the names of all zones of a file, in its order. Raises InputError and OptionError."""
    return tuple(dict.fromkeys(name for name, _ in features_by_zone(request)[1]))


def features_by_zone(request: ZoneRequest) -> tuple[str, list[tuple[str, Any]]]:
    """Return the CRS of a file of zones, as WKT, and the name and multipolygon of each feature that has an area."""
    with (
        reading_vectors(str(request.path), "zones"),
        fiona.open(request.path, layer=layer_of_zones(request)) as source,
    ):
        field = name_field_of(request, source.schema["properties"])
        found = [(name_of_zone(one, field), _multipolygon(polygons_of(one))) for one in source]
        return str(source.crs_wkt), [(name, mapping(area)) for name, area in found if not area.is_empty]


def _multipolygon(parts: list[BaseGeometry]) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([part for part in parts if isinstance(part, shapely.Polygon)])
