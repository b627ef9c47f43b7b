"""Training lowers the loss, by the schedule of the paper."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lsafnet import build_network
from lsafnet.training.trainer import (
    LabelledBatch,
    Trainer,
    TrainingOptions,
    build_optimizer,
    change_labels,
    evaluate,
    learning_rate,
)


def made_batch() -> LabelledBatch:
    """Two pairs (2, 3, 32, 32) of flat colours: the right half turns from class 1 to class 2."""
    label_before = torch.ones(2, 32, 32, dtype=torch.int64)
    label_after = label_before.clone()
    label_after[:, :, 16:] = 2
    images = ((label * 2.0 - 3.0)[:, None].repeat(1, 3, 1, 1) for label in (label_before, label_after))
    return LabelledBatch(*images, label_before, label_after, label_before != label_after)


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.02), ("adamw", 3e-3)])
def test_a_few_steps_lower_the_loss(optimizer: str, rate: float) -> None:
    torch.manual_seed(0)
    network = build_network("lsafnet-tiny", num_classes=3)
    trainer = Trainer(network, TrainingOptions(steps=20, optimizer=optimizer, learning_rate=rate))
    losses = [trainer.train_step(made_batch())["total"] for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_the_learning_rate_decays_by_the_papers_power() -> None:
    options = TrainingOptions(steps=100, learning_rate=0.07)
    assert learning_rate(0, options) == pytest.approx(0.07)
    assert learning_rate(50, options) == pytest.approx(0.07 * 0.5**1.5)
    assert learning_rate(100, options) == 0


def test_the_learning_rate_warms_up() -> None:
    options = TrainingOptions(steps=1000, learning_rate=1.0, warmup_steps=9)
    rates = [learning_rate(step, options) for step in range(12)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[0] == pytest.approx(0.1)
    assert rates[11] < rates[9]


def test_the_papers_optimiser_is_the_default() -> None:
    optimizer = build_optimizer(torch.nn.Linear(1, 1), TrainingOptions(steps=1))
    (group,) = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.SGD)
    assert (group["nesterov"], group["momentum"], group["weight_decay"]) == (True, 0.9, 5e-4)


def test_a_loss_that_is_no_number_stops_training() -> None:
    trainer = Trainer(build_network("lsafnet-tiny", num_classes=3), TrainingOptions(steps=1))
    batch = made_batch()
    with pytest.raises(RuntimeError, match="nan at step 0; lower the learning rate"):
        trainer.train_step(batch._replace(before=batch.before * float("nan")))


def test_evaluation_scores_change_maps_against_change_labels() -> None:
    batch = made_batch()
    before, after = change_labels(batch)
    assert before[0, 0].tolist() == [0] * 16 + [1] * 16
    assert after[0, 0].tolist() == [0] * 16 + [2] * 16
    scores = evaluate(build_network("lsafnet-tiny", num_classes=3), [batch], 3)
    assert 0 <= scores["miou"] <= 1
    assert sum(score["pixels"] for score in scores["transitions"]) == 2 * 32 * 16


def test_nonsense_options_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        TrainingOptions(steps=0)


class Waits(TorchDispatchMode):
    """Counts the numbers that the host asks a device for, one at a time."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_a_step_asks_the_device_for_all_numbers_at_once() -> None:
    trainer = Trainer(build_network("lsafnet-tiny", num_classes=4), TrainingOptions(steps=2))
    with Waits() as waits:
        terms = trainer.train_step(made_batch(), made_batch())
    assert len(terms) > 3
    assert waits.count == 0
