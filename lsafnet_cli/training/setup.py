"""What a training starts from: the split, the numbers it normalises with, the network and its first weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import nn

from lsafnet.checkpoint.files import load_checkpoint, load_state_dict_file
from lsafnet.checkpoint.info import TILE_MULTIPLE_PX, CheckpointError, CheckpointInfo
from lsafnet.checkpoint.published import describe_checkpoint
from lsafnet.parts.features import Backbone
from lsafnet.registry import NetworkSpec, build_network, network_spec
from lsafnet_cli.data_sets.check import measure_normalization
from lsafnet_cli.data_sets.opening import WHOLE, DataSet, Item, open_data_set
from lsafnet_cli.data_sets.second import describe_split
from lsafnet_cli.errors import CheckpointFileError, InputError, OptionError, reason_of
from lsafnet_cli.observer import Observer
from lsafnet_cli.training.draws import Variation
from lsafnet_cli.training.options import PAPERS_CROP_PX, TrainOptions

HELD_OUT_OF = 5  # without a split "val", one item of so many is held out


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """All that is decided before the first step. `info` has no metrics yet."""

    data_set: DataSet
    train: tuple[Item, ...]
    val: tuple[Item, ...]
    info: CheckpointInfo
    spec: NetworkSpec
    options: TrainOptions

    @property
    def crop_px(self) -> int:
        """Side of the windows drawn."""
        return self.info.tile_px

    def fingerprint(self) -> dict[str, Any]:
        """Return what decides the weights, by the names that users know, in JSON's types."""
        names = json.dumps([[item.name for item in items] for items in (self.train, self.val)])
        return {
            **self.options.deciding(),
            "data set": str(self.data_set.folder.resolve()),
            "its files": sha256(names.encode()).hexdigest()[:16],
            "normalization": asdict(self.info.normalization),
        }


def prepare_training(folder: Path, options: TrainOptions, observer: Observer) -> TrainingSetup:
    """Open the data set and decide how to train on it. Raises InputError and OptionError."""
    data_set = open_data_set(folder)
    if (split := describe_split(data_set)) is not None:
        observer.notice(split)
    train, val = choose_splits(data_set, observer)
    description = dict(data_set.description)
    if "normalization" not in description:
        try:
            description["normalization"] = asdict(measure_normalization(train))
        except ValueError as error:
            raise InputError(f"{folder}: {error}; check its labels with lsafnet dataset check") from error
    description["tile_px"] = crop_of(train, options)
    spec = _spec(options)
    description.pop("bands", None)  # counted from the normalization, where only some are used
    try:
        info = describe_checkpoint(spec, description, options.network_options)
    except CheckpointError as error:
        raise InputError(f"{folder}: its classes.json cannot be used: {error}") from error
    return TrainingSetup(data_set, train, val, info, spec, options)


def choose_splits(data_set: DataSet, observer: Observer) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return what to train on and what to validate on, and say so where the data set leaves it open."""
    train = data_set.items("train" if "train" in data_set.splits else WHOLE)
    if "val" in data_set.splits:
        return train, data_set.items("val")
    if len(train) < HELD_OUT_OF:
        observer.notice(
            f"{data_set.folder}: no split val, and only {len(train)} to train on: validated on these themselves"
        )
        return train, train
    held_out = train[HELD_OUT_OF - 1 :: HELD_OUT_OF]
    observer.notice(
        f"{data_set.folder}: no split val: every {HELD_OUT_OF}th is held out for it, {len(held_out)} of {len(train)}"
    )
    return tuple(item for item in train if item not in held_out), held_out


def variation_of(setup: TrainingSetup) -> Variation:
    """Return how examples are drawn and varied."""
    options = setup.options
    return Variation(
        setup.crop_px,
        options.seed,
        options.balanced,
        options.jitter,
        options.swap_dates,
        setup.info.value_range,
    )


def crop_of(items: tuple[Item, ...], options: TrainOptions) -> int:
    """Return the side of the windows to draw: the paper's 512 px, or what the largest item has."""
    if options.crop_px is not None:
        if options.crop_px % TILE_MULTIPLE_PX:
            raise OptionError(f"--crop {options.crop_px}: must be a multiple of {TILE_MULTIPLE_PX}")
        return options.crop_px
    largest = max(min(item.shape) for item in items)
    return max(TILE_MULTIPLE_PX, min(PAPERS_CROP_PX, largest // TILE_MULTIPLE_PX * TILE_MULTIPLE_PX))


def _spec(options: TrainOptions) -> NetworkSpec:
    try:
        spec = network_spec(options.network)
        spec.with_options(options.network_options)
    except ValueError as error:
        raise OptionError(f"--network {options.network}: {error}") from error
    return spec


def build_start(setup: TrainingSetup) -> nn.Module:
    """Return the network with its first weights. Raises OptionError, CheckpointFileError."""
    options, info = setup.options, setup.info
    try:
        network = build_network(
            info.network, num_classes=info.num_classes, bands=info.bands, **dict(info.options)
        )
    except (ValueError, ImportError) as error:
        raise OptionError(f"--network {info.network}: {error}") from error
    if options.backbone_weights is not None:
        _load_backbone(network, options.backbone_weights)
    if options.start is not None:
        _load_start(network, options.start, info)
    return network


def _load_backbone(network: nn.Module, path: Path) -> None:
    from lsafnet.parts.backbone import load_backbone_weights

    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, Backbone):
        raise OptionError("--backbone-weights: this network's backbone takes none; leave them out")
    try:
        load_backbone_weights(backbone, load_state_dict_file(path))
    except (CheckpointError, ValueError) as error:
        raise CheckpointFileError(f"{path}: {reason_of(error)}") from error


def _load_start(network: nn.Module, path: Path, info: CheckpointInfo) -> None:
    try:
        start = load_checkpoint(path)
        if _shape_of(start.info) != _shape_of(info):
            raise CheckpointError(
                f"{path} holds {start.info.network} with other options or classes than are to be trained"
            )
    except CheckpointError as error:
        raise CheckpointFileError(str(error)) from error
    network.load_state_dict(start.network.state_dict())


def _shape_of(info: CheckpointInfo) -> tuple[str, Mapping[str, Any], int, int]:
    return network_spec(info.network).name, dict(info.options), info.num_classes, info.bands
