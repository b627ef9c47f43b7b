"""Pairs of images of one date: labels go with their pixels, unknown is invalid, kinds come as often as asked."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lsafnet.training.augment import LookOptions
from lsafnet.training.single_date import (
    Place,
    SingleDateOptions,
    draw_regions,
    draw_single_date_pair,
    paste_regions,
)

from .training_sets import STILL_LOOK

SEEDS = st.integers(0, 2**32 - 1)
PLAIN = {
    "zoom": (1.0, 1.0),
    "shift_px": 0,
    "recolor": 0,
    "look": STILL_LOOK,
}
CLASS_STEP = 40


def labelled_images(count: int = 3, side: int = 64) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images whose value is 40 times the class of the pixel; classes 0 (unknown) .. 4 lie in blocks of 8 pixels."""
    rng = np.random.default_rng(7)
    blocks = rng.integers(0, 5, (count, side // 8, side // 8)).astype(np.uint8)
    labels = list(np.repeat(np.repeat(blocks, 8, 1), 8, 2))
    return [np.stack([label * CLASS_STEP] * 3) for label in labels], labels


def draw(seed: int, size_px: int = 32, **options: object):
    images, labels = labelled_images()
    rng = np.random.default_rng(seed)
    return draw_single_date_pair(images, labels, size_px, rng, SingleDateOptions(**{**PLAIN, **options}))


@settings(max_examples=60)
@given(SEEDS)
def test_labels_go_with_their_pixels_through_every_kind_of_pair(seed):
    pair = draw(seed)
    np.testing.assert_allclose(pair.before, np.stack([pair.label_before * float(CLASS_STEP)] * 3), atol=1e-3)
    np.testing.assert_allclose(pair.after, np.stack([pair.label_after * float(CLASS_STEP)] * 3), atol=1e-3)


@settings(max_examples=40)
@given(SEEDS)
def test_changed_is_where_labels_differ_and_unknown_is_invalid(seed):
    pair = draw(seed, zoom=(0.5, 2.0), shift_px=2, recolor=1, look=LookOptions(seasonal=(3,)))
    assert pair.before.shape == pair.after.shape == (3, 32, 32)
    assert np.array_equal(pair.changed, pair.label_before != pair.label_after)
    assert np.array_equal(pair.valid, (pair.label_before > 0) & (pair.label_after > 0))


def test_kinds_come_as_often_as_asked():
    """Unchanged pairs have equal labels, pasted ones some equal blocks, two places few by chance alone."""
    shares = {"two_places": 0.0, "pasted": 0.0, "unchanged": 1.0}
    assert not any(draw(seed, **shares).changed.any() for seed in range(30))
    mixed = {"two_places": 1.0, "pasted": 0.0, "unchanged": 1.0}
    changed = [draw(seed, **mixed).changed.any() for seed in range(200)]
    assert 70 < sum(changed) < 130


def test_a_pasted_pair_keeps_part_of_the_place():
    shares = {"two_places": 0.0, "pasted": 1.0, "unchanged": 0.0}
    changed = [draw(seed, **shares).changed.mean() for seed in range(50)]
    assert 0 < np.mean(changed) < 0.5


@settings(max_examples=40)
@given(SEEDS)
def test_regions_end_at_the_borders_of_labels_and_are_never_unknown(seed):
    from scipy.ndimage import label as number_regions

    _, labels = labelled_images()
    where = draw_regions(labels[0], 0.3, np.random.default_rng(seed))
    assert where.any()
    assert not where[labels[0] == 0].any()
    for number in range(1, 5):
        regions, count = number_regions(labels[0] == number)
        for region in range(1, count + 1):
            assert len(np.unique(where[regions == region])) == 1


def test_a_pasted_region_brings_its_label_and_leaves_the_rest():
    images, labels = labelled_images()
    place, other = (
        Place(image.astype(np.float32), label) for image, label in zip(images[:2], labels[:2], strict=True)
    )
    pasted = paste_regions(place, other, np.random.default_rng(1))
    np.testing.assert_array_equal(pasted.image[0], pasted.label * float(CLASS_STEP))
    from_place = (pasted.label == place.label).mean()
    assert 0 < from_place < 1
    assert ((pasted.label == place.label) | (pasted.label == other.label)).all()


def test_equal_seeds_give_equal_pairs():
    options = {"zoom": (0.5, 2.0), "shift_px": 2, "recolor": 0.5, "look": LookOptions(seasonal=(3,))}
    one, again, other = (draw(seed, **options) for seed in (4, 4, 5))
    assert all(np.array_equal(x, y) for x, y in zip(one, again, strict=True))
    assert not np.array_equal(one.before, other.before)


def test_an_image_smaller_than_a_pair_is_enlarged():
    images, labels = labelled_images(side=16)
    pair = draw_single_date_pair(images, labels, 48, np.random.default_rng(0))
    assert pair.before.shape == (3, 48, 48)


def test_one_date_at_most_is_shifted_and_by_two_pixels_at_most():
    image = np.add.outer(np.arange(64) * 3.0, np.arange(64) / 2.0)[None].astype(np.float32)
    label = np.ones((64, 64), np.uint8)
    options = SingleDateOptions(two_places=0, pasted=0, **{**PLAIN, "shift_px": 2})
    found = set()
    for seed in range(60):
        pair = draw_single_date_pair([image], [label], 32, np.random.default_rng(seed), options)
        offsets = np.unique((pair.after - pair.before).round(2))
        assert len(offsets) == 1
        found.add(float(offsets[0]))
    assert max(map(abs, found)) <= 2 * 3.5
    assert len(found) > 10


def test_images_and_labels_that_do_not_fit_are_refused():
    images, labels = labelled_images()
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="3 images and 2 labels"):
        draw_single_date_pair(images, labels[:2], 32, rng)
    with pytest.raises(ValueError, match="must agree"):
        draw_single_date_pair(images, [label[:-1] for label in labels], 32, rng)
    with pytest.raises(ValueError, match="one of them above 0"):
        SingleDateOptions(two_places=0, pasted=0, unchanged=0)
    with pytest.raises(ValueError, match="zoom must be positive and increasing"):
        SingleDateOptions(zoom=(2.0, 1.0))
