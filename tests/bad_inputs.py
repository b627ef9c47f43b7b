"""A folder of things that go wrong: files that are no images, headers that lie, links that lead nowhere."""

import os
import pickle
import socket
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import shapely

from .conftest import PLACE, noise, write_raster

LARGEST = 2**31 - 1
SHORT, LONG = 3, 4


def tiff_header(tags: Mapping[int, tuple[int, tuple[int, ...]]]) -> bytes:
    """Return a little-endian TIFF of one directory and nothing else; `tags` maps numbers to (type, values)."""
    directory, values = b"", b""
    first_value = 8 + 2 + 12 * len(tags) + 4
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", first_value + len(values))
        values += packed if len(packed) > 4 else b""
        directory += struct.pack("<HHI", tag, kind, len(numbers)) + place
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + values


def lying_header(
    width: int, height: int, bands: int = 3, tile: int = 0, strip_rows: int = 1, deflate: bool = False
) -> bytes:
    """Return a TIFF's header that declares 8-bit pixels it does not hold: one block of 100 bytes is all it names."""
    tags = {
        256: (LONG, (width,)), 257: (LONG, (height,)), 258: (SHORT, (8,) * bands),
        259: (SHORT, (8 if deflate else 1,)), 262: (SHORT, (2 if bands == 3 else 1,)), 277: (SHORT, (bands,)),
    }  # fmt: skip
    if tile:
        layout = {322: (LONG, (tile,)), 323: (LONG, (tile,)), 324: (LONG, (8,)), 325: (LONG, (100,))}
    else:
        layout = {273: (LONG, (8,)), 278: (LONG, (strip_rows,)), 279: (LONG, (100,))}
    return tiff_header(tags | layout)


def lying_png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that declares any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))


def vrt(width: int, height: int, bands: int = 3, source: str = "") -> str:
    """Return a mosaic's text, of one source or none."""
    inner = f"<SimpleSource><SourceFilename>{source}</SourceFilename></SimpleSource>" if source else ""
    band = f'<VRTRasterBand dataType="Byte">{inner}</VRTRasterBand>'
    return f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{band * bands}</VRTDataset>'


class Bomb:
    """A pickle of this makes a folder when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


def fill_folder() -> None:
    """Fill the current folder with a good pair, a.tif and b.tif, and with things that are not."""
    write_images()
    write_liars()
    write_links_and_devices()
    for name, transform in (
        ("nan", "nan, 0.5, 0, 5335000, 0, -0.5"),
        ("inf", "600000, inf, 0, 5335000, 0, -0.5"),
        ("flat", "600000, 0.5, 0, 5335000, 0, 0"),
    ):
        text = vrt(80, 70, source="a.tif").replace(
            "<VRTR", f"<GeoTransform>{transform}</GeoTransform><VRTR", 1
        )
        Path(f"{name}.vrt").write_text(text)
    Path("text.tif").write_text("not an image")
    Path("empty.tif").touch()
    Path("folder.tif").mkdir()
    Path("folder.gpkg").mkdir()
    Path("there.tif").write_text("precious")
    Path("code.safetensors").write_bytes(pickle.dumps(Bomb()))
    Path("code.pth").write_bytes(pickle.dumps(Bomb()))
    Path("long.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    Path("plain.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    Path("far.geojson").write_text(shapely.to_geojson(shapely.box(0, 0, 1, 1)))
    Path("bytes.geojson").write_bytes(b"{\xff" + Path("far.geojson").read_bytes())
    Path("line.geojson").write_text(shapely.to_geojson(shapely.LineString([(9, 48), (10, 49)])))
    with zipfile.ZipFile("pair.zip", "w") as archive:
        archive.write("a.tif")
    Path("cut.zip").write_bytes(Path("pair.zip").read_bytes()[:2000])


def write_images() -> None:
    """Write images that are whole but no pair, and images that are damaged."""
    write_raster(Path("a.tif"), noise(1, 70, 80))
    write_raster(Path("b.tif"), noise(2, 70, 80))
    write_raster(Path("far.tif"), noise(2, 70, 80), transform=PLACE @ PLACE.translation(500, 500))
    write_raster(Path("grey.tif"), noise(2, 70, 80, bands=1))
    write_raster(Path("complex.tif"), np.ones((3, 70, 80), "complex64"))
    write_raster(Path("bare.tif"), noise(1, 70, 80), crs=None, transform=None)
    write_raster(Path("bare_twin.tif"), noise(2, 70, 80), crs=None, transform=None)
    write_raster(Path("bare_small.tif"), noise(1, 60, 80), crs=None, transform=None)
    Path("cut.tif").write_bytes(Path("a.tif").read_bytes()[:3000])
    write_hurt(Path("hurt.tif"), "uint8")
    write_hurt(Path("hurt16.tif"), "uint16")  # is read once before the run, to find its stretch
    Path("hole.vrt").write_text(vrt(80, 70, source="gone.tif"))
    Path("pipe.vrt").write_text(vrt(80, 70, source="pipe.tif"))
    Path("ring.vrt").write_text(vrt(80, 70, source="ring.vrt"))
    for name in ("hole", "ring"):
        Path(f"{name}_after.vrt").write_text(Path(f"{name}.vrt").read_text())


def write_hurt(path: Path, dtype: str) -> None:
    """Write an image that opens well, but some of whose compressed pixels were overwritten."""
    pixels = np.random.default_rng(0).integers(1, 255, (3, 70, 80), dtype)
    whole = write_raster(path, pixels, compress="deflate").read_bytes()
    third = len(whole) // 3
    path.write_bytes(whole[:third] + bytes(third) + whole[2 * third :])


def write_liars() -> None:
    """Write headers of a few hundred bytes that declare pixels without end."""
    liars = {
        "none": lying_header(0, 0),
        "strips": lying_header(LARGEST, LARGEST),
        "strip": lying_header(LARGEST, LARGEST, strip_rows=LARGEST, deflate=True),
        "tiles": lying_header(LARGEST, LARGEST, tile=512),
        "many_tiles": lying_header(100_000, 100_000, tile=512),
        "one_tile": lying_header(100_000, 100_000, tile=100_016, deflate=True),
        "wide": lying_header(10_000_000, 10, strip_rows=10, deflate=True),
        "tall": lying_header(10, 10_000_000, strip_rows=10_000_000, deflate=True),
        "bands": lying_header(70, 80, bands=65_535, strip_rows=80),
    }
    for name, content in liars.items():
        Path(f"lie_{name}.tif").write_bytes(content)
    Path("lie.png").write_bytes(lying_png(1_000_000, 1_000_000))
    Path("lie_size.vrt").write_text(vrt(LARGEST, LARGEST))
    Path("lie_bands.vrt").write_text(vrt(70, 80, bands=100_000))
    Path("lie_bands.bin").write_bytes(bytes(5600))
    envi = "ENVI\nsamples = 70\nlines = 80\nbands = 100000\ndata type = 1\ninterleave = bsq\nbyte order = 0\n"
    Path("lie_bands.hdr").write_text(envi)


def write_links_and_devices() -> None:
    """Make links, pipes and sockets."""
    Path("link.tif").symlink_to("a.tif")
    Path("hard.tif").hardlink_to("a.tif")
    Path("loop.tif").symlink_to("loop.tif")
    Path("round.tif").symlink_to("about.tif")
    Path("about.tif").symlink_to("round.tif")
    Path("dangling.tif").symlink_to("gone.tif")
    os.mkfifo("pipe.tif")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket.tif")
