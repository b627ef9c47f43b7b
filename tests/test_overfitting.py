"""The network and its training can learn real labels by heart; without the real tiles this is left out."""

from pathlib import Path

import pytest
import torch
from rasterio.windows import Window

from lsafnet import build_network
from lsafnet.training.examples import stack_examples
from lsafnet.training.trainer import Trainer, TrainingOptions, evaluate
from lsafnet_cli.data_sets.check import measure_normalization
from lsafnet_cli.data_sets.opening import open_data_set

TILES = Path(__file__).parent.parent.parent / "shared" / "data" / "second_small"
STEPS = 200
CORNER = Window(68, 0, 80, 80)  # of tiles of 148 px, which has four or five classes in each of them


@pytest.mark.skipif(not TILES.is_dir(), reason="the real SECOND tiles are not here")
def test_corners_of_four_real_tiles_are_learnt_by_heart():
    torch.manual_seed(1)
    items = open_data_set(TILES).items("all")
    batch = stack_examples([item.read(CORNER) for item in items], measure_normalization(items))
    network = build_network("lsafnet-tiny", num_classes=7).to(memory_format=torch.channels_last)
    options = TrainingOptions(
        steps=STEPS, optimizer="adamw", learning_rate=5e-3, weight_decay=0, power=1.0, warmup_steps=10
    )
    trainer = Trainer(network, options)
    scores = []
    for _ in range(STEPS // 25):
        for _ in range(25):
            trainer.train_step(batch)
        scores.append(evaluate(network, [batch], 7)["f_scd"])
        if scores[-1] > 0.95:
            return
    pytest.fail(f"after {STEPS} steps F_scd is {scores[-1]}")
