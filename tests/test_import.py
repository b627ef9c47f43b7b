"""A published state dict becomes a checkpoint; what is none is refused in one line, and nothing runs."""

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from lsafnet import NETWORKS, build_network, load_checkpoint, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, count_parameters, read_checkpoint_info
from lsafnet.checkpoint.published import DATA_SETS
from lsafnet_cli.app import main

from .recordings import recorded_network

SAMPLE = Path(__file__).parents[1] / "sample_data"


def run(*arguments):
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


def state_of(name, num_classes=7, bands=3):
    torch.manual_seed(0)
    return build_network(name, num_classes=num_classes, bands=bands).state_dict()


def published(path, name, wrap=lambda state: state, prefix="", **options):
    """Write a network's state dict as authors publish them."""
    torch.save(wrap({prefix + key: value for key, value in state_of(name, **options).items()}), path)
    return path


def refused(capsys, *arguments, code=5):
    """Return the one line that the command line refuses an import with."""
    capsys.readouterr()
    assert run("checkpoint", "import", *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def recorded_state(name):
    """Return the weights that the recorded logits were computed with."""
    return recorded_network(name).state_dict()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"module." + key: value for key, value in state.items()},
        lambda state: {"state_dict": {"module." + key: value for key, value in state.items()}, "epoch": 50},
        lambda state: {"model": state},
        lambda state: {"net": state},
    ],
    ids=["bare", "module", "state_dict-module", "model", "net"],
)
def test_state_dicts_are_imported_as_authors_wrap_them(tmp_path, wrap, capsys):
    state = recorded_state("hrscd3")
    torch.save(wrap(state), tmp_path / "published.pth")
    checkpoint = tmp_path / "x.safetensors"
    code = run("checkpoint", "import", tmp_path / "published.pth", "--dataset", "second", "-o", checkpoint)
    assert code == 0
    assert "network: hrscd3 (all of its 988 keys" in capsys.readouterr().out
    loaded = load_checkpoint(checkpoint).network.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())


@pytest.mark.parametrize("name", ["fc-siam-diff", "hrscd3"])
def test_an_imported_checkpoint_maps_the_sample_pair(tmp_path, name):
    state = {"module." + key: value for key, value in recorded_state(name).items()}
    torch.save({"state_dict": state}, tmp_path / "published.pth")
    checkpoint = tmp_path / "x.safetensors"
    assert (
        run("checkpoint", "import", tmp_path / "published.pth", "--dataset", "second", "-o", checkpoint) == 0
    )
    pair = (SAMPLE / "before.tif", SAMPLE / "after.tif")
    out = tmp_path / "map.tif"
    assert run("predict", *pair, "-o", out, "--checkpoint", checkpoint, "--overlap", "0", "-q") == 0
    with rasterio.open(out) as found, rasterio.open(pair[0]) as before:
        assert found.shape == before.shape
        codes = set(np.unique(found.read(1)))
    assert codes - {255} == {0, 1} if name == "fc-siam-diff" else len(codes) > 3


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "lsafnet-tiny"])
def test_a_network_is_guessed_from_its_keys(tmp_path, name):
    path = published(tmp_path / "published.pth", name, prefix="module.", num_classes=5)
    checkpoint = tmp_path / "x.safetensors"
    assert run("checkpoint", "import", path, "--dataset", "landsat-scd", "-o", checkpoint) == 0
    info = read_checkpoint_info(checkpoint)
    assert info.network == name
    assert info.trained_on == "Landsat-SCD"
    assert info.num_classes == (5 if NETWORKS[name].semantic else 2)
    trained = sum(p.numel() for p in load_checkpoint(checkpoint).network.parameters())
    assert count_parameters(checkpoint) == trained


@pytest.mark.parametrize("auxiliary", [True, False])
def test_scdnet_is_imported_with_and_without_its_auxiliary_heads(tmp_path, capsys, auxiliary):
    torch.manual_seed(0)
    state = build_network("scdnet", num_classes=7, auxiliary=auxiliary).state_dict()
    torch.save(state, tmp_path / "published.pth")
    checkpoint = tmp_path / "x.safetensors"
    source = (tmp_path / "published.pth", "--dataset", "second")
    for named in ((), ("--network", "scdnet", "--overwrite")):
        assert run("checkpoint", "import", *source, "-o", checkpoint, *named) == 0
        loaded = load_checkpoint(checkpoint)
        assert loaded.info.network == "scdnet"
        assert loaded.info.options == ({} if auxiliary else {"auxiliary": False})
        assert loaded.network.state_dict().keys() == state.keys()
        # as it was published: values divided by 255, whatever the statistics of the data set
        assert loaded.info.normalization.after == BandStatistics((0, 0, 0), (255, 255, 255))
    assert "network: scdnet" in capsys.readouterr().out


def test_a_network_may_be_named_by_an_alias(tmp_path):
    path = published(tmp_path / "published.pth", "defo-mltscd")
    checkpoint = tmp_path / "x.safetensors"
    source = (path, "--dataset", "second")
    assert run("checkpoint", "import", *source, "--network", "rsiscd-tbff", "-o", checkpoint) == 0
    info = read_checkpoint_info(checkpoint)
    assert info.network == "defo-mltscd"
    older = tmp_path / "older.safetensors"  # written while the alias was the network's name
    save_checkpoint(older, load_checkpoint(checkpoint).network, replace(info, network="rsiscd-tbff"))
    assert type(load_checkpoint(older).network).__name__ == "DefoMltscd"
    assert run("checkpoint", "show", older) == 0


def test_another_number_of_classes_is_named_with_its_shapes(tmp_path, capsys):
    path = published(tmp_path / "published.pth", "hrscd3", num_classes=5)
    line = refused(capsys, path, "--dataset", "second", "-o", tmp_path / "x.safetensors")
    assert "TCDecoder.coupling.weight [5, 8, 1, 1] where [7, 8, 1, 1] is needed" in line
    assert not (tmp_path / "x.safetensors").exists()


def test_another_network_lists_the_keys_that_differ(tmp_path, capsys):
    path = published(tmp_path / "published.pth", "hrscd3")
    line = refused(capsys, path, "--dataset", "second", "--network", "ted", "-o", tmp_path / "x.safetensors")
    assert "missing: FCN.layer0.0.weight" in line
    shapes = ("--network", "fc-siam-diff", "-o", tmp_path / "x.safetensors")
    path = published(tmp_path / "published.pth", "fc-siam-conc")
    assert "of another shape: conv43d.weight" in refused(capsys, path, "--dataset", "second", *shapes)


def test_surplus_and_missing_keys_are_told_with_the_nearest_network(tmp_path, capsys):
    state = state_of("hrscd3")
    state["extra.weight"] = torch.zeros(1)
    del state["CDDecoder.coupling.bias"]
    torch.save(state, tmp_path / "published.pth")
    arguments = (tmp_path / "published.pth", "--dataset", "second", "-o", tmp_path / "x.safetensors")
    assert "nearest are hrscd3 (1 missing, 1 surplus of 988 keys)" in refused(capsys, *arguments)
    assert "missing: CDDecoder.coupling.bias" in refused(capsys, *arguments, "--network", "hrscd3")


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def inflated(path):
    """Write a small zip that would unpack to a hundred megabytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 100_000_000)


def cut_off(path):
    published(path, "fc-siam-diff")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("cut.pth", cut_off),
        ("inflated.pth", inflated),
        ("code.pth", lambda path: torch.save({"weight": Trap(path.parent / "ran")}, path)),
        ("length.safetensors", lambda path: path.write_bytes((2**62).to_bytes(8, "little") + b"{}")),
        ("long.safetensors", lambda path: path.write_bytes((99_000_000).to_bytes(8, "little") + b"{}")),
        ("text.pth", lambda path: path.write_text("no checkpoint")),
        ("empty.pth", lambda path: path.write_bytes(b"")),
        ("absent.pth", lambda path: path.unlink(missing_ok=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_no_state_dicts_are_refused_and_nothing_runs(tmp_path, capsys, name, write):
    path = tmp_path / name
    write(path)
    line = refused(capsys, path, "--dataset", "second", "-o", tmp_path / "x.safetensors")
    assert name in line
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "x.safetensors").exists()


def test_a_data_set_of_ones_own_is_described_in_json(tmp_path):
    six = {"mean": [500.0] * 6, "std": [200.0] * 6}
    described = {
        "classes": [{"name": n, "color": c} for n, c in (("same", "#ffffff"), ("ice", "#aaddff"))],
        "normalization": {"before": six, "after": six},
        "value_range": [0, 10000],
        "tile_px": 256,
        "gsd_m": 10,
        "trained_on": "Sentinel-2 of the Alps",
        "license": "CC-BY-4.0",
    }
    (tmp_path / "alps.json").write_text(json.dumps(described))
    path = published(tmp_path / "published.pth", "hrscd4", num_classes=2, bands=6)
    checkpoint = tmp_path / "x.safetensors"
    assert run("checkpoint", "import", path, "--dataset", tmp_path / "alps.json", "-o", checkpoint) == 0
    info = read_checkpoint_info(checkpoint)
    assert (info.bands, info.tile_px, info.gsd_m, info.license) == (6, 256, 10, "CC-BY-4.0")
    assert [entry.name for entry in info.classes] == ["same", "ice"]
    assert load_checkpoint(checkpoint).network.CDEncoder.encres1_1.conv1.in_channels == 12


def test_wrong_options_are_told_before_anything_is_read(tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    path = tmp_path / "published.pth"
    assert "choose second, landsat-scd" in refused(capsys, path, "--dataset", "first", "-o", out, code=2)
    named = ("--dataset", "second", "--network", "resnet", "-o", out)
    assert "choose from lsafnet" in refused(capsys, path, *named, code=2)
    assert "must end in .safetensors" in refused(
        capsys, path, "--dataset", "second", "-o", tmp_path / "x.pth", code=2
    )
    (tmp_path / "bad.json").write_text('{"classes": []}')
    described = ("--dataset", tmp_path / "bad.json", "-o", out)
    assert "is no valid description of a data set" in refused(capsys, path, *described, code=3)
    out.write_text("mine")
    assert "--overwrite" in refused(capsys, path, "--dataset", "second", "-o", out, code=6)
    assert out.read_text() == "mine"


def test_the_data_sets_are_those_of_the_papers():
    second, landsat = DATA_SETS["second"], DATA_SETS["landsat-scd"]
    assert len(second["classes"]) == 7
    assert len(landsat["classes"]) == 5
    assert second["classes"][5] == {"name": "building", "color": "#800000"}
    assert landsat["normalization"]["after"]["mean"] == [137.36, 136.50, 135.144]


def test_the_data_set_of_the_docs_is_one(tmp_path):
    docs = (Path(__file__).parents[1] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    described = json.loads(docs.split("```json\n")[1].split("```")[0])
    (tmp_path / "own.json").write_text(json.dumps(described))
    path = published(tmp_path / "published.pth", "fc-siam-conc", bands=4)
    checkpoint = tmp_path / "x.safetensors"
    assert run("checkpoint", "import", path, "--dataset", tmp_path / "own.json", "-o", checkpoint) == 0
    assert read_checkpoint_info(checkpoint).bands == 4


def test_the_table_of_the_docs_is_that_of_the_registry():
    docs = (Path(__file__).parents[1] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    for spec in NETWORKS.values():
        assert f"{spec.parameters:.3f}" in docs
        assert f"{spec.gflop:.1f}" in docs
        assert spec.paper.split("doi ")[1] in docs
