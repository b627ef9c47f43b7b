"""Draw the land of the earth as one small SVG path: make_world.py COUNTRIES.shp -> lsafnet_cli/data/report/world.txt.

The countries are those of Natural Earth at 1:110 million (public domain). The path counts in degrees: x is the
longitude, y the latitude turned round.
"""

import argparse
from pathlib import Path

import fiona
import shapely
from shapely.geometry import shape

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "lsafnet_cli" / "data" / "report" / "world.txt"
TOLERANCE_DEG, LEAST_DEG2 = 1.0, 4.0


def world_path(countries: Path) -> str:
    """Return the path of all land but for small islands."""
    with fiona.open(countries) as source:
        land = shapely.union_all([shape(feature.geometry).buffer(0.01) for feature in source])
    parts = [part for part in shapely.get_parts(land.simplify(TOLERANCE_DEG)) if part.area >= LEAST_DEG2]
    return "".join(map(_ring_path, sorted(parts, key=lambda part: -part.area)))


def _ring_path(part: shapely.Polygon) -> str:
    points = [f"{x:.0f},{-y:.0f}" for x, y in part.exterior.coords[:-1]]
    kept = [point for point, last in zip(points, [None, *points], strict=False) if point != last]
    return f"M{' '.join(kept)}z"


def main() -> None:
    """Write the path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("countries", type=Path)
    TARGET.write_text(world_path(parser.parse_args().countries) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
