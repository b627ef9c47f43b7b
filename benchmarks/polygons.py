"""Seconds and memory from a map to polygons: a map of noise, which has more polygons than any real one.

    python benchmarks/polygons.py [--side PX] [--formats gpkg,fgb,...] [--options "--simplify 1"]

The default makes a million polygons. Each format is a process of its own, imports included; `cpu` is what the
process itself used, which other work on the machine does not change.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
from affine import Affine

from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend
from measuring import measure_command

LAND = Legend(("unchanged", "water", "ground"), ((255, 255, 255), (0, 0, 255), (128, 128, 128)))


def write_noise(path: Path, side_px: int) -> None:
    """Write a change map in which each pixel is unchanged or one of three transitions by chance."""
    codes = np.random.default_rng(0).integers(0, 4, (side_px, side_px)).astype(np.uint8)
    profile = {
        "driver": "GTiff",
        "width": side_px,
        "height": side_px,
        "count": 1,
        "dtype": "uint8",
        "nodata": 255,
    }
    place = {"crs": "EPSG:32632", "transform": Affine(0.5, 0, 600000, 0, -0.5, 5335000), "tiled": True}
    with rasterio.open(path, "w", **profile, **place, compress="lzw") as dataset:
        dataset.write(codes, 1)
        dataset.update_tags(**{LEGEND: LAND.to_json()})


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=1610)
    parser.add_argument("--formats", default="gpkg,fgb,shp,parquet,geojson")
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()
    print("| format | polygons | seconds | cpu seconds | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_noise(folder / "changes.tif", arguments.side)
        count = "?"
        for ending in arguments.formats.split(","):
            target = folder / f"changes.{ending}"
            more = arguments.options.split()
            words = ("vectorize", folder / "changes.tif", "-o", target, "-q", *more)
            seconds, cpu, peak = measure_command(words)
            if ending == "gpkg":
                count = f"{pyogrio.read_info(target, layer='changes')['features']:,}"
            print(f"| {ending} | {count} | {seconds:.1f} | {cpu:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
