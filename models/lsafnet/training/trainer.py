"""Training: schedule, optimiser, one step, and scoring on held-out pairs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from lsafnet.label_sets import LabelSets
from lsafnet.logits import ChangeLogits, SupervisedLogits, change_maps
from lsafnet.losses import Bce, ChangeLoss
from lsafnet.metrics import ChangeMetrics


class LabelledBatch(NamedTuple):
    """Pairs of normalised images (batch, bands, rows, cols) with labels (batch, rows, cols), 0..K-1.

    `changed` (bool) must be given where labels are land cover everywhere; without it, a pixel is changed
    where it has a label, as in SECOND. Pixels where `valid` (bool) is False count nowhere; where `change_known`
    (bool) is False, whether they changed is not known.
    """

    before: Tensor
    after: Tensor
    label_before: Tensor
    label_after: Tensor
    changed: Tensor | None = None
    valid: Tensor | None = None
    change_known: Tensor | None = None

    def to(self, device: torch.device | str) -> "LabelledBatch":
        """Return the batch on `device`."""
        return LabelledBatch._make(None if x is None else x.to(device, non_blocking=True) for x in self)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; the defaults are the paper's for SECOND (0.1 is its learning rate for Landsat-SCD).

    warmup_steps: the learning rate rises linearly over so many steps before it decays. ema_decay: keep a moving
    average of the weights as well, `Trainer.averaged`. bf16: run convolutions in bfloat16 (autocast); weights,
    loss and optimiser stay float32, and a step whose gradient is no number is computed again in float32.
    backbone_rate: the backbone's learning rate as a share of the others'. clip_norm: the longest gradient, longer
    ones are shortened to it. label_sets: what label numbers mean where they are not classes alone.
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
    ema_decay: float | None = None
    bf16: bool = False
    backbone_rate: float = 1.0
    clip_norm: float | None = None
    label_sets: LabelSets | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0:
            raise ValueError("training needs at least one step and a positive learning rate")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie between 0 and 1, not {self.ema_decay}")


class LossError(RuntimeError):
    """The loss is no number any more."""


def build_optimizer(network: nn.Module, options: TrainingOptions) -> Optimizer:
    """Return SGD with Nesterov momentum, as in the paper, or AdamW."""
    parameters = _parameter_groups(network, options)
    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "adamw":
        return AdamW(parameters, lr=rate, weight_decay=decay)
    return SGD(parameters, lr=rate, momentum=options.momentum, weight_decay=decay, nesterov=True)


def _parameter_groups(network: nn.Module, options: TrainingOptions) -> list[Any]:
    """Return all parameters, as two groups where the backbone has a rate of its own."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    backbone = getattr(network, "backbone", None)
    if options.backbone_rate == 1 or not isinstance(backbone, nn.Module):
        return parameters
    inner = {id(parameter) for parameter in backbone.parameters()}
    return [
        {"params": [p for p in parameters if id(p) in inner], "rate_share": options.backbone_rate},
        {"params": [p for p in parameters if id(p) not in inner], "rate_share": 1.0},
    ]


def learning_rate(step: int, options: TrainingOptions) -> float:
    """Return the rate of `step` (0 first): rate * (1 - step / steps) ** power, after a linear warm-up."""
    warmup = min(1.0, (step + 1) / (options.warmup_steps + 1))
    left = max(0.0, 1 - step / options.steps)
    return float(options.learning_rate * warmup * left**options.power)


class Trainer:
    """A network in training: call `train_step` with one batch after another.

    `forward` is what is called for the logits, the network itself by default: where several processes train
    together, torch's DistributedDataParallel around it.
    """

    def __init__(
        self,
        network: nn.Module,
        options: TrainingOptions,
        device: torch.device | str = "cpu",
        forward: nn.Module | None = None,
    ) -> None:
        self.network = network.to(device)
        self.options = options
        self.device = torch.device(device)
        self.optimizer = build_optimizer(network, options)
        self.loss = ChangeLoss(options.bce, options.class_weights, options.label_sets)
        self.step = 0
        self._forward = forward or self.network
        self._average = None if options.ema_decay is None else moving_average(network, options.ema_decay)

    @property
    def averaged(self) -> nn.Module:
        """The network whose weights are the moving average; the network itself where there is none."""
        return self.network if self._average is None else self._average.module

    def train_step(self, *batches: LabelledBatch) -> dict[str, float]:
        """Take one step over the mean gradient of one or more batches and return their mean loss terms.

        Raises LossError, before the weights are touched, when the loss or a gradient is no number any more.
        """
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.options) * group.get("rate_share", 1.0)
        means, norm = self._gradients(batches, self.options.bf16)
        if self.options.bf16 and not math.isfinite(norm):
            means, norm = self._gradients(batches, bf16=False)
        self._check(means["total"], norm)
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.step += 1
        if self._average is not None:
            self._average.update_parameters(self.network)
        return means

    def _gradients(self, batches: Sequence[LabelledBatch], bf16: bool) -> tuple[dict[str, float], float]:
        """Compute the mean gradient of the batches; return their mean loss terms and the sum of gradient norms."""
        self.optimizer.zero_grad(set_to_none=True)
        found: list[dict[str, Tensor]] = []
        for number, batch in enumerate(batches, 1):
            with self._without_sync(last=number == len(batches)):
                found.append(self._backward(batch, len(batches), bf16))
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.stack(torch._foreach_norm(gradients)).sum() if gradients else torch.zeros(())
        values = torch.stack([norm, *(value for terms in found for value in terms.values())]).tolist()
        means: dict[str, float] = {}  # all numbers come in one copy: each would wait for the device
        for name, value in zip([name for terms in found for name in terms], values[1:], strict=True):
            means[name] = means.get(name, 0.0) + value / len(batches)
        return means, float(values[0])

    def _backward(self, batch: LabelledBatch, parts: int, bf16: bool) -> dict[str, Tensor]:
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            logits: ChangeLogits | SupervisedLogits = self._forward(batch.before, batch.after)
        terms = self.loss(
            logits.float(),
            batch.label_before,
            batch.label_after,
            changed=batch.changed,
            valid=batch.valid,
            change_known=batch.change_known,
        )
        (terms["total"] / parts).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return {name: value.detach() for name, value in terms.items()}

    def _without_sync(self, last: bool) -> AbstractContextManager[None]:
        """Let processes exchange gradients once a step, with its last batch."""
        forward = self._forward
        return (
            forward.no_sync() if isinstance(forward, DistributedDataParallel) and not last else nullcontext()
        )

    def _check(self, total: float, norm: float) -> None:
        if not math.isfinite(total):
            raise LossError(f"the loss is {total} at step {self.step}; lower the learning rate")
        if not math.isfinite(norm):
            raise LossError(
                f"a gradient is not finite at step {self.step}; train in fp32, or lower the learning rate"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return all that training goes on from: weights, average, optimiser, step."""
        average = None if self._average is None else self._average.state_dict()
        return {
            "network": self.network.state_dict(),
            "average": average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.network.load_state_dict(state["network"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of weights and statistics, which follows closely at first."""
    average: AveragedModel

    def update(averages: Any, values: Any, count: Any) -> None:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averages, values, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - kept)
            else:
                mean.copy_(value)

    average = AveragedModel(network, multi_avg_fn=torch.no_grad()(update), use_buffers=True)
    return average


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
