"""Bands: which of a file's bands are read, by number, by name, or by their colours."""

import re
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp

from lsafnet_cli.errors import InputError, OptionError

READABLE_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
COLORS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
OTHER_WAVES = {
    "edge",
    "infrared",
    "nir",
    "near",
    "swir",
    "coastal",
    "ultra",
    "mask",
    "yellow",
}  # for example "red edge"
NAMES_SHOWN = 20


def choose_bands(
    dataset: Any, path: str, bands: tuple[int | str, ...] | None, band_count: int | None
) -> tuple[int, ...]:
    """Return the numbers of the bands to read: those named, else the first `band_count` that are not alpha.

    If three are needed and the file has red, green and blue bands, these are taken in that order. Names
    are compared with the bands' descriptions, then with the colours, in any case. Raises InputError if the
    file lacks one, OptionError if the checkpoint needs another number of bands.
    """
    meanings = list(dataset.colorinterp)
    colors = [index for index, meaning in enumerate(meanings, 1) if meaning != ColorInterp.alpha]
    wanted = band_count or len(colors)
    if bands is not None:
        if len(bands) != wanted:
            shown = ",".join(map(str, bands))
            raise OptionError(
                f"`bands` {shown}: {len(bands)} bands are given, but the checkpoint needs {wanted}"
            )
        return tuple(_band_number(dataset, path, band) for band in bands)
    if wanted == len(COLORS) and (found := colors_said(dataset)):
        return found
    if len(colors) < wanted:
        repeated = ",".join(["1"] * wanted)
        hint = f"; `bands` {repeated} repeats its only one" if len(colors) == 1 else ""
        raise InputError(f"{path}: has {len(colors)} bands, but the checkpoint needs {wanted}{hint}")
    return tuple(colors[:wanted])


def colors_said(dataset: Any) -> tuple[int, ...] | None:
    """Return the numbers of a file's red, green and blue bands, None if they are unknown.

    Descriptions take precedence over colours, since GDAL by default calls the first three bands red, green and blue.
    """
    described = [(description or "").strip().casefold() for description in dataset.descriptions]
    colored = [meaning.name for meaning in dataset.colorinterp]
    for said in (described, list(map(_color_word, described)), colored):
        if all(said.count(color.name) == 1 for color in COLORS):
            return tuple(said.index(color.name) + 1 for color in COLORS)
    return None


def shown_bands(dataset: Any, bands: tuple[int, ...], paletted: bool) -> tuple[int, ...]:
    """Return the positions in `bands` to display as red, green and blue, (0,) for one in grey.

    These are the file's red, green and blue if all are read, else the first three.
    """
    colors = (1, 2, 3) if paletted else colors_said(dataset)
    if colors is not None and set(colors) <= set(bands):
        return tuple(map(bands.index, colors))
    return (0, 1, 2) if len(bands) >= len(COLORS) else (0,)


def _color_word(description: str) -> str:
    """Return the colour that a description such as "b4 (red)" or "band_3_green" names, else ""."""
    words = re.findall("[a-z]+", description)
    named = {color.name for color in COLORS} & set(words)
    return named.pop() if len(named) == 1 and not OTHER_WAVES & set(words) else ""


def choose_colors(
    _dataset: Any, path: str, bands: tuple[int | str, ...] | None, band_count: int | None
) -> tuple[int, ...]:
    """Return the bands of a palette image, where 1 is red, 2 green and 3 blue; see `choose_bands`."""
    names = [color.name for color in COLORS]
    found = tuple(names.index(band) + 1 if band in names else band for band in bands or (1, 2, 3))
    if wrong := [band for band in found if band not in (1, 2, 3)]:
        raise InputError(f"{path}: a palette image has bands 1, 2, 3 (red, green, blue), not {wrong[0]}")
    if band_count not in (None, len(found)):
        raise InputError(
            f"{path}: a palette image gives {len(found)} bands, but the checkpoint needs {band_count}"
        )
    return tuple(int(band) for band in found)


def _band_number(dataset: Any, path: str, band: int | str) -> int:
    if isinstance(band, int):
        if band > dataset.count:
            raise InputError(f"{path}: has {dataset.count} bands; `bands` asks for band {band}")
        return band
    names = band_names(dataset)
    for found in ([name for name, _ in names], [color for _, color in names]):
        matches = [number for number, name in enumerate(found, 1) if name.casefold() == band.casefold()]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise InputError(
                f"{path}: bands {matches} all have the name {band!r}; give their numbers in `bands`"
            )
    shown = ", ".join(filter(None, (name or color for name, color in names[:NAMES_SHOWN]))) or "no names"
    raise InputError(f"{path}: no band has the name {band!r}; there are {shown}")


def band_names(dataset: Any) -> list[tuple[str, str]]:
    """Return (description, colour) of each band, "" if unknown."""
    unsaid = (ColorInterp.undefined, ColorInterp.gray)
    return [
        (description or "", "" if meaning in unsaid else meaning.name)
        for description, meaning in zip(dataset.descriptions, dataset.colorinterp, strict=True)
    ]


def is_paletted(dataset: Any) -> bool:
    """Return whether an open raster is one band of palette indices, to be read as red, green and blue."""
    return bool(dataset.colorinterp[0] == ColorInterp.palette and dataset.dtypes[0] == "uint8")


def common_dtype(dataset: Any, path: str, bands: tuple[int, ...]) -> str:
    """Return the dtype that holds the values of all `bands`. Raises InputError for complex ones."""
    dtypes = {dataset.dtypes[band - 1] for band in bands}
    if unreadable := dtypes - set(READABLE_DTYPES):
        raise InputError(
            f"{path}: holds {', '.join(sorted(unreadable))} numbers; convert them to real numbers"
        )
    return str(np.result_type(*dtypes))
