"""Side files of polygon files and rasters."""

from pathlib import Path

SHAPEFILE_ENDINGS = (
    ".shx",
    ".dbf",
    ".prj",
    ".cpg",
    ".qix",
    ".sbn",
    ".sbx",
)  # beside the .shp; the last 3 index it
SQLITE_MORE = ("-journal", "-wal", "-shm")
RASTER_MORE = (".aux.xml", ".ovr", ".msk")  # what GDAL reads with a raster; QGIS reads its .qml


def side_files(path: Path) -> list[Path]:
    """Return the possible side files of a polygon file or a raster."""
    ending = path.suffix.lower()
    if ending in (".tif", ".tiff"):
        return [*(path.with_name(path.name + more) for more in RASTER_MORE), path.with_suffix(".qml")]
    if ending == ".gpkg":
        return [path.with_name(path.name + more) for more in SQLITE_MORE]
    return [path.with_suffix(more) for more in SHAPEFILE_ENDINGS] if ending == ".shp" else []
