"""What is done with a finished map takes memory by the width of the map, not by its height."""

import json
import subprocess
import sys

import fiona
import numpy as np
import pytest

from lsafnet_cli.files.provenance import OPTIONS
from lsafnet_cli.maps.identity import map_sha256

from .change_maps import LAND, WATER_TO_GROUND, random_codes, write_map, write_probability
from .conftest import PLACE, UTM, write_raster
from .maps import ground, write_zones

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
WIDTH, ROWS = 10_000, (2500, 10_000)
SMALL_MB, LARGE_MB = 60, 110  # what may be added; the taller map has 75 million pixels more in each raster
TOLD = """
import sys
from pathlib import Path
from lsafnet_cli.app import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    assert not left.code, left.code
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""  # not getrusage: what it says begins with the memory of the process that this one was forked from
STEPS = {
    "sample": "sample map.tif -o points.gpkg --quiet",
    "assess": "assess map.tif labelled.geojson --quiet",
    "decide": "decide map.tif -o decided.tif --sieve 20 --threshold 0.6 --quiet",
    "polygons of a review": "review map.tif review.gpkg -o by_polygons.tif --quiet",
    "verdicts of a page": "review map.tif verdicts.json -o by_page.tif --quiet",
    "labels": "review map.tif verdicts.json -o m.tif --labels labels --before b.tif --after a.tif --quiet",
}


def write_points(path):
    """Write 400 labelled points over the first 2,000 rows and columns."""
    kinds = {"reference_from": "str", "reference_to": "str"}
    schema = {"geometry": "Point", "properties": kinds}
    with fiona.open(path, "w", driver="GeoJSON", crs=UTM, schema=schema) as sink:
        for place in range(400):
            at = PLACE @ (50 + 97 * (place % 20), 50 + 97 * (place // 20))
            words = dict.fromkeys(kinds, "water")
            sink.write(
                {"type": "Feature", "geometry": {"type": "Point", "coordinates": at}, "properties": words}
            )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a folder for each height, with a map and all that the steps read."""
    made = []
    for rows in ROWS:
        folder = tmp_path_factory.mktemp(f"rows{rows}")
        codes = random_codes(rows, WIDTH, 9, seed=1, coarse=50)
        tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
        path = write_map(folder / "map.tif", codes, tags={OPTIONS: '{"threshold": 0.5}'}, **tiles)
        write_probability(path, np.where(codes == 255, 255, 70), **tiles)
        for name in ("a", "b"):
            write_raster(folder / f"{name}.tif", np.full((1, rows, WIDTH), 9, np.uint8), **tiles)
        write_zones(folder / "review.gpkg", [ground((100, 400), (100, 400))], status=["rejected"])
        first = int(np.flatnonzero(codes == WATER_TO_GROUND)[0])
        verdict = {"id": first, "from": "water", "to": "ground", "status": "rejected"}
        about = {"name": "map.tif", "sha256": map_sha256(str(path), LAND)}
        told = {"format": "lsafnet verdicts 1", "map": about, "verdicts": [verdict]}
        (folder / "verdicts.json").write_text(json.dumps(told), encoding="utf-8")
        write_points(folder / "labelled.geojson")
        made.append(folder)
    return made


@pytest.mark.parametrize("step", STEPS)
def test_the_memory_of_a_step_does_not_grow_with_the_rows_of_the_map(folders, step):
    peaks = []
    for folder in folders:
        command = [sys.executable, "-c", TOLD, *STEPS[step].split()]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.splitlines()[-1]))
    room = (
        SMALL_MB if step in ("sample", "assess", "decide") else LARGE_MB
    )  # which also keeps runs of what was judged
    assert peaks[1] - peaks[0] < room, peaks
