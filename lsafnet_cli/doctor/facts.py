"""Versions, drivers, projections, memory and disks, read without torch."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fiona
import pyogrio
import pyproj
import rasterio
from fiona.transform import transform as fiona_transform
from rasterio.warp import transform as rasterio_transform

from lsafnet_cli.errors import one_line

PACKAGES = (
    "lsafnet", "torch", "numpy", "rasterio", "fiona", "pyogrio", "shapely", "pyproj", "safetensors",
    "scipy", "pillow",
)  # fmt: skip
EXTRAS = ("matplotlib", "pyarrow", "pystac", "ray", "timm", "onnx", "onnxscript", "tensorboard")
NEEDED_RASTER_DRIVERS = ("GTiff", "COG", "VRT", "MEM")
OTHER_RASTER_DRIVERS = ("JP2OpenJPEG", "HFA", "ENVI", "netCDF", "HDF5", "Zarr", "PNG", "JPEG", "HTTP", "ECW")
VECTOR_DRIVERS = ("GPKG", "GeoJSON", "FlatGeobuf", "ESRI Shapefile")
# by name, for others hold passwords
VARIABLES = (
    "LSAFNET_CHECKPOINT", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PROJ_DATA", "PROJ_LIB", "GDAL_DATA",
    "GDAL_DRIVER_PATH", "GDAL_CACHEMAX", "GDAL_NUM_THREADS", "GDAL_DISABLE_READDIR_ON_OPEN", "PYTHONPATH",
    "LD_LIBRARY_PATH", "CONDA_PREFIX",
)  # fmt: skip
PLACE, EASTING_NORTHING = (9.0, 50.0), (500_000.0, 5_538_630.7)  # on the central meridian of EPSG:32632
TOLERANCE_M = 1.0


def system_words() -> dict[str, str]:
    """Return Python's and the system's versions."""
    return {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}


def versions_of(packages: tuple[str, ...]) -> dict[str, str | None]:
    """Return each package's installed version, None where it is missing."""
    found: dict[str, str | None] = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def library_versions() -> dict[str, str]:
    """Return the versions of GDAL and PROJ that each package carries."""
    return {
        "GDAL in rasterio": rasterio.__gdal_version__,
        "GDAL in fiona": fiona.__gdal_version__,
        "GDAL in pyogrio": ".".join(map(str, pyogrio.__gdal_version__)),
        "PROJ in pyproj": pyproj.proj_version_str,
    }


def raster_drivers() -> dict[str, bool]:
    """Return which raster drivers are there; HTTP stands for reading from servers."""
    with rasterio.Env() as environment:
        there = environment.drivers()
    return {name: name in there for name in (*NEEDED_RASTER_DRIVERS, *OTHER_RASTER_DRIVERS)}


def vector_drivers() -> dict[str, bool]:
    """Return which vector drivers can write."""
    modes = pyogrio.list_drivers()
    return {name: "w" in modes.get(name, "") for name in VECTOR_DRIVERS}


def projection_problems() -> dict[str, str]:
    """Return, by package, what is wrong with its coordinate transformations; empty where all is well.

    Each package carries a PROJ with a database of its own; a PROJ_DATA of another installation breaks them.
    """
    ways: dict[str, Callable[[float, float], tuple[list[float], list[float]]]] = {
        "rasterio": lambda x, y: rasterio_transform("EPSG:4326", "EPSG:32632", [x], [y]),
        "fiona": lambda x, y: fiona_transform("EPSG:4326", "EPSG:32632", [x], [y]),
        "pyproj": lambda x, y: pyproj.Transformer.from_crs(4326, 32632, always_xy=True).transform([x], [y]),
    }
    found = {}
    for name, way in ways.items():
        try:
            (east,), (north,) = way(*PLACE)
        except Exception as error:  # each package has exceptions of its own, and all are worth telling
            found[name] = one_line(error)
            continue
        if max(abs(east - EASTING_NORTHING[0]), abs(north - EASTING_NORTHING[1])) > TOLERANCE_M:
            found[name] = f"50 N 9 E became {east:.1f}, {north:.1f} in EPSG:32632"
    return found


def memory_bytes() -> dict[str, int]:
    """Return the host's memory, `total` and `available`, as far as the system says so."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except (AttributeError, ValueError, OSError):
        return {}
    for line in lines:
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    return {"total": total, "available": available}


def free_disk_bytes() -> dict[str, int]:
    """Return what is free in the working folder and in that of temporary files."""
    folders = (Path.cwd(), Path(tempfile.gettempdir()))
    return {str(folder): shutil.disk_usage(folder).free for folder in folders}


def environment() -> dict[str, str]:
    """Return the variables that change what GDAL, PROJ and torch do, where they are set."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}
