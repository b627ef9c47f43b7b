"""Setup of a training: split, normalization, network and initial weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import nn

from lsafnet.checkpoint.files import load_checkpoint, load_state_dict_file
from lsafnet.checkpoint.info import TILE_MULTIPLE_PX, CheckpointError, CheckpointInfo, read_checkpoint_info
from lsafnet.checkpoint.published import describe_checkpoint
from lsafnet.label_sets import LabelSets
from lsafnet.parts.features import Backbone
from lsafnet.registry import NetworkSpec, build_network, network_spec
from lsafnet_cli.checkpoints.choose import chosen_checkpoint
from lsafnet_cli.data_sets.check import measure_normalization
from lsafnet_cli.data_sets.layouts import UNCHANGED, WHOLE
from lsafnet_cli.data_sets.matching import Item
from lsafnet_cli.data_sets.opening import DataSet, open_data_set
from lsafnet_cli.data_sets.second import describe_split
from lsafnet_cli.errors import CheckpointFileError, InputError, OptionError, reason_of
from lsafnet_cli.observer import Observer
from lsafnet_cli.training.draws import Draws, Variation
from lsafnet_cli.training.options import PAPERS_CROP_PX, USUAL_NETWORK, TrainOptions
from lsafnet_cli.training.sources import Source, common_sets, seasonal_classes, zoom_of

DEFAULT_START = Path("default")
HELD_OUT_OF = 5  # without a split "val", one item of so many is held out


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """All that is determined before the first step. `info` has no metrics yet; `sets` are the meanings of
    label values."""

    data_sets: tuple[DataSet, ...]
    train: tuple[Source, ...]
    val: tuple[Source, ...]
    sets: LabelSets
    info: CheckpointInfo
    spec: NetworkSpec
    options: TrainOptions

    @property
    def crop_px(self) -> int:
        """Side of the windows drawn."""
        return self.info.tile_px

    @property
    def wide(self) -> bool:
        """Whether examples are drawn with wide variety."""
        return self.options.variety == "wide" or needs_variety(self.data_sets, self.sets)

    def fingerprint(self) -> dict[str, Any]:
        """Return what decides the weights, by the names that users know, in JSON's types."""
        names = json.dumps([[item.name for item in source.items] for source in (*self.train, *self.val)])
        return {
            **self.options.deciding(),
            "data set": ", ".join(str(one.file.resolve()) for one in self.data_sets),
            "its files": sha256(names.encode()).hexdigest()[:16],
            "normalization": asdict(self.info.normalization),
        }


def needs_variety(data_sets: Sequence[DataSet], sets: LabelSets) -> bool:
    """Whether pairs of these data sets can only be drawn with wide variety."""
    return len(data_sets) > 1 or bool(sets.sets) or any(one.layout is UNCHANGED for one in data_sets)


def prepare_training(paths: Sequence[Path], options: TrainOptions, observer: Observer) -> TrainingSetup:
    """Open the data sets and decide how to train on them. Raises InputError and OptionError."""
    start = None if options.start is None else _read_start(Path(options.start))
    usual = None if start is None else start.classes
    data_sets = tuple(open_data_set(path, usual, options.nodata) for path in paths)
    shares = _shares(data_sets, options)
    _require_equal_classes(data_sets)
    sets = common_sets([one.label_sets for one in data_sets])
    if options.variety == "usual" and needs_variety(data_sets, sets):
        raise OptionError(
            "`variety` usual: sets of classes, unchanged pairs and several data sets need `variety` wide"
        )
    for line in filter(None, map(describe_split, data_sets)):
        observer.notice(line)
    splits = [choose_splits(one, observer) for one in data_sets]
    train, val = (
        tuple(
            Source(split[which], one.label_sets.renumbering(sets), share, zoom_of(one.description, one.file))
            for one, split, share in zip(data_sets, splits, shares, strict=True)
        )
        for which in (0, 1)
    )
    spec, info = _described(data_sets[0], train[0].items, options, start)
    return TrainingSetup(data_sets, train, val, sets, info, spec, options)


def _shares(data_sets: Sequence[DataSet], options: TrainOptions) -> tuple[int, ...]:
    shares = options.shares or (1,) * len(data_sets)
    if len(shares) != len(data_sets):
        raise OptionError(f"`shares`: {len(shares)} values for {len(data_sets)} data sets; give one for each")
    return shares


def _require_equal_classes(data_sets: Sequence[DataSet]) -> None:
    first = data_sets[0]
    for other in data_sets[1:]:
        if [entry.name for entry in other.classes] != [entry.name for entry in first.classes]:
            raise InputError(
                f"{other.file}: has other classes than {first.file}; list the same ones in the same order, and "
                "give the meaning of its label values in numbers"
            )


def _described(
    data_set: DataSet, train: tuple[Item, ...], options: TrainOptions, start: CheckpointInfo | None
) -> tuple[NetworkSpec, CheckpointInfo]:
    """Return the network and what its checkpoint will say: as the start has it, where there is one."""
    description = dict(data_set.description)
    if start is not None and "normalization" not in description:
        description["normalization"] = asdict(start.normalization)
        description["value_range"] = list(start.value_range)
    if "normalization" not in description:
        try:
            description["normalization"] = asdict(measure_normalization(train))
        except ValueError as error:
            raise InputError(
                f"{data_set.folder}: {error}; check its labels with lsafnet dataset check"
            ) from error
    description["tile_px"] = crop_of(train, options)
    name, network_options = options.network, dict(options.network_options)
    if name is None and start is not None:
        name, network_options = start.network, {**start.options, **network_options}
    spec = _spec(name or USUAL_NETWORK, network_options)
    description.pop("bands", None)  # counted from the normalization, where only some are used
    try:
        return spec, describe_checkpoint(spec, description, network_options)
    except CheckpointError as error:
        raise InputError(f"{data_set.file}: its classes cannot be used: {error}") from error


def choose_splits(data_set: DataSet, observer: Observer) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return what to train on and what to validate on, and say so where the data set leaves it open."""
    train = data_set.items("train" if "train" in data_set.splits else WHOLE)
    if "val" in data_set.splits:
        return train, data_set.items("val")
    if len(train) < HELD_OUT_OF:
        observer.notice(
            f"{data_set.folder}: no split val, and only {len(train)} to train on: validated on the training data"
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
        setup.wide,
        seasonal_classes([entry.name for entry in setup.info.classes]),
    )


def draws_of(setup: TrainingSetup, sources: Sequence[Source]) -> Draws:
    """Return the examples of sources."""
    return Draws(sources, setup.sets, variation_of(setup), binary=not setup.spec.semantic)


def crop_of(items: tuple[Item, ...], options: TrainOptions) -> int:
    """Return the side of the windows to draw: the paper's 512 px, or what the largest item has."""
    if options.crop_px is not None:
        if options.crop_px % TILE_MULTIPLE_PX:
            raise OptionError(f"`crop_px` {options.crop_px}: must be a multiple of {TILE_MULTIPLE_PX}")
        return options.crop_px
    largest = max(min(item.shape) for item in items)
    return max(TILE_MULTIPLE_PX, min(PAPERS_CROP_PX, largest // TILE_MULTIPLE_PX * TILE_MULTIPLE_PX))


def _spec(name: str, options: Mapping[str, Any]) -> NetworkSpec:
    try:
        spec = network_spec(name)
        spec.with_options(options)
    except ValueError as error:
        raise OptionError(f"`network` {name}: {error}") from error
    return spec


def start_file(path: Path) -> Path:
    """Return the checkpoint to start from; the word "default" stands for the one that commands use by themselves."""
    return chosen_checkpoint(None) if path == DEFAULT_START and not path.exists() else path


def _read_start(path: Path) -> CheckpointInfo:
    try:
        return read_checkpoint_info(start_file(path))
    except CheckpointError as error:
        raise CheckpointFileError(str(error)) from error


def build_start(setup: TrainingSetup) -> nn.Module:
    """Return the network with its first weights. Raises OptionError, CheckpointFileError."""
    options, info = setup.options, setup.info
    try:
        network = build_network(
            info.network, num_classes=info.num_classes, bands=info.bands, **dict(info.options)
        )
    except (ValueError, ImportError) as error:
        raise OptionError(f"`network` {info.network}: {error}") from error
    if options.backbone_weights is not None:
        _load_backbone(network, Path(options.backbone_weights))
    if options.start is not None:
        _load_start(network, Path(options.start), info)
    return network


def _load_backbone(network: nn.Module, path: Path) -> None:
    from lsafnet.parts.backbone import load_backbone_weights

    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, Backbone):
        raise OptionError(
            "`backbone_weights`: there are no published weights for the backbone of this network; remove this option"
        )
    try:
        load_backbone_weights(backbone, load_state_dict_file(path))
    except (CheckpointError, ValueError) as error:
        raise CheckpointFileError(f"{path}: {reason_of(error)}") from error


def _load_start(network: nn.Module, path: Path, info: CheckpointInfo) -> None:
    try:
        start = load_checkpoint(start_file(path))
        if _shape_of(start.info) != _shape_of(info):
            raise CheckpointError(
                f"{path} holds {start.info.network} with other options or classes than those to train"
            )
    except CheckpointError as error:
        raise CheckpointFileError(str(error)) from error
    network.load_state_dict(start.network.state_dict())


def _shape_of(info: CheckpointInfo) -> tuple[str, Mapping[str, Any], int, int]:
    return network_spec(info.network).name, dict(info.options), info.num_classes, info.bands
