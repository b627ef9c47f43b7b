"""Random views of examples: arrays move together, values stay in range, equal seeds give equal arrays."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lsafnet.training import augment
from lsafnet.training.augment import (
    LookOptions,
    change_look,
    make_coarse_pair,
    resize_image,
    resize_labels,
    swap_dates,
    turn_and_flip,
)
from lsafnet.training.examples import Example
from lsafnet.training.single_date import Place, SingleDateOptions, photograph

RANGE = (100.0, 1100.0)
SEEDS = st.integers(0, 2**32 - 1)


def numbered_pair(rows: int, cols: int) -> Example:
    """A pair in which every array holds the number of its pixel, so that each says where a pixel came from."""
    numbers = np.arange(rows * cols).reshape(rows, cols)
    image = np.stack([numbers, 2 * numbers]).astype(np.float32)
    low = (numbers % 251).astype(np.uint8)
    return Example(image, image + 0.5, low, low + 1, numbers % 2 == 0, numbers % 3 == 0)


def picture(bands: int = 3, side: int = 24) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.uniform(*RANGE, (bands, side, side)).astype(np.float32)


def equal(one: Example, other: Example) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(one, other, strict=True))


@given(SEEDS, st.sampled_from([(6, 6), (4, 7)]))
def test_pixels_labels_and_validity_turn_together(seed, shape):
    turned = turn_and_flip(numbered_pair(*shape), np.random.default_rng(seed))
    assert turned.before.shape == (2, *shape)
    numbers = turned.before[0].astype(int)
    assert sorted(numbers.ravel()) == list(range(shape[0] * shape[1]))
    assert np.array_equal(turned.before[1], 2 * turned.before[0])
    assert np.array_equal(turned.after, turned.before + 0.5)
    assert np.array_equal(turned.label_before, numbers % 251)
    assert np.array_equal(turned.label_after, numbers % 251 + 1)
    assert np.array_equal(turned.changed, numbers % 2 == 0)
    assert np.array_equal(turned.valid, numbers % 3 == 0)


def test_all_eight_views_of_a_square_occur():
    views = {
        turn_and_flip(numbered_pair(4, 4), np.random.default_rng(seed)).before.tobytes()
        for seed in range(100)
    }
    assert len(views) == 8


def test_dates_are_swapped_with_their_labels_half_of_the_time():
    pair = numbered_pair(4, 4)
    swapped = Example(pair.after, pair.before, pair.label_after, pair.label_before, pair.changed, pair.valid)
    found = [swap_dates(pair, np.random.default_rng(seed)) for seed in range(200)]
    assert all(equal(one, pair) or equal(one, swapped) for one in found)
    assert 60 < sum(equal(one, swapped) for one in found) < 140


WAYS = {
    "light": partial(augment.jitter_light, value_range=RANGE),
    "haze": partial(augment.add_haze, value_range=RANGE),
    "colors": partial(augment.shift_colors, value_range=RANGE),
    "blur": augment.blur,
    "noise": partial(augment.add_noise, value_range=RANGE),
    "jpeg": partial(augment.compress_jpeg, value_range=RANGE),
    "tint": lambda image, rng: augment.tint_where(image, np.ones(image.shape[1:], bool), rng, RANGE),
    "leafless": lambda image, rng: augment.shed_leaves(image, np.ones(image.shape[1:], bool), rng, RANGE),
    "look": lambda image, rng: change_look(
        image,
        np.ones(image.shape[1:], np.uint8),
        rng,
        RANGE,
        LookOptions(haze=1, season=1, blur=1, noise=1, jpeg=1, seasonal=(1,), leafless=1),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bands", [1, 3, 6])
def test_looks_stay_in_range_depend_on_the_seed_alone_and_leave_the_image_as_it_was(way, bands):
    image = picture(bands)
    kept = image.copy()
    first, again, other = (WAYS[way](image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(image, kept)
    assert first.shape == image.shape
    assert first.dtype == np.float32
    assert first.min() >= RANGE[0] - 1e-3
    assert first.max() <= RANGE[1] + 1e-3
    assert np.array_equal(first, again)
    if (way, bands) not in [("jpeg", 1), ("jpeg", 6), ("colors", 1)]:
        assert not np.array_equal(first, image)
        assert not np.array_equal(first, other)


def test_light_of_no_strength_leaves_an_image_as_it_is():
    found = augment.jitter_light(picture(), np.random.default_rng(0), RANGE, strength=0)
    np.testing.assert_allclose(found, picture(), rtol=1e-4)


def test_crowns_without_leaves_are_grey_and_grained_and_all_else_stays():
    where = np.zeros((64, 64), bool)
    where[:, :20] = True
    image = np.empty((3, 64, 64), np.float32)
    image[:] = np.array((40, 160, 60), np.float32)[:, None, None]
    for seed in range(5):
        found = augment.shed_leaves(image, where, np.random.default_rng(seed), (0, 255))
        assert np.allclose(found[:, :, 40:], image[:, :, 40:], atol=0.01)
        red, green, blue = (band[:, :14].mean() for band in found)
        assert green - red < 0.6 * (160 - 40)
        assert green - blue < 0.7 * (160 - 60)
        assert found[1, :, :14].std() > 2


def test_only_the_classes_that_follow_the_season_lose_their_leaves():
    label = np.ones((32, 32), np.uint8)
    label[:, 16:] = 2
    image = picture(3, 32)
    still = LookOptions(0, haze=0, blur=0, noise=0, jpeg=0, seasonal=(2,), season=0)
    as_it_was = change_look(image, label, np.random.default_rng(1), RANGE, still)
    found = change_look(image, label, np.random.default_rng(1), RANGE, replace(still, leafless=1))
    assert np.allclose(found[:, :, :8], as_it_was[:, :, :8], rtol=1e-4)
    assert not np.allclose(found[:, :, 24:], as_it_was[:, :, 24:], rtol=1e-2)
    none = change_look(image, label, np.random.default_rng(1), RANGE, replace(still, leafless=1, seasonal=()))
    assert np.allclose(none, as_it_was, rtol=1e-4)


def test_a_tint_stays_near_its_place():
    where = np.zeros((64, 64), bool)
    where[:, :20] = True
    image = picture(3, 64)
    found = augment.tint_where(image, where, np.random.default_rng(0), RANGE)
    assert np.allclose(found[:, :, 40:], image[:, :, 40:], rtol=1e-4)
    assert not np.allclose(found[:, :, :10], image[:, :, :10], rtol=1e-2)


def test_images_and_labels_are_resized_over_the_same_ground():
    numbers = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.uint8), 20, 0), 20, 1)
    for size in ((10, 10), (24, 24), (100, 100)):
        labels, image = resize_labels(numbers, size), resize_image(numbers[None], size)[0]
        assert labels.shape == image.shape == size
        inside = np.abs(image - labels) < 0.01
        assert inside.mean() > 0.6
        assert {*np.unique(labels)} == {1, 2, 3, 4}


def test_impossible_looks_are_refused():
    with pytest.raises(ValueError, match=r"probability 0\.\.1"):
        LookOptions(haze=2)


def test_both_dates_of_a_coarse_pair_lose_the_same_detail():
    fine = np.indices((1, 64, 64)).sum(0).astype(np.float32) % 2 * 200  # a chequerboard of single pixels
    coarse = np.repeat(np.repeat(fine[:, :4, :4], 16, 1), 16, 2)  # and one of 16
    options = LookOptions(jpeg=0, coarsest=0.25)
    for seed in range(5):
        sharp, again = make_coarse_pair([fine, fine], np.random.default_rng(seed), (0, 255), options)
        np.testing.assert_array_equal(sharp, again)
        assert sharp.shape == fine.shape
        kept, _ = make_coarse_pair([coarse, coarse], np.random.default_rng(seed), (0, 255), options)
        assert 2 * np.abs(kept - coarse).mean() < np.abs(sharp - fine).mean()
    same, _ = make_coarse_pair(
        [fine, fine], np.random.default_rng(0), (0, 255), LookOptions(jpeg=0, coarsest=1)
    )
    np.testing.assert_array_equal(same, fine)


def test_a_coarse_pair_is_as_a_share_of_pairs_asks():
    label = np.ones((38, 38), np.uint8)
    image = np.random.default_rng(1).integers(0, 255, (3, 38, 38)).astype(np.float32)
    place, look = Place(image, label), LookOptions(0, 0, 0, 0, 0, 0, coarsest=0.25)
    for chance in (0.0, 1.0):
        options = SingleDateOptions(coarse_pair=chance, shift_px=3, look=look)
        found = photograph(place, place, 32, np.random.default_rng(3), options)
        spread = found.before.std() / image.std()
        assert (spread < 0.95) == bool(chance)
