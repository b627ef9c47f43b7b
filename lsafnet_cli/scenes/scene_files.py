"""Scene files: opened images with expanded palettes, georeferencing, and validity.

If a scene is not just the pixels of a file, it is read through a virtual raster (GDAL's VRT format): the
bands come first, then one or two bands that hold VALID where pixels are valid.
"""

from collections.abc import Sequence
from typing import Any, Self
from xml.etree import ElementTree as ET

import numpy as np
from rasterio.crs import CRS
from rasterio.windows import Window

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import rasterio_open
from lsafnet_cli.files.vrt import GDAL_TYPES, add_transform
from lsafnet_cli.files.vsi import vsi_name
from lsafnet_cli.scenes.read import Scene
from lsafnet_cli.scenes.validity import BoolArray, NumberArray, all_finite, valid_pixels, validity_of

VALID = 100  # fits every dtype; after a warp it is the valid percentage of a pixel
ANY_CRS = "EPSG:3857"  # used if both images have none, since GDAL needs one to warp


class SceneSource:
    """An open scene. Read it from one thread only."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._file = rasterio_open(scene.path)
        stored = (1,) if scene.paletted else scene.bands
        found = self._file.shape, validity_of(self._file, stored, scene.nodata_given)
        if found != (
            scene.file_shape,
            scene.validity,
        ):  # for example a mask file that an unreliable server no longer finds
            self._file.close()
            raise InputError(f"{scene.path}: has changed since the run started; run the same command again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def has_overviews(self) -> bool:
        """Whether a decimated read is cheap."""
        return bool(self._file.overviews(1))

    def read(
        self, window: Window | None, shape: tuple[int, int] | None = None
    ) -> tuple[NumberArray, BoolArray]:
        """Return values (bands, rows, cols) and valid (rows, cols) of a window, or of the whole image, in `shape`."""
        rows, cols = shape or ((window.height, window.width) if window else self._scene.file_shape)
        numbers = np.empty((len(self._scene.bands), int(rows), int(cols)), self._scene.dtype)
        valid = np.empty(numbers.shape[1:], bool)
        self.read_into(numbers, valid, window)
        return numbers, valid

    def read_into(self, numbers: NumberArray, valid: BoolArray | None, window: Window | None = None) -> None:
        """Fill `numbers` and, unless it is None, `valid` from a window of the file's own pixels, or all of it."""
        scene = self._scene
        if scene.paletted:
            self._read_palette(numbers, valid, window)
            return
        self._file.read(scene.bands, window=window, out=numbers)
        if valid is not None:
            valid[:] = self._valid(numbers, window)

    def _valid(self, numbers: NumberArray, window: Window | None) -> BoolArray:
        scene, shape = self._scene, numbers.shape[1:]
        valid = valid_pixels(numbers, scene.nodata)
        if scene.validity == "mask":
            valid &= self._file.read_masks(scene.bands[0], window=window, out_shape=shape) > 0
        if scene.alpha is not None:
            valid &= self._file.read(scene.alpha, window=window, out_shape=shape) > 0
        return valid

    def _read_palette(self, numbers: NumberArray, valid: BoolArray | None, window: Window | None) -> None:
        indices = self._file.read(1, window=window, out_shape=numbers.shape[1:])
        colors = np.zeros((256, 4), np.uint8)
        for index, color in self._file.colormap(1).items():
            colors[index] = color
        for band, number in enumerate(self._scene.bands):
            np.take(colors[:, number - 1], indices, out=numbers[band])
        if valid is not None:
            valid[:] = (colors[:, 3] > 0)[indices]
            valid &= self._file.read_masks(1, window=window, out_shape=numbers.shape[1:]) > 0

    def open_virtual(self) -> Any:
        """Return the scene as a raster to warp: its bands, then its validity bands."""
        return rasterio_open(virtual_xml(self._scene))


def usable_pixels(numbers: NumberArray, validity: NumberArray) -> BoolArray:
    """Return (rows, cols), True where all source pixels of a warped pixel were valid.

    `validity` (bands, rows, cols) are a virtual raster's validity bands, warped alike.
    """
    return np.asarray((validity > VALID - 0.5).all(axis=0) & all_finite(numbers))


def virtual_xml(scene: Scene) -> str:
    """Return the text of the virtual raster of a scene."""
    rows, cols = scene.file_shape
    root = ET.Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    _place(root, scene)
    name = vsi_name(scene.path)
    for band in scene.bands:
        _number_band(root, scene, name, band)
    if scene.alpha_is_data and scene.validity == "all":  # GDAL would take that band as the mask of the file
        _validity_band(root, name, ["1"], everywhere=True)
        return ET.tostring(root, encoding="unicode")
    if scene.nodata_given and scene.validity == "nodata":
        name = _with_nodata(scene, name)
    elif scene.nodata_given and not scene.paletted:
        given = [f"mask,{band}" for band in dict.fromkeys(scene.bands)]
        _validity_band(root, _with_nodata(scene, name), given)
    masked = (
        scene.bands if scene.validity == "nodata" and not scene.paletted else (1,)
    )  # else all bands share one
    _validity_band(root, name, [f"mask,{band}" for band in dict.fromkeys(masked)])
    if scene.paletted:
        _validity_band(root, name, ["1"], color_component=4)
    if scene.alpha is not None:
        _validity_band(root, name, [str(scene.alpha)])
    return ET.tostring(root, encoding="unicode")


def _place(root: ET.Element, scene: Scene) -> None:
    placement, crs = scene.placement, (scene.grid.crs or CRS.from_user_input(ANY_CRS)).to_wkt()
    if placement.gcps:
        points = ET.SubElement(root, "GCPList", Projection=crs)
        for number, (row, col, x, y, z) in enumerate(placement.gcps):
            values = {"Pixel": col, "Line": row, "X": x, "Y": y, "Z": z}
            ET.SubElement(
                points, "GCP", {"Id": str(number), **{k: repr(float(v)) for k, v in values.items()}}
            )
        return
    ET.SubElement(root, "SRS").text = crs
    if placement.rpcs:
        metadata = ET.SubElement(root, "Metadata", domain="RPC")
        for key, value in placement.rpcs:
            ET.SubElement(metadata, "MDI", key=key).text = value
        return
    add_transform(root, scene.grid.transform)


def _number_band(root: ET.Element, scene: Scene, name: str, band: int) -> None:
    element = ET.SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[scene.dtype])
    if scene.paletted:
        source = _source(element, "ComplexSource", name, "1")
        ET.SubElement(source, "ColorTableComponent").text = str(band)
    else:
        _source(element, "SimpleSource", name, str(band))


def _with_nodata(scene: Scene, name: str) -> str:
    """Return the text of a virtual raster of bands of a file, with their own no-data values."""
    rows, cols = scene.file_shape
    root = ET.Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    numbers = dict(zip(scene.bands, scene.nodata, strict=True))
    for band in range(1, max(scene.bands) + 1):
        element = ET.SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[scene.dtype], band=str(band))
        ET.SubElement(element, "NoDataValue").text = repr(float(numbers.get(band) or 0))
        _source(element, "SimpleSource", name, str(band))
    return ET.tostring(root, encoding="unicode")


def _validity_band(
    root: ET.Element, name: str, sources: Sequence[str], color_component: int = 0, everywhere: bool = False
) -> None:
    element = ET.SubElement(root, "VRTRasterBand", dataType="Byte")
    if len(sources) > 1:
        element.set("subClass", "VRTDerivedRasterBand")
        ET.SubElement(element, "PixelFunctionType").text = "max"  # valid where any band holds data
    for band in sources:
        source = _source(element, "ComplexSource", name, band)
        if color_component:
            ET.SubElement(source, "ColorTableComponent").text = str(color_component)
        ET.SubElement(source, "LUT").text = f"0:{VALID},1:{VALID}" if everywhere else f"0:0,1:{VALID}"


def _source(element: ET.Element, kind: str, name: str, band: str) -> ET.Element:
    source = ET.SubElement(element, kind)
    ET.SubElement(source, "SourceFilename", relativeToVRT="0").text = name
    ET.SubElement(source, "SourceBand").text = band
    return source
