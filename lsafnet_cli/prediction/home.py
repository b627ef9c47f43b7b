"""Whether a pair is within the domain of a checkpoint, by features of its network."""

from typing import NamedTuple

import numpy as np
import torch
from rasterio.windows import Window

from lsafnet.domain import distances, image_features
from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.geometry.windows import mirrored
from lsafnet_cli.prediction.infer import prepared_network, resized
from lsafnet_cli.prediction.input_scale import network_px
from lsafnet_cli.prediction.scaling import DateScaling
from lsafnet_cli.prediction.tile import TilePlan
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.home import outside_reasons
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.stretch import Sample, Stretch
from lsafnet_cli.scenes.validity import BoolArray, NumberArray
from lsafnet_cli.system.devices import Device

TILES_TO_ONE = 8  # of a scene, for each one that is examined, at a fraction of a forward pass
MOST_WINDOWS = 8
LEAST_VALID_SHARE = 0.9
INSIDE = "network."  # where a network is in its prepared form


class Looks(NamedTuple):
    """Raw values (2, windows, bands, size, size) of both dates in some tiles, and (windows, size, size) valid."""

    numbers: NumberArray
    valid: BoolArray

    def sample(self, date: int) -> Sample:
        """Return all pixels of one date, with the windows stacked vertically."""
        numbers = self.numbers[date].swapaxes(0, 1)
        return Sample(
            numbers.reshape(len(numbers), -1, numbers.shape[-1]), self.valid.reshape(-1, self.valid.shape[-1])
        )


def pair_reasons(
    pair: AlignedPair,
    plan: TilePlan,
    checkpoint: NamedCheckpoint,
    stretches: tuple[Stretch | None, Stretch | None],
    device: Device,
    named_bands: bool,
    scale: float = 1.0,
) -> tuple[str, ...]:
    """Return why a pair is outside the domain of a checkpoint, from some of its tiles; () if it is inside.

    scale: by how much the network sees them enlarged.
    """
    looks = look_at(pair, plan)
    samples = looks.sample(0), looks.sample(1)
    found = list(outside_reasons(pair, checkpoint.info, samples, stretches, named_bands))
    distance = feature_distance(looks, checkpoint, stretches, device, scale)
    if distance is not None and distance[0] > distance[1]:
        found.append("feature distance {:.2g} (99 % of the training images: within {:.2g})".format(*distance))
    return tuple(found)


def feature_distance(
    looks: Looks,
    checkpoint: NamedCheckpoint,
    stretches: tuple[Stretch | None, Stretch | None],
    device: Device,
    scale: float = 1.0,
) -> tuple[float, float] | None:
    """Return the feature distance of a pair from the training images, the median of its windows, and their
    99th percentile.

    None if the checkpoint has no statistics, or if no window is completely valid.
    """
    domain = checkpoint.info.domain
    full = looks.valid.mean(axis=(1, 2)) >= LEAST_VALID_SHARE
    if domain is None or domain.statistics is None or not domain.statistics.features or not full.any():
        return None
    home, where = domain.statistics.features, device.torch_device
    network = prepared_network(checkpoint.checkpoint.network, Device(where, device.precision))
    scaling = DateScaling(checkpoint.info.normalization, stretches, checkpoint.info.value_range).to(where)
    values = scaling(torch.from_numpy(looks.numbers[:, full]).to(where)).flatten(0, 1)
    seen_px = network_px(values.shape[-1], scale)
    found = []
    for one in values.split(1):
        features = image_features(network, [f"{INSIDE}{name}" for name in home], resized(one, seen_px))
        found += distances({name.removeprefix(INSIDE): row for name, row in features.items()}, home).tolist()
    return float(np.median(found)), domain.statistics.limit


def look_at(pair: AlignedPair, plan: TilePlan) -> Looks:
    """Return the pixels of some tiles spread over a pair."""
    tiles, size = [tile for tile in plan if plan.wants(tile.row, tile.col)], plan.size
    count = int(np.clip(len(tiles) // TILES_TO_ONE, 1, MOST_WINDOWS))
    dates, valid = [], []
    with ImageReader(pair.before) as before, ImageReader(pair.after) as after:
        for index in np.linspace(0, len(tiles) - 1, 2 * count + 1).astype(int)[1::2]:
            tile = tiles[index]
            rows, cols = plan.bottom(tile.row) - tile.top, plan.right(tile.col) - tile.left
            read = [_read(reader, Window(tile.left, tile.top, cols, rows)) for reader in (before, after)]
            place = np.s_[..., mirrored(rows, size)[:, None], mirrored(cols, size)]
            dates.append(np.stack([numbers[place] for numbers, _ in read]))
            valid.append((read[0][1] & read[1][1])[place])
    return Looks(np.stack(dates, axis=1), np.stack(valid))


def _read(reader: ImageReader, window: Window) -> tuple[NumberArray, BoolArray]:
    shape, scene = (int(window.height), int(window.width)), reader.image.scene
    numbers, valid = np.empty((len(scene.bands), *shape), scene.dtype), np.ones(shape, bool)
    reader.read(window, numbers, valid)
    return numbers, valid
