"""An exported checkpoint gives the probabilities of the checkpoint, without this package's help."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lsafnet import load_checkpoint
from lsafnet.checkpoint.published import DATA_SETS
from lsafnet_cli.app import main
from lsafnet_cli.prediction.infer import Scorer, TileBatch
from lsafnet_cli.system.devices import Device

from .conftest import noise
from .test_import import published, run


@pytest.fixture(scope="module", params=["lsafnet-tiny", "fc-siam-diff"])
def checkpoint(request, tiny_checkpoint, tmp_path_factory):
    if request.param == "lsafnet-tiny":
        return tiny_checkpoint
    folder = tmp_path_factory.mktemp("published")
    path = published(folder / "x.pth", request.param)
    described = {**DATA_SETS["second"], "tile_px": 64}
    (folder / "small.json").write_text(json.dumps(described))
    made = folder / "x.safetensors"
    assert run("checkpoint", "import", path, "--dataset", folder / "small.json", "-o", made) == 0
    return made


def images():
    return [torch.from_numpy(noise(seed, 64, 64)[None]) for seed in (1, 2)]


def expected(path: Path):
    with torch.inference_mode():
        scorer = Scorer([load_checkpoint(path)], (None, None), Device(torch.device("cpu"), "fp32"))
        return scorer(TileBatch([], torch.stack(images())))


def test_torch_export_gives_the_probabilities(checkpoint, tmp_path):
    out = tmp_path / "x.pt2"
    assert run("checkpoint", "export", checkpoint, "-o", out) == 0
    extra = {"lsafnet.json": ""}
    program = torch.export.load(out, extra_files=extra).module()
    found = torch.cat(program(*(image.float() for image in images())), dim=1)
    torch.testing.assert_close(found, expected(checkpoint), rtol=1e-4, atol=1e-4)
    assert json.loads(extra["lsafnet.json"])["tile_px"] == 64
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt2"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of torch's own exporter
def test_onnx_gives_the_probabilities(checkpoint, tmp_path):
    pytest.importorskip("onnxscript")
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    out = tmp_path / "x.onnx"
    assert run("checkpoint", "export", checkpoint, "--format", "onnx", "-o", out) == 0
    session = runtime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    feeds = dict(zip(("before", "after"), (image.float().numpy() for image in images()), strict=True))
    found = np.concatenate(session.run(None, feeds), axis=1)
    np.testing.assert_allclose(found, expected(checkpoint).numpy(), rtol=1e-3, atol=1e-4)
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert json.loads(metadata["lsafnet"])["tile_px"] == 64


def test_onnx_without_its_extra_is_told(tiny_checkpoint, tmp_path, capsys, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("lsafnet.checkpoint.exporting.import_module", absent)
    assert run("checkpoint", "export", tiny_checkpoint, "--format", "onnx", "-o", tmp_path / "x.onnx") == 2
    assert "lsafnet[onnx]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [(("-o", "x.onnx"), "must end in .pt2"), (("-o", "x.pt2", "--tile", "50"), "multiple of 32")],
)
def test_wrong_export_options_are_told(tiny_checkpoint, tmp_path, monkeypatch, capsys, arguments, found):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["checkpoint", "export", str(tiny_checkpoint), *arguments])
    assert left.value.code == 2
    assert found in capsys.readouterr().err
