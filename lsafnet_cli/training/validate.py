"""Validation: scores of a network on whole items, in contiguous windows of the size used in training."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, product

import numpy as np
import torch
from rasterio.windows import Window
from torch import nn

from lsafnet.training.examples import Example, stack_examples
from lsafnet.training.trainer import LabelledBatch, evaluate
from lsafnet_cli.data_sets.pairs import LabelledPair
from lsafnet_cli.training.draws import as_binary, padded
from lsafnet_cli.training.setup import TrainingSetup, draws_of
from lsafnet_cli.training.sources import Source

DRAWN_PAIRS = 4  # of each image of one date, and of each place where nothing changed
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
    for source in setup.val:
        for example in _examples_of(source, setup):
            yield scored(example if setup.spec.semantic else as_binary(example), setup.info.num_classes)


def _examples_of(source: Source, setup: TrainingSetup) -> Iterator[Example]:
    if not isinstance(source.items[0], LabelledPair):
        draws = draws_of(setup, [replace(source, share=1)])
        yield from (draws[0, number] for number in range(DRAWN_PAIRS * len(source.items)))
        return
    for pair in source.items:
        assert isinstance(pair, LabelledPair)
        for window in _windows(pair.shape, setup.crop_px):
            example = padded(pair.read(window), setup.crop_px)
            before, after = (
                source.renumbering[label] for label in (example.label_before, example.label_after)
            )
            yield example._replace(label_before=before, label_after=after)


def scored(example: Example, num_classes: int) -> Example:
    """Return an example in which pixels count only where it is known what they became, if they changed."""
    if (
        example.change_known is None
        and max(example.label_before.max(), example.label_after.max()) < num_classes
    ):
        return example
    known = np.ones_like(example.valid) if example.change_known is None else example.change_known
    single = (example.label_before < num_classes) & (example.label_after < num_classes)
    valid = example.valid & known & (~example.changed | single)
    before, after = (np.where(valid & single, x, 0) for x in (example.label_before, example.label_after))
    return example._replace(label_before=before, label_after=after, valid=valid, change_known=None)


def _windows(shape: tuple[int, int], size_px: int) -> Iterator[Window]:
    rows, cols = shape
    for top, left in product(range(0, rows, size_px), range(0, cols, size_px)):
        yield Window(left, top, min(size_px, cols - left), min(size_px, rows - top))
