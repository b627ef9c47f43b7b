"""Validation: the scores of a network on whole items, in windows of the training's size, end to end."""

from collections.abc import Iterator
from itertools import islice, product

import torch
from rasterio.windows import Window
from torch import nn

from lsafnet.training.examples import Example, stack_examples
from lsafnet.training.trainer import LabelledBatch, evaluate
from lsafnet_cli.data_sets.pairs import LabelledPair
from lsafnet_cli.training.draws import Draws, as_binary, padded
from lsafnet_cli.training.setup import TrainingSetup, variation_of

SINGLE_DATE_PAIRS = 4  # made of each image of one date
SCORES = ("miou", "oa", "sek", "f_scd", "iou_changed", "iou_unchanged")


def validate(network: nn.Module, setup: TrainingSetup, device: torch.device) -> dict[str, float]:
    """Return the scores on the validation split. Pairs made of images of one date are the same each time."""
    found = evaluate(network, _batches(setup), setup.info.num_classes, device)
    return {name: float(found[name]) for name in SCORES}


def _batches(setup: TrainingSetup) -> Iterator[LabelledBatch]:
    examples = _examples(setup)
    while some := list(islice(examples, setup.options.batch_size)):
        yield stack_examples(some, setup.info.normalization)


def _examples(setup: TrainingSetup) -> Iterator[Example]:
    if setup.data_set.single_date:
        draws = Draws(setup.val, setup.info.num_classes, variation_of(setup), binary=not setup.spec.semantic)
        yield from (draws[0, number] for number in range(SINGLE_DATE_PAIRS * len(setup.val)))
        return
    for pair in setup.val:
        assert isinstance(pair, LabelledPair)
        for window in _windows(pair.shape, setup.crop_px):
            example = padded(pair.read(window), setup.crop_px)
            yield example if setup.spec.semantic else as_binary(example)


def _windows(shape: tuple[int, int], size_px: int) -> Iterator[Window]:
    rows, cols = shape
    for top, left in product(range(0, rows, size_px), range(0, cols, size_px)):
        yield Window(left, top, min(size_px, cols - left), min(size_px, rows - top))
