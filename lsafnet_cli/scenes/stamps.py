"""Stamps: a few digits that change when an input changes, be it here or on a server."""

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
    """The stamps that files had when a run began; those of servers are not asked for again."""

    known: Mapping[str, list[Any]]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Stamps":
        """Take the stamps of files as they are now."""
        return cls({name: file_stamp(name) for name in names})

    def with_files(self, names: Iterable[str]) -> "Stamps":
        """Return these stamps and those of further files as they are now."""
        return Stamps({**Stamps.of(names).known, **self.known})

    def check(self) -> None:
        """Raise InputError where a file is not the one that it was."""
        for name, stamp in self.known.items():
            if file_stamp(name) != stamp:
                raise InputError(f"{name}: has changed since the run began; run the same command again")


def scene_stamp(scene: Scene) -> list[Any]:
    """Return what changes when an image changes, be it here or on a server.

    Raises InputError where a server has to be asked and does not answer.
    """
    if not is_remote(scene.path):
        return [file_stamp(name) for name in scene.files or (scene.path,)]
    url = re.search(r"https?://[^!]+", scene.path)
    return [scene.path, (web_stamp(url[0]) if url else None) or look_of(scene)]


def file_stamp(name: str | Path) -> list[Any]:
    """Return what changes when a local file changes: size and time; any other name stands for itself."""
    path = local_path(str(name))
    try:
        status = path.stat() if path is not None else None
    except OSError:
        status = None
    if path is None or status is None:
        return [name]
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def web_stamp(url: str) -> list[str] | None:
    """Return what a server says of a file's version, None where it says nothing."""
    try:
        with urlopen(Request(url, headers={"Range": "bytes=0-0"}), timeout=WEB_SECONDS) as answer:
            said = [answer.headers[name] for name in ("ETag", "Last-Modified", "Content-Range")]
    except (OSError, HTTPException, ValueError):
        return None
    return said if any(said[:2]) else None


def look_of(scene: Scene) -> list[str]:
    """Return the header and the central block of an image, as far as they can be put into a few digits."""
    grid, (rows, cols) = scene.grid, scene.block_shape
    row, col = (length // 2 // block * block for length, block in zip(grid.shape, (rows, cols), strict=True))
    with open_raster(scene.path) as dataset:
        block = dataset.read(1, window=Window(col, row, min(cols, grid.width), min(rows, grid.height)))
        header = [dataset.shape, dataset.dtypes, dataset.tags(), *_last_block(dataset)]
    return [hashlib.sha256(content).hexdigest() for content in (json.dumps(header).encode(), block.tobytes())]


def _last_block(dataset: Any) -> list[str | None]:
    """Return where a TIFF's last block lies and how long it is."""
    rows, cols = dataset.block_shapes[0]
    last = f"{(dataset.width - 1) // cols}_{(dataset.height - 1) // rows}"
    return [dataset.get_tag_item(f"BLOCK_{what}_{last}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")]
