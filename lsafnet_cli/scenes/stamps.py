"""Stamps: short hashes that change when an input changes, local or on a server."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from rasterio.windows import Window

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.sources import is_remote, local_path
from lsafnet_cli.scenes.read import Scene

WEB_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Stamps:
    """Stamps of files at the start of a run; those of remote files are not requested again."""

    known: Mapping[str, list[Any]]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Stamps":
        """Record the current stamps of files."""
        return cls({name: file_stamp(name) for name in names})

    def with_files(self, names: Iterable[str]) -> "Stamps":
        """Return these stamps and the current ones of further files."""
        return Stamps({**Stamps.of(names).known, **self.known})

    def check(self) -> None:
        """Raise InputError if a file has changed."""
        for name, stamp in self.known.items():
            if file_stamp(name) != stamp:
                raise InputError(f"{name}: has changed since the run started; run the same command again")


def scene_stamp(scene: Scene) -> list[Any]:
    """Return a stamp of an image, local or remote.

    Raises InputError if a server has to be asked and does not respond.
    """
    if not is_remote(scene.path):
        return [file_stamp(name) for name in scene.files or (scene.path,)]
    url = re.search(r"https?://[^!]+", scene.path)
    return [scene.path, (web_stamp(url[0]) if url else None) or look_of(scene)]


def file_stamp(name: str | Path) -> list[Any]:
    """Return a stamp of a local file from size and time; any other name is its own stamp."""
    path = local_path(str(name))
    try:
        status = path.stat() if path is not None else None
    except OSError:
        status = None
    if path is None or status is None:
        return [name]
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def web_stamp(url: str) -> list[str] | None:
    """Return the version of a file reported by a server, None if there is none."""
    try:
        with urlopen(Request(url, headers={"Range": "bytes=0-0"}), timeout=WEB_SECONDS) as answer:
            said = [answer.headers[name] for name in ("ETag", "Last-Modified", "Content-Range")]
    except (OSError, HTTPException, ValueError):
        return None
    return said if any(said[:2]) else None


def look_of(scene: Scene) -> list[str]:
    """Return a hash of the header and the central block of an image."""
    grid, (rows, cols) = scene.grid, scene.block_shape
    row, col = (length // 2 // block * block for length, block in zip(grid.shape, (rows, cols), strict=True))
    with open_raster(scene.path) as dataset:
        block = dataset.read(1, window=Window(col, row, min(cols, grid.width), min(rows, grid.height)))
        header = [dataset.shape, dataset.dtypes, dataset.tags(), *_last_block(dataset)]
    return [hashlib.sha256(content).hexdigest() for content in (json.dumps(header).encode(), block.tobytes())]


def _last_block(dataset: Any) -> list[str | None]:
    """Return offset and size of a TIFF's last block."""
    rows, cols = dataset.block_shapes[0]
    last = f"{(dataset.width - 1) // cols}_{(dataset.height - 1) // rows}"
    return [dataset.get_tag_item(f"BLOCK_{what}_{last}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")]
