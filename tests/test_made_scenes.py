"""The made scenes are reproducible and well labelled, and the committed sample files are one of them."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from make_sample import COMMITTED_SEED, COMMITTED_SIZE, MadeScene, make_scene
from scene_files import PALETTE, TAKEN, TRANSFORM, seen_after, write_scene

SAMPLE = Path(__file__).parent.parent / "sample_data"
PICTURES, LABELS = ("before", "after"), ("label_before", "label_after")


@pytest.fixture(scope="module")
def committed() -> MadeScene:
    return make_scene(COMMITTED_SEED, COMMITTED_SIZE)


@pytest.fixture(scope="module")
def small_scenes() -> list[MadeScene]:
    return [make_scene(seed) for seed in range(20)]


def test_the_same_seed_makes_the_same_scene() -> None:
    first, second = make_scene(3, 128), make_scene(3, 128)
    for name in PICTURES + LABELS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_another_seed_makes_another_scene() -> None:
    assert (make_scene(3, 128).before != make_scene(4, 128).before).mean() > 0.5


def test_every_pixel_has_a_class_and_no_picture_holds_zero(small_scenes: list[MadeScene]) -> None:
    for scene in small_scenes:
        assert scene.before.shape == scene.after.shape == (3, 256, 256)
        assert scene.before.min() >= 1
        assert scene.after.min() >= 1
        for label in (scene.label_before, scene.label_after):
            assert label.shape == (256, 256)
            assert label.dtype == np.uint8
            assert set(np.unique(label)) <= {1, 2, 3, 4}


def test_a_twentieth_to_a_quarter_of_every_scene_has_changed(small_scenes: list[MadeScene]) -> None:
    shares = [float((scene.label_before != scene.label_after).mean()) for scene in small_scenes]
    assert min(shares) > 0.05
    assert max(shares) < 0.28
    assert max(shares) > 1.5 * min(shares)


def test_all_classes_and_most_transitions_occur_in_the_sample_pair(committed: MadeScene) -> None:
    counts = np.zeros((5, 5))
    np.add.at(counts, (committed.label_before, committed.label_after), 1 / committed.label_before.size)
    assert (counts.sum(1)[1:] > 0.03).all()
    assert (counts.sum(0)[1:] > 0.03).all()
    assert (counts - np.diag(np.diag(counts)) > 0.002).sum() >= 8


@pytest.mark.parametrize("name", LABELS)
def test_the_label_files_are_the_made_labels(name: str, committed: MadeScene) -> None:
    with rasterio.open(SAMPLE / f"{name}.tif") as dataset:
        expected = np.where(seen_after(COMMITTED_SIZE), getattr(committed, name), 0)
        np.testing.assert_array_equal(dataset.read(1), expected)
        assert dataset.nodata == 0
        assert {value: dataset.colormap(1)[value][:3] for value in PALETTE} == PALETTE


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_files_are_the_made_pictures_within_jpeg_losses(name: str, committed: MadeScene) -> None:
    with rasterio.open(SAMPLE / f"{name}.tif") as dataset:
        valid = dataset.dataset_mask() == 255
        losses = np.abs(dataset.read().astype(int) - getattr(committed, name))[:, valid]
        assert losses.mean() < 6
        assert dataset.descriptions == ("red", "green", "blue")
        assert dataset.tags(ns="IMAGERY")["ACQUISITIONDATETIME"] == TAKEN[name]


def test_only_the_after_picture_lacks_data_and_only_in_one_corner() -> None:
    with rasterio.open(SAMPLE / "before.tif") as before, rasterio.open(SAMPLE / "after.tif") as after:
        assert (before.dataset_mask() == 255).all()
        hidden = after.dataset_mask() == 0
    np.testing.assert_array_equal(hidden, ~seen_after(COMMITTED_SIZE))
    assert 0.05 < hidden.mean() < 0.07
    corners = hidden[0, 0], hidden[0, -1], hidden[-1, 0], hidden[-1, -1]
    assert corners == (False, True, False, False)


def test_the_four_files_share_one_grid_and_stay_below_four_megabytes() -> None:
    paths = [SAMPLE / f"{name}.tif" for name in PICTURES + LABELS]
    for path in paths:
        with rasterio.open(path) as dataset:
            assert dataset.crs.to_epsg() == 32632
            assert dataset.transform == TRANSFORM
            assert dataset.shape == (COMMITTED_SIZE, COMMITTED_SIZE)
    assert sum(path.stat().st_size for path in paths) < 4_000_000


def test_a_written_scene_is_read_back(tmp_path: Path) -> None:
    scene = make_scene(5, 128)
    paths = write_scene(scene, tmp_path)
    assert [path.stem for path in paths] == [*PICTURES, *LABELS]
    with rasterio.open(tmp_path / "label_after.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), np.where(seen_after(128), scene.label_after, 0))
