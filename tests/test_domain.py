"""Where a checkpoint is at home: measured over its training images, and held against a pair."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from lsafnet import build_network, load_checkpoint
from lsafnet.checkpoint.domain import Domain
from lsafnet.checkpoint.files import replace_info
from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo, read_checkpoint_info
from lsafnet.domain import distances, feature_layers, image_features, measure_domain
from lsafnet_cli import predict_change
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.table import change_table, uniform_notices
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, PredictOptions, ReadOptions, StretchRule
from lsafnet_cli.prediction.check import check_pair

from .conftest import noise, write_raster

CPU = DeviceOptions(device="cpu")


def pictures(count: int, first: int = 100) -> list[np.ndarray]:
    """Return so many images of 64 pixels that look like those of `noise`."""
    return [noise(seed, 64, 64).astype(np.float32) for seed in range(first, first + count)]


@pytest.fixture(scope="module")
def at_home(tiny_checkpoint, tmp_path_factory):
    """Return the tiny checkpoint with the domain of `noise` at 0.3 to 0.6 m."""
    loaded = load_checkpoint(tiny_checkpoint)
    domain = measure_domain(loaded.network, loaded.info, pictures(60), (0.3, 0.6))
    path = tmp_path_factory.mktemp("home") / "home.safetensors"
    replace_info(tiny_checkpoint, path, replace(loaded.info, domain=domain))
    return path


def test_a_domain_survives_its_json(at_home):
    info = read_checkpoint_info(at_home)
    assert info.domain.gsd_m == (0.3, 0.6)
    assert info.domain.bands == ("red", "green", "blue")
    assert info.domain.statistics.images == 60
    assert CheckpointInfo.from_json(info.to_json()) == info
    plain = json.loads(info.to_json())
    del plain["domain"]
    assert CheckpointInfo.from_json(json.dumps(plain)).domain is None


@pytest.mark.parametrize(
    "wrong", [{"gsd_m": (2.0, 1.0)}, {"gsd_m": (0.0, 1.0)}, {"gsd_m": (1.0,)}, {"bands": (1, 2, 3)}]
)
def test_a_domain_that_exists_is_right(wrong):
    with pytest.raises(CheckpointError):
        Domain(**wrong)


def test_features_are_the_means_of_what_layers_are_given(tiny_checkpoint):
    import torch

    network = load_checkpoint(tiny_checkpoint).network
    names = feature_layers(network)
    assert 1 < len(names) <= 3
    image, seen = torch.from_numpy(np.stack(pictures(2))), {}
    hooks = [
        network.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.setdefault(name, inputs[0])
        )
        for name in names
    ]
    with torch.inference_mode():
        network(image, image)
    for hook in hooks:
        hook.remove()
    for name, found in image_features(network, names, image).items():
        np.testing.assert_allclose(found, seen[name].mean((2, 3)).numpy()[:2], rtol=1e-4, atol=1e-5)


def test_images_unlike_those_trained_on_lie_farther_away(at_home):
    import torch

    loaded = load_checkpoint(at_home)
    statistics, date = loaded.info.domain.statistics, loaded.info.normalization.before
    near, far = pictures(10, first=900), [255 - image // 8 for image in pictures(10, first=900)]
    found = []
    for images in (near, far):
        values = torch.from_numpy((np.stack(images) - date.mean[0]) / np.float32(date.std[0]))
        features = image_features(loaded.network, statistics.features, values)
        found.append(distances(features, statistics.features))
    assert np.median(found[0]) < statistics.limit < np.median(found[1])


def reasons(tmp_path, checkpoint, before, after, **read):
    options = PredictOptions(checkpoint=checkpoint, device=CPU, read=ReadOptions(**read))
    report = predict_change(before, after, tmp_path / "map.tif", replace(options))
    assert report.domain.inside == (not report.domain.reasons)
    told = [text for text in report.notices if "unlike what the checkpoint was trained on" in text]
    assert len(told) == bool(report.domain.reasons)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        tag = dataset.tags()["LSAFNET_DOMAIN"]
    assert tag == ("inside" if report.domain.inside else "outside: " + "; ".join(report.domain.reasons))
    return report.domain.reasons


def images(tmp_path, change=lambda pixels: pixels, **profile):
    return [write_raster(tmp_path / f"{n}.tif", change(noise(n, 150, 203)), **profile) for n in (1, 2)]


def test_a_pair_like_the_training_images_is_inside(tmp_path, at_home):
    assert reasons(tmp_path, at_home, *images(tmp_path)) == ()
    assert check_pair(*images(tmp_path), at_home).domain.inside


@pytest.mark.parametrize("scale", [20, 0.1])
def test_pixels_of_another_size_are_outside(tmp_path, at_home, scale):
    from affine import Affine

    from .conftest import PLACE

    pair = images(tmp_path, transform=PLACE @ Affine.scale(scale))
    found = reasons(tmp_path, at_home, *pair)
    assert [
        one for one in found if one.startswith(f"pixels of {0.5 * scale:.3g} m (trained on 0.3 to 0.6 m)")
    ]
    assert check_pair(*pair, at_home).domain.reasons[0] == found[0]


def test_values_in_a_corner_of_their_range_are_outside_until_they_are_stretched(tmp_path, at_home):
    pair = images(tmp_path, lambda pixels: pixels // 10)
    (found,) = [one for one in reasons(tmp_path, at_home, *pair) if one.startswith("values fill")]
    assert "of 0 to 255 (`stretch` percentile:2,98 rescales them)" in found
    assert any("values fill" in one for one in check_pair(*pair, at_home).domain.reasons)
    stretched = ReadOptions(stretch=StretchRule.parse("percentile:2,98"))
    assert not any("values fill" in one for one in check_pair(*pair, at_home, stretched).domain.reasons)


def six_bands(pixels):
    return np.concatenate([pixels, pixels])


def test_bands_that_nobody_names_are_outside_until_they_are_chosen(tmp_path, at_home):
    pair = images(tmp_path, six_bands, photometric="minisblack")
    expected = "bands 1, 2, 3 of 6 chosen by position, since none has a name (`bands`)"
    assert expected in check_pair(*pair, at_home).domain.reasons
    assert expected in reasons(tmp_path, at_home, *pair)
    named = check_pair(*pair, at_home, ReadOptions(bands=(3, 2, 1)))
    assert expected not in named.domain.reasons


def test_false_colour_is_outside(tmp_path, at_home):
    pair = images(tmp_path)
    for path in pair:
        with rasterio.open(path, "r+") as dataset:
            for band, name in enumerate(("NIR", "Red", "Green"), 1):
                dataset.set_band_description(band, name)
            dataset.colorinterp = [rasterio.enums.ColorInterp.undefined] * 3
    found = check_pair(*pair, at_home).domain.reasons
    assert any("band 1 is nir but red was used in training" in one for one in found)


def test_features_far_from_training_are_outside_and_their_distance_is_said(tmp_path, at_home):
    pair = images(tmp_path, lambda pixels: (pixels > 128).astype("uint8") * 255)
    (found,) = [one for one in reasons(tmp_path, at_home, *pair) if one.startswith("feature distance")]
    limit = read_checkpoint_info(at_home).domain.statistics.limit
    assert found.endswith(f"(99 % of the training images: within {limit:.2g})")
    assert float(found.split()[2]) > limit


def test_a_map_in_which_nothing_changed_or_all_in_one_way_says_so(tmp_path):
    legend = Legend(("unchanged", "a", "b"), ((0, 0, 0), (1, 0, 0), (2, 0, 0)))
    told = {}
    for name, codes in (("none", [0, 0, 255]), ("one", [0, 2, 2]), ("two", [0, 2, 3]), ("empty", [255] * 3)):
        path = write_raster(tmp_path / f"{name}.tif", np.array([[codes]], "uint8"), nodata=255)
        told[name] = list(uniform_notices(change_table(path, legend)))
    assert told["none"][0].startswith("no pixel has changed")
    assert told["one"][0].startswith("the only transition is a to b")
    assert told["two"] == told["empty"] == []


def test_the_default_checkpoint_is_one_line_after_the_result_and_none_before_an_error(tmp_path, monkeypatch):
    from lsafnet_cli.errors import InputError

    monkeypatch.delenv("LSAFNET_CHECKPOINT", raising=False)
    observer = Observer()
    with pytest.raises(InputError):
        predict_change("nope.tif", "none.tif", tmp_path / "map.tif", observer=observer)
    assert observer.notices == []
    report = predict_change(*images(tmp_path), tmp_path / "map.tif", PredictOptions(device=CPU))
    assert ["shipped with lsafnet" in text for text in report.notices].index(True) == len(report.notices) - 1


def test_layers_that_serve_training_alone_are_left_out(at_home):
    """SCDNet's auxiliary heads have convolutions that are not called in inference."""
    network = build_network("scdnet", num_classes=5)
    domain = measure_domain(network, read_checkpoint_info(at_home), pictures(4), (0.5, 0.5))
    measured = set(domain.statistics.features)
    assert measured
    assert measured < set(feature_layers(network))


@pytest.mark.parametrize("first", [True, False])
def test_layers_whose_features_are_not_finite_are_left_out(tiny_checkpoint, first):
    """After a few steps a network may overflow: its domain has no statistics of what is behind."""
    loaded = load_checkpoint(tiny_checkpoint)
    names = feature_layers(loaded.network)
    broken = 0 if first else 1
    with torch.no_grad():
        loaded.network.get_submodule(names[broken]).weight.fill_(torch.inf)
    domain = measure_domain(loaded.network, loaded.info, pictures(4), (0.3, 0.6))
    measured = set(domain.statistics.features)
    assert measured
    assert measured < set(names)
    info = replace(loaded.info, domain=domain)
    assert CheckpointInfo.from_json(info.to_json()) == info


def test_a_network_without_finite_features_has_no_domain(tiny_checkpoint):
    loaded = load_checkpoint(tiny_checkpoint)
    images = [np.full((3, 64, 64), np.inf, np.float32)] * 4
    with pytest.raises(ValueError, match="finite"), np.errstate(invalid="ignore"):
        measure_domain(loaded.network, loaded.info, images, (0.3, 0.6))
