"""Small labelled data sets in which land cover can be told by colour."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from lsafnet.training.augment import LookOptions

from .conftest import write_raster
from .maps import blobs

COLORS = np.array([[0, 0, 0], [30, 60, 160], [150, 120, 90], [40, 130, 50], [190, 60, 60]], np.uint8)
CLASSES = ("unchanged", "water", "ground", "vegetation", "building")
STILL_LOOK = LookOptions(0, haze=0, season=0, blur=0, noise=0, jpeg=0)  # images stay as they are


SECOND_COLORS = {"unchanged": (255, 255, 255), "water": (0, 0, 255), "building": (128, 0, 0)}


def write_classes(folder: Path, **more: object) -> None:
    """Write classes.json: the names above and a colour for each."""
    (folder / "classes.json").write_text(json.dumps({"classes": class_entries(), **more}), encoding="utf-8")


def class_entries() -> list[dict[str, str]]:
    """Return the classes as a description lists them."""
    return [
        {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for name, color in zip(CLASSES, COLORS.tolist(), strict=True)
    ]


def image_of(label: np.ndarray, seed: int) -> np.ndarray:
    """Return (3, rows, cols) in which each class has its colour, with noise."""
    noise = np.random.default_rng(seed).normal(0, 8, (3, *label.shape))
    return (COLORS[label].transpose(2, 0, 1) + noise).clip(0, 255).astype(np.uint8)


def label_of(seed: int, side: int) -> np.ndarray:
    """Return (side, side) classes 1..4 in blobs."""
    return (blobs(seed, side, side, 4, block=16) + 1).astype(np.uint8)


def write_pairs(folder: Path, side: int = 48, train: int = 6, val: int = 2) -> Path:
    """Write labelled pairs as the splits train and val; the right half of each changes as it likes."""
    for split, first, count in (("train", 0, train), ("val", 100, val)):
        for number in range(first, first + count):
            before, after = label_of(number, side), label_of(number + 1000, side)
            after[:, : side // 2] = before[:, : side // 2]
            pixels = {
                "before": image_of(before, number),
                "after": image_of(after, number + 500),
                "label_before": before[None],
                "label_after": after[None],
            }
            for name, values in pixels.items():
                where = folder / split / name
                where.mkdir(parents=True, exist_ok=True)
                write_raster(where / f"scene{number}.tif", values)
    write_classes(folder)
    return folder


def write_singles(folder: Path, side: int = 64, train: int = 4, val: int = 2) -> Path:
    """Write images with labels of one date as the splits train and val."""
    for split, first, count in (("train", 0, train), ("val", 100, val)):
        for name in ("images", "labels"):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            label = label_of(number, side)
            label[:4] = 0  # unknown
            write_raster(folder / split / "images" / f"{number}.tif", image_of(label, number))
            write_raster(folder / split / "labels" / f"{number}.tif", label[None])
    write_classes(folder)
    return folder


def write_second(folder, size=16):
    """Write two pairs as SECOND has them: the left half turns from water to building, the right is unchanged."""
    white, water, building = (np.full((size, size, 3), color, np.uint8) for color in SECOND_COLORS.values())
    half = np.arange(size) < size // 2
    pictures = {
        "im1": np.full((size, size, 3), 40, np.uint8),
        "im2": np.full((size, size, 3), 90, np.uint8),
        "label1": np.where(half[None, :, None], water, white),
        "label2": np.where(half[None, :, None], building, white),
    }
    for name, picture in pictures.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            Image.fromarray(picture).save(folder / name / f"0{number}.png")
    return folder


def write_places(folder: Path, names: Iterable[str], label: np.ndarray, **more: object) -> Path:
    """Write black images PLACE_DATE of places taken for unchanged, all with one label; return the description.

    The label: 1 vegetation, 2 not vegetation, 0 unknown. more: what the description says besides.
    """
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for name in names:
        Image.fromarray(np.zeros((*label.shape, 3), np.uint8)).save(folder / "images" / f"{name}.jpg")
        Image.fromarray(label).save(folder / "labels" / f"{name}.png")
    said = {
        "folder": str(folder),
        "classes": class_entries(),
        "kind": "unchanged pairs",
        "numbers": {"0": None, "1": "vegetation", "2": ["water", "ground", "building"]},
        **more,
    }
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(said), encoding="utf-8")
    return file
