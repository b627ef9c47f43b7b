"""The network and its training can learn real labels by heart; without the real tiles this is left out."""

from pathlib import Path

import pytest
import torch

from lsafnet import build_network
from lsafnet.training.examples import stack_examples
from lsafnet.training.trainer import Trainer, TrainingOptions, evaluate
from lsafnet_cli.data_sets.check import measure_normalization
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.training.draws import padded

TILES = Path(__file__).parent.parent.parent / "shared" / "data" / "second_small"
STEPS = 200
SIDE = 152  # of 148 px, so that the strides of the backbone divide it


@pytest.mark.skipif(not TILES.is_dir(), reason="the real SECOND tiles are not here")
def test_four_real_tiles_are_learnt_by_heart():
    torch.manual_seed(1)
    items = open_data_set(TILES).items("all")
    batch = stack_examples([padded(item.read(), SIDE) for item in items], measure_normalization(items))
    network = build_network("lsafnet-tiny", num_classes=7).to(memory_format=torch.channels_last)
    options = TrainingOptions(
        steps=STEPS, optimizer="adamw", learning_rate=5e-3, weight_decay=0, power=1.0, warmup_steps=10
    )
    trainer = Trainer(network, options)
    for _ in range(STEPS):
        trainer.train_step(batch)
    assert evaluate(network, [batch], 7)["f_scd"] > 0.95
