"""A network that tells only changed from unchanged: map, legend, table, styles, polygons and picture follow."""

import json
from dataclasses import replace

import fiona
import numpy as np
import pytest
import rasterio
import torch

from lsafnet import build_network, load_checkpoint, save_checkpoint
from lsafnet.checkpoint.info import CheckpointError
from lsafnet.checkpoint.published import DATA_SETS, describe_checkpoint
from lsafnet.registry import NETWORKS
from lsafnet_cli.app import main


@pytest.fixture(scope="module", params=["fc-siam-conc", "fc-siam-diff"])
def binary_checkpoint(request, tmp_path_factory):
    """Return a network that finds something: its batch norms have seen something."""
    torch.manual_seed(0)
    network = build_network(request.param, num_classes=2)
    with torch.no_grad():
        for _ in range(5):
            network.train()(*torch.randn(2, 2, 3, 64, 64))
    info = replace(describe_checkpoint(NETWORKS[request.param], DATA_SETS["second"]), tile_px=64)
    path = tmp_path_factory.mktemp("binary") / "binary.safetensors"
    save_checkpoint(path, network, info)
    return path


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


def test_the_whole_command_works_with_change_alone(binary_checkpoint, pair, tmp_path, capsys):
    out, polygons = tmp_path / "changes.tif", tmp_path / "changes.gpkg"
    also = "probability,quicklook"
    arguments = ("-o", out, "--checkpoint", binary_checkpoint, "--polygons", polygons, "--also", also, "-q")
    arguments += ("--min-area", "0")
    assert run("predict", *pair, *arguments, "--json") == 0
    table = json.loads(capsys.readouterr().out)["table"]
    assert [row["name"] for row in table["transitions"]] == ["changed"]
    assert table["transitions"][0]["from_class"] is table["transitions"][0]["to_class"] is None
    with rasterio.open(out) as dataset:
        codes = dataset.read(1)
        assert set(np.unique(codes)) == {0, 1}
        assert dataset.colormap(1)[1][:3] == (0xE3, 0x1A, 0x1C)
        assert json.loads(dataset.tags()["LSAFNET_LEGEND"])["semantic"] is False
    assert table["changed_pixels"] == (codes == 1).sum()
    assert 'label="changed"' in out.with_suffix(".qml").read_text()
    with fiona.open(polygons) as layer:
        features = [feature["properties"] for feature in layer]
    assert sum(feature["pixels"] for feature in features) == (codes == 1).sum()
    assert {feature["transition"] for feature in features} == {"changed"}
    assert {feature["from_class"] for feature in features} <= {None, ""}
    assert (tmp_path / "changes.quicklook.png").stat().st_size > 1000


def test_later_commands_take_a_map_of_change_alone(binary_checkpoint, pair, tmp_path, capsys):
    out = tmp_path / "changes.tif"
    assert run("predict", *pair, "-o", out, "--checkpoint", binary_checkpoint, "-q") == 0
    assert "changed" in capsys.readouterr().out
    assert run("summarize", out) == 0
    assert "changed" in capsys.readouterr().out
    assert run("vectorize", out, "-o", tmp_path / "changes.geojson") == 0
    features = json.loads((tmp_path / "changes.geojson").read_text())["features"]
    assert features


def test_from_and_to_cannot_be_had_from_change_alone(binary_checkpoint, pair, tmp_path, capsys):
    out = tmp_path / "changes.tif"
    assert run("predict", *pair, "-o", out, "--checkpoint", binary_checkpoint, "--also", "from,before") == 2
    assert "is a binary change network" in capsys.readouterr().err
    assert not out.exists()


def test_change_alone_has_two_classes(binary_checkpoint, tmp_path):
    checkpoint = load_checkpoint(binary_checkpoint)
    info = replace(checkpoint.info, classes=tuple(load_classes()))
    save_checkpoint(tmp_path / "seven.safetensors", checkpoint.network, info)
    with pytest.raises(CheckpointError, match=r"has 2 classes \(binary\), not 7"):
        load_checkpoint(tmp_path / "seven.safetensors")


def load_classes():
    return describe_checkpoint(NETWORKS["lsafnet"], DATA_SETS["second"]).classes
