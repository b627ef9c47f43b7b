"""Measure the domain of a checkpoint: pixel sizes, bands and statistics of the images that it was trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import nn

from lsafnet.checkpoint.domain import Domain
from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet.domain import measure_domain
from lsafnet.training.augment import resize_image
from lsafnet.training.examples import Floats
from lsafnet_cli.checkpoints.choose import load_named_checkpoint
from lsafnet_cli.checkpoints.writing import check_checkpoint_path, write_with_info
from lsafnet_cli.data_sets.layouts import WHOLE
from lsafnet_cli.data_sets.matching import Item
from lsafnet_cli.data_sets.opening import DataSet, open_data_set
from lsafnet_cli.data_sets.pairs import LabelledImage, LabelledPair, read_values
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.geometry.windows import mirrored
from lsafnet_cli.observer import Observer
from lsafnet_cli.scenes.align import AlignedImage
from lsafnet_cli.scenes.bands import COLORS, band_names
from lsafnet_cli.scenes.read import Scene
from lsafnet_cli.scenes.stretch import Stretch
from lsafnet_cli.system.heap import memory_errors
from lsafnet_cli.training.setup import TrainingSetup, needs_variety
from lsafnet_cli.training.sources import Source, Turns, common_sets, zoom_of
from lsafnet_cli.training.views import drawn_zoom, random_square

WINDOWS = 64  # of the training images, whose statistics are taken
TRIES = 8  # for a window that the image fills
LEAST_VALID_SHARE = 0.9
MOST_OPENED = 20  # images of a data set whose pixel size and bands are read


@dataclass(frozen=True)
class TrainingImages:
    """The images that a network is trained on: a source for each data set.

    `wide`: whether they are seen at the zooms of their sources, as `lsafnet_cli.training.views` does.
    """

    data_sets: tuple[DataSet, ...]
    sources: tuple[Source, ...]
    crop_px: int
    wide: bool

    def windows(self, count: int, seed: int = 0) -> Iterator[Floats]:
        """Yield about `count` windows (bands, crop, crop) of values, as often of each source as its share says."""
        rng, turns = np.random.default_rng(seed), Turns(tuple(source.share for source in self.sources))
        for number in range(count):
            source = self.sources[turns.of(number)[0]]
            found = (self._window(source, rng) for _ in range(TRIES))
            image = next((one for one in found if one is not None), None)
            if image is not None:
                yield image

    def _window(self, source: Source, rng: np.random.Generator) -> Floats | None:
        """Return a window of one date of an item; None where much of it has no data."""
        image, stretch, value_range = _random_date(source.items[int(rng.integers(len(source.items)))], rng)
        side = self.crop_px
        wide = max(8, round(side * drawn_zoom(source.zoom, rng))) if self.wide else side
        window = random_square(image.grid.shape, wide, rng)
        values, valid = read_values(image, window, stretch, value_range)
        if valid.mean() < LEAST_VALID_SHARE:
            return None
        if self.wide:
            return resize_image(values, (side, side))
        rows, cols = (mirrored(length, side) for length in valid.shape)
        return values[:, rows[:, None], cols]

    @cached_property
    def gsd_m(self) -> tuple[float, float] | None:
        """Return the least and the greatest pixel size seen, in m; None where a data set does not tell its own."""
        seen: list[float] = []
        for data_set, source in zip(self.data_sets, self.sources, strict=True):
            sizes = [pixel_size_m(item.grid) for item in _some(source.items)]
            known = [size for size in sizes if size is not None]
            if not known and data_set.description.get("gsd_m"):
                known = [float(data_set.description["gsd_m"])]
            if not known:
                return None
            low, high = source.zoom if self.wide else (1.0, 1.0)
            seen += [min(known) * low, max(known) * high]
        return float(f"{min(seen):.3g}"), float(f"{max(seen):.3g}")

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """Return the colours of the bands where all files name the same ones, else ()."""
        said = {
            _band_colors(scene)
            for source in self.sources
            for item in _some(source.items)
            for scene in _scenes(item)
        }
        colors = said.pop() if len(said) == 1 else ()
        return colors if all(colors) else ()


def training_images(setup: TrainingSetup) -> TrainingImages:
    """Return the images that a training draws from."""
    return TrainingImages(setup.data_sets, setup.train, setup.crop_px, setup.wide)


def domain_of(
    network: nn.Module, info: CheckpointInfo, images: TrainingImages, count: int = WINDOWS
) -> Domain:
    """Return the domain of a network: statistics of `count` windows of its training images, and of its features.

    Where hardly any window is filled, or the network's features are not finite, what is returned has no statistics.
    """
    gsd_m, bands = images.gsd_m, images.bands
    try:
        return measure_domain(network, info, list(images.windows(count)), gsd_m, bands)
    except ValueError:
        return Domain(gsd_m, bands)


def add_domain(
    path: Path,
    folders: Sequence[Path],
    output: Path,
    split: str | None = None,
    *,
    gsd_m: tuple[float, float] | None = None,
    input_gsd_m: float | None = None,
    windows: int = WINDOWS,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Domain:
    """Write the checkpoint at `path` with the domain measured on a split of the data sets it was trained on.

    split: "train" where there is one, else all, unless named. gsd_m: pixel sizes in m, where the data sets do not
    tell. input_gsd_m: pixel size to which `predict` shall enlarge coarser images, None for what the checkpoint says.
    windows: how many of the images are measured. Raises CheckpointFileError, OptionError, OutputError and InputError.
    """
    check_checkpoint_path(output, (str(path),), overwrite)
    notes = observer or Observer()
    named, sets = load_named_checkpoint(path), tuple(open_data_set(folder) for folder in folders)
    images = _images_of(sets, split, named.info)
    with memory_errors():
        domain = domain_of(named.checkpoint.network, named.info, images, windows)
    if domain.statistics is None:
        raise InputError(
            f"{', '.join(map(str, folders))}: no window of {images.crop_px} px is completely valid, "
            "or the network's features are not finite there"
        )
    if gsd_m is not None:
        domain = replace(domain, gsd_m=gsd_m)
    info = replace(named.info, domain=domain, input_gsd_m=input_gsd_m or named.info.input_gsd_m)
    write_with_info(path, output, info, overwrite, notes.notice)
    return domain


def _images_of(sets: tuple[DataSet, ...], split: str | None, info: CheckpointInfo) -> TrainingImages:
    united = common_sets([one.label_sets for one in sets])
    sources = tuple(
        Source(
            one.items(split or ("train" if "train" in one.splits else WHOLE)),
            one.label_sets.renumbering(united),
            zoom=zoom_of(one.description, one.file),
        )
        for one in sets
    )
    return TrainingImages(sets, sources, info.tile_px, needs_variety(sets, united))


def _random_date(
    item: Item, rng: np.random.Generator
) -> tuple[AlignedImage, Stretch | None, tuple[float, float]]:
    if isinstance(item, LabelledPair):
        date = int(rng.integers(2))
        pair = item.aligned
        return (pair.before, pair.after)[date], item.stretches[date], item.rules.value_range
    image = item if isinstance(item, LabelledImage) else item.dates[int(rng.integers(len(item.dates)))]
    return image.aligned, image.stretch, image.rules.value_range


def _scenes(item: Item) -> tuple[Scene, ...]:
    if isinstance(item, LabelledPair):
        return item.aligned.before.scene, item.aligned.after.scene
    return (item.scene,) if isinstance(item, LabelledImage) else tuple(date.scene for date in item.dates)


def _some(items: Sequence[Item]) -> Sequence[Item]:
    return items[:: -(-len(items) // MOST_OPENED)]


def _band_colors(scene: Scene) -> tuple[str, ...]:
    if scene.paletted:
        return tuple(color.name for color in COLORS)
    with open_raster(scene.path) as dataset:
        names = band_names(dataset)
    return tuple(names[band - 1][1] for band in scene.bands)
