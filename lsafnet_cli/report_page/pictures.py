"""Pictures of a page as data URLs, from decimated reads: both dates as JPEG, the codes as PNG."""

import io
from base64 import b64encode
from dataclasses import dataclass

import numpy as np
from PIL import Image
from rasterio.enums import Resampling

from lsafnet_cli.errors import OptionError
from lsafnet_cli.stages.align import AlignedImage
from lsafnet_cli.stages.quicklook import read_picture
from lsafnet_cli.stages.read import open_raster
from lsafnet_cli.types import IntArray

LONGEST_SIDE_PX, SHORTEST_SIDE_PX = 2048, 64
JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Pictures:
    """Data URLs of one size (rows, cols); the dates are None where no images were given."""

    shape: tuple[int, int]
    codes: str
    before: str | None
    after: str | None

    @property
    def size_bytes(self) -> int:
        """Bytes that they take in the page."""
        return sum(len(url or "") for url in (self.codes, self.before, self.after))


def pictures_below(
    limit_bytes: int,
    map_path: str,
    scene_shape: tuple[int, int],
    pair: tuple[AlignedImage, AlignedImage] | None,
) -> Pictures:
    """Return the largest pictures, by halves from LONGEST_SIDE_PX, that fit. Raises OptionError where none does."""
    side = LONGEST_SIDE_PX
    while side >= SHORTEST_SIDE_PX:
        scale = min(1.0, side / max(scene_shape))
        rows, cols = (max(1, round(length * scale)) for length in scene_shape)
        made = _pictures(map_path, (rows, cols), pair)
        if made.size_bytes <= limit_bytes:
            return made
        side //= 2
    raise OptionError(f"--max-mb: {map_path} does not fit into so small a page; allow more")


def _pictures(
    map_path: str, shape: tuple[int, int], pair: tuple[AlignedImage, AlignedImage] | None
) -> Pictures:
    before, after = (_jpeg(image, shape) for image in pair) if pair else (None, None)
    return Pictures(shape, _codes_png(map_path, shape), before, after)


def _jpeg(image: AlignedImage, shape: tuple[int, int]) -> str:
    sink = io.BytesIO()
    Image.fromarray(read_picture(image, shape)).save(sink, "JPEG", quality=JPEG_QUALITY)
    return _data_url("image/jpeg", sink)


def _codes_png(map_path: str, shape: tuple[int, int]) -> str:
    """Return a PNG that holds the high byte of each code in red and the low byte in green."""
    with open_raster(map_path) as dataset:
        codes: IntArray = dataset.read(1, out_shape=shape, resampling=Resampling.nearest).astype(np.int64)
    bands = np.stack([codes >> 8, codes & 255, np.zeros_like(codes)], axis=-1).astype(np.uint8)
    sink = io.BytesIO()
    Image.fromarray(bands).save(sink, "PNG", optimize=True)
    return _data_url("image/png", sink)


def _data_url(kind: str, sink: io.BytesIO) -> str:
    return f"data:{kind};base64,{b64encode(sink.getvalue()).decode('ascii')}"
