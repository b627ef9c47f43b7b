"""Maps with known pixels, written as the tool writes them, without a network."""

import shutil
import subprocess
from datetime import date
from pathlib import Path

import fiona
import numpy as np
import pytest
from affine import Affine
from fiona.transform import transform_geom
from rasterio.crs import CRS
from shapely.geometry import box, mapping

from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.provenance import Provenance
from lsafnet_cli.files.publishing import publish
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Color, Legend, parse_color
from lsafnet_cli.prediction.write import MapWriter, PartLayout, PartStore, write_part

from .conftest import PLACE, UTM

# water, ground, low vegetation, tree, building, playground
SECOND = ("#0000ff", "#808080", "#008000", "#00ff00", "#800000", "#ff0000")
SAMPLE = ("#0000ff", "#808080", "#008000", "#800000")
# fifteen classes in the manner of CORINE's second level
CORINE = (
    "#e6004d", "#cc4df2", "#a600cc", "#ffa6ff", "#ffffa8", "#e68000", "#e6e64d", "#ffe6a6",
    "#80ff00", "#ccf24d", "#e6e6e6", "#a6a6ff", "#4d4dff", "#00ccf2", "#00ffa6",
)  # fmt: skip


def colors_of(texts: tuple[str, ...]) -> tuple[Color, ...]:
    return tuple(map(parse_color, texts))


def legend_of(texts: tuple[str, ...] = SAMPLE, names: tuple[str, ...] | None = None) -> Legend:
    """Return a legend with these colours; names default to letters."""
    names = names or tuple(chr(ord("A") + number) for number in range(len(texts)))
    return Legend(("unchanged", *names), colors_of(("#ffffff", *texts)))


def large_legend(count: int) -> Legend:
    """Return a legend of any number of classes, with umlauts and CJK in their names."""
    names = tuple(f"Größe {number} 水" for number in range(1, count + 1))
    return legend_of(
        tuple(f"#{n * 37 % 256:02x}{n * 71 % 256:02x}{n * 113 % 256:02x}" for n in range(count)), names
    )


def provenance_of(legend: Legend, **changes: object) -> Provenance:
    """Return an origin that nothing depends on."""
    values: dict[str, object] = {
        "legend": legend, "version": "0", "checkpoint": "none.safetensors", "checkpoint_sha256": "0" * 64,
        "before": "before.tif", "after": "after.tif", "before_date": None, "after_date": None, "options": {},
    }  # fmt: skip
    return Provenance(**(values | changes))


def write_map(
    path: Path, codes: np.ndarray, legend: Legend, crs: str | None = UTM, transform: Affine = PLACE,
    dates: tuple[date | None, date | None] = (None, None), **layers: np.ndarray,
) -> Path:  # fmt: skip
    """Write (rows, cols) codes, and layers beside them, with their styles."""
    rows, cols = codes.shape
    grid = Grid(CRS.from_string(crs) if crs else None, transform, cols, rows)
    provenance = provenance_of(legend, before_date=dates[0], after_date=dates[1])
    store, layout = PartStore(path), PartLayout(grid, rows, ((0, cols),))
    store.create()
    writer = MapWriter(store, layout, provenance)
    for name, pixels in {CODES: codes.astype(legend.dtype), **layers}.items():
        nodata = legend.nodata if name == CODES else 255
        write_part(store.part(name, (0, rows), (0, cols)), pixels, nodata)
        target = path if name == CODES else path.with_name(f"{path.stem}.{name}.tif")
        publish(store, writer.write_layer(name, target))
    store.remove()
    return path


def write_town(folder: Path) -> tuple[Path, np.ndarray, Legend]:
    """Write a map of four classes and 120x90 pixels, a corner without data; return its codes and legend too."""
    legend = legend_of(names=("Wasser", "offener Boden", "Grünfläche", "建物"))
    codes = blobs(5, 120, 90, legend.code_count, block=10)
    codes[:20, :30] = legend.nodata
    return write_map(folder / "changes.tif", codes, legend), codes, legend


def blobs(seed: int, rows: int, cols: int, values: int, block: int = 24) -> np.ndarray:
    """Return (rows, cols) numbers below `values` in squares."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, values, (rows // block + 1, cols // block + 1))
    return np.kron(coarse, np.ones((block, block), int))[:rows, :cols]


def ground(rows, cols):
    """Return the rectangle of rows and columns of PLACE's pixels."""
    (left, top), (right, bottom) = PLACE @ (cols[0], rows[0]), PLACE @ (cols[1], rows[1])
    return box(left, bottom, right, top)


def write_zones(path, shapes, crs=UTM, driver="GPKG", layer=None, **columns):
    """Write polygons, given in UTM, with columns of attributes, in any CRS."""
    kinds = {name: {str: "str", int: "int"}[type(values[0])] for name, values in columns.items()}
    schema = {"geometry": "Polygon", "properties": kinds}
    options = {"layer": layer} if layer else {}
    with fiona.open(path, "w", driver=driver, crs=crs, schema=schema, **options) as sink:
        for number, shape in enumerate(shapes):
            values = {name: column[number] for name, column in columns.items()}
            geometry = transform_geom(UTM, crs, mapping(shape)) if crs else mapping(shape)
            sink.write({"type": "Feature", "geometry": geometry, "properties": values})
    return str(path)


def output_of(program: str, *words: object) -> str:
    """Return what a program of Debian's gdal-bin prints; skip where it is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: gdal-bin)")
    command = [program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def from_to_classes(codes: np.ndarray, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the (from, to) classes of transition codes; both are 0 where the code is 0."""
    position = np.maximum(codes.astype(np.int32) - 1, 0)
    changed = codes > 0
    before = np.where(changed, position // class_count + 1, 0)
    after = np.where(changed, position % class_count + 1, 0)
    return before.astype(np.uint8), after.astype(np.uint8)
