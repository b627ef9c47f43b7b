"""Options of training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lsafnet_cli.errors import OptionError

RECIPES = ("paper", "rsiscd")
PRECISIONS = ("auto", "fp32", "bf16")
OPTIMIZERS = ("sgd", "adamw")
VARIETIES = ("auto", "usual", "wide")
USUAL_NETWORK = "lsafnet"
PAPERS_CROP_PX = 512
PAPERS_RATE, LANDSAT_RATE, ADAMW_RATE = 0.07, 0.1, 1e-3


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of a training; the defaults are those of the paper (Zhou et al., IEEE GRSL 2025, section III).

    recipe: "rsiscd" takes the released code's loss, which averages changed and unchanged pixels apart.
    batch_size: pairs in a step, over all processes together; accumulate: in how many parts they are computed.
    crop_px: side of the windows drawn, at most the images' own. crops_per_epoch: None for as many as cover the data
    set once. balanced: draw windows so that rare classes come as often as common ones. patience: epochs without
    a better SeK after which training ends, None for never. start: a checkpoint with initial weights, whose
    network, normalization and value range are used if none are given. workers: processes that read, 0 for
    none beside the main one. shares: how many of each round of examples come from each data set, None for one
    each. variety: "wide" varies light, sharpness, zoom and register far more, and is needed for sets of
    classes, unchanged pairs and several data sets; "auto" takes it for these. backbone_rate: its learning
    rate as a share of the others'. clip: the longest gradient. class_weights: of classes 1..K-1 in the loss.
    keep_epochs: keep the checkpoint of every epoch. nodata: no-data values of the before and after images, instead
    of those of the files and of the data sets.
    """

    network: str | None = None
    network_options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    recipe: str = "paper"
    epochs: int = 50
    batch_size: int = 8
    accumulate: int = 1
    optimizer: str = "sgd"
    learning_rate: float | None = None
    weight_decay: float = 5e-4
    power: float = 1.5
    warmup_steps: int = 0
    crop_px: int | None = None
    crops_per_epoch: int | None = None
    balanced: bool = False
    jitter: bool = False
    swap_dates: bool = False
    shares: tuple[int, ...] | None = None
    variety: str = "auto"
    backbone_rate: float = 1.0
    clip: float | None = None
    class_weights: tuple[float, ...] | None = None
    keep_epochs: bool = False
    ema_decay: float | None = None
    precision: str = "auto"
    device: str = "auto"
    patience: int | None = None
    seed: int = 1
    workers: int = 2
    backbone_weights: str | Path | None = None
    start: str | Path | None = None
    tensorboard: bool = False
    resume: bool = True
    overwrite: bool = False
    nodata: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        chosen = (("recipe", self.recipe, RECIPES), ("precision", self.precision, PRECISIONS),
                  ("optimizer", self.optimizer, OPTIMIZERS), ("variety", self.variety, VARIETIES))  # fmt: skip
        for name, value, known in chosen:
            if value not in known:
                raise OptionError(f"`{name}` {value}: write {' or '.join(known)}")
        for name in ("epochs", "batch_size", "accumulate", "crop_px", "crops_per_epoch", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"`{name}` {value}: must be 1 or more")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise OptionError(f"`learning_rate` {self.learning_rate}: must be a positive number")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise OptionError(f"`ema_decay` {self.ema_decay}: must lie between 0 and 1")
        if not 0 < self.backbone_rate < float("inf") or (self.clip is not None and not self.clip > 0):
            raise OptionError("`backbone_rate` and `clip` must be positive numbers")
        if self.shares is not None and min(self.shares) < 1:
            raise OptionError(f"`shares` {','.join(map(str, self.shares))}: must be whole numbers, 1 or more")
        if self.class_weights is not None and not min(self.class_weights) > 0:
            raise OptionError("`class_weights`: must be positive numbers")
        decays = 0 <= self.weight_decay < float("inf")
        if self.workers < 0 or self.seed < 0 or self.warmup_steps < 0 or not decays:
            raise OptionError("`workers`, `seed`, `warmup_steps` and `weight_decay` must not be negative")
        if self.batch_size % self.accumulate:
            raise OptionError(
                f"`accumulate` {self.accumulate}: must divide the batch size, {self.batch_size}"
            )

    def rate(self, data_set: str) -> float:
        """Return the highest learning rate: the paper's for its data sets."""
        if self.learning_rate is not None:
            return self.learning_rate
        if self.optimizer == "adamw":
            return ADAMW_RATE
        return LANDSAT_RATE if data_set == "landsat-scd" else PAPERS_RATE

    def deciding(self) -> dict[str, Any]:
        """Return all that determines the weights, by names for users; a run resumes only if these are equal."""
        names = ("network", "recipe", "epochs", "batch_size", "accumulate", "optimizer", "learning_rate",
                 "weight_decay", "power", "warmup_steps", "crop_px", "crops_per_epoch", "balanced", "jitter",
                 "swap_dates", "ema_decay", "precision", "patience", "seed", "variety", "backbone_rate",
                 "clip")  # fmt: skip
        values = {name: getattr(self, name) for name in names}
        values |= {
            name: getattr(self, name) and list(getattr(self, name)) for name in ("shares", "class_weights")
        }
        files = {name: getattr(self, name) for name in ("backbone_weights", "start")}
        if self.nodata is not None:  # older runs, which have no such entry, resume without the option
            values["nodata"] = list(self.nodata)
        return {
            **values,
            "network_options": dict(self.network_options),
            **{name: None if path is None else str(path) for name, path in files.items()},
        }
