"""Training: schedule, optimiser, one step, and scoring on held-out pairs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from lsafnet.logits import ChangeLogits, change_maps
from lsafnet.losses import Bce, ChangeLoss
from lsafnet.metrics import ChangeMetrics


class LabelledBatch(NamedTuple):
    """Pairs of normalised images (batch, bands, rows, cols) with labels (batch, rows, cols), 0..K-1.

    `changed` (bool) must be given where labels are land cover everywhere; without it, a pixel is changed
    where it has a label, as in SECOND. Pixels where `valid` (bool) is False count nowhere.
    """

    before: Tensor
    after: Tensor
    label_before: Tensor
    label_after: Tensor
    changed: Tensor | None = None
    valid: Tensor | None = None

    def to(self, device: torch.device | str) -> "LabelledBatch":
        """Return the batch on `device`."""
        return LabelledBatch._make(None if x is None else x.to(device, non_blocking=True) for x in self)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; the defaults are the paper's for SECOND (0.1 is its learning rate for Landsat-SCD).

    warmup_steps: the learning rate rises linearly over so many steps before it decays.
    """

    steps: int
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.07
    momentum: float = 0.9
    weight_decay: float = 5e-4
    power: float = 1.5
    warmup_steps: int = 0
    bce: Bce = "plain"
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0:
            raise ValueError("training needs at least one step and a positive learning rate")


def build_optimizer(network: nn.Module, options: TrainingOptions) -> Optimizer:
    """Return SGD with Nesterov momentum, as in the paper, or AdamW."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "adamw":
        return AdamW(parameters, lr=rate, weight_decay=decay)
    return SGD(parameters, lr=rate, momentum=options.momentum, weight_decay=decay, nesterov=True)


def learning_rate(step: int, options: TrainingOptions) -> float:
    """Return the rate of `step` (0 first): rate * (1 - step / steps) ** power, after a linear warm-up."""
    warmup = min(1.0, (step + 1) / (options.warmup_steps + 1))
    left = max(0.0, 1 - step / options.steps)
    return float(options.learning_rate * warmup * left**options.power)


class Trainer:
    """A network in training: call `train_step` with one batch after another."""

    def __init__(
        self, network: nn.Module, options: TrainingOptions, device: torch.device | str = "cpu"
    ) -> None:
        self.network = network.to(device)
        self.options = options
        self.device = device
        self.optimizer = build_optimizer(network, options)
        self.loss = ChangeLoss(options.bce, options.class_weights)
        self.step = 0

    def train_step(self, batch: LabelledBatch) -> dict[str, float]:
        """Take one step and return the loss terms; RuntimeError when the loss is no number any more."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.options)
        batch = batch.to(self.device)
        logits: ChangeLogits = self.network(batch.before, batch.after)
        terms = self.loss(
            logits, batch.label_before, batch.label_after, changed=batch.changed, valid=batch.valid
        )
        values = {name: float(value.detach()) for name, value in terms.items()}
        if not math.isfinite(values["total"]):
            raise RuntimeError(f"the loss is {values['total']} at step {self.step}; lower the learning rate")
        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        self.optimizer.step()
        self.step += 1
        return values


@torch.inference_mode()
def evaluate(
    network: nn.Module, batches: Iterable[LabelledBatch], num_classes: int, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """Return `ChangeMetrics` scores of the change maps over `batches`; leaves the network in eval mode."""
    network.eval()
    metrics = ChangeMetrics(num_classes, device)
    for batch in batches:
        batch = batch.to(device)
        before, after = change_maps(network(batch.before, batch.after))
        metrics.update(before, after, *change_labels(batch), valid=batch.valid)
    return metrics.compute()


def change_labels(batch: LabelledBatch) -> tuple[Tensor, Tensor]:
    """Return the labels of both dates with 0 where unchanged, as the metrics take them."""
    if batch.changed is None:
        return batch.label_before, batch.label_after
    return batch.label_before * batch.changed, batch.label_after * batch.changed
