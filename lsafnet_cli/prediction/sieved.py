"""Sieve of the map itself, with the layers from and to, before it is written."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import rasterio

from lsafnet_cli.files.layers import CODES, PERCENT_NODATA
from lsafnet_cli.files.rasters import grid_of, rasterio_open
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.prediction.write import MapWriter, PartStore


def sieve_layers(
    store: PartStore, writer: MapWriter, legend: Legend, sieve_px: int, layers: Collection[str]
) -> None:
    """Remove connected components of fewer than `sieve_px` pixels from a map; its parts stay unchanged."""
    from lsafnet_cli.polygons.sieve import sieve_map  # here, since scipy is slow to import and rarely needed

    codes = store.path(f"{CODES}.whole.tif")
    sieve_map(writer.mosaic(CODES), codes, legend.nodata, sieve_px, in_pixels=True)
    writer.take_whole(CODES, codes)
    write_class_layers(store, writer, legend, layers)


def write_class_layers(store: PartStore, writer: MapWriter, legend: Legend, layers: Collection[str]) -> None:
    """Derive from and to, if they are among `layers`, from the codes of a map."""
    for layer in ("from", "to"):
        if layer in layers:
            classes = store.path(f"{layer}.whole.tif")
            _write_classes(writer.mosaic(CODES), classes, layer, legend)
            writer.take_whole(layer, classes)


def _write_classes(codes: Path, target: Path, layer: str, legend: Legend) -> None:
    """Write the class before, or after, of the codes of a map."""
    number_of = np.zeros(legend.nodata + 1, np.uint8)
    for transition in legend.transitions:
        number_of[transition.code] = transition.from_class if layer == "from" else transition.to_class
    number_of[legend.nodata] = PERCENT_NODATA
    with rasterio_open(codes) as source:
        profile = {**source.profile, "driver": "GTiff", "dtype": "uint8", "nodata": PERCENT_NODATA}
        with rasterio.open(target, "w", **profile) as classes:
            for window in row_windows(grid_of(source)):
                classes.write(number_of[source.read(1, window=window)], 1, window=window)
