"""Checkpoints come back as they were saved; anything else is refused in one line, and nothing runs."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lsafnet import NETWORKS, build_network
from lsafnet.checkpoint.files import load_checkpoint, load_state_dict_file, save_checkpoint
from lsafnet.checkpoint.info import (
    METADATA_KEY,
    BandStatistics,
    CheckpointError,
    CheckpointInfo,
    ClassEntry,
    Normalization,
    read_checkpoint_info,
)
from lsafnet.texts import one_line

STATISTICS = BandStatistics((100.0, 110.5, 120.0), (50.0, 40.0, 30.25))
INFO = CheckpointInfo(
    network="lsafnet-tiny",
    options={"width": 16},
    classes=(
        ClassEntry("unchanged", "#ffffff"),
        ClassEntry("water", "#0000ff"),
        ClassEntry("wood", "#00aa00"),
    ),
    bands=3,
    normalization=Normalization(STATISTICS, STATISTICS),
    value_range=(0, 255),
    tile_px=256,
    gsd_m=0.5,
    trained_on="nothing",
    metrics={"miou": 0.5},
    license="Apache-2.0",
)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network("lsafnet-tiny", num_classes=3, width=16)


@pytest.fixture
def saved(tmp_path: Path, network: nn.Module) -> Path:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, network, INFO)
    return path


def refusal(load: Any, path: Path) -> str:
    """Return the message of the one-line CheckpointError that `load(path)` raises."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def save_changed(path: Path, **changes: Any) -> Path:
    """Write a file whose metadata is INFO's with `changes`; a change to None takes the entry away."""
    values = {**json.loads(INFO.to_json()), **changes}
    text = json.dumps({key: value for key, value in values.items() if value is not None})
    save_file({"x": torch.zeros(1)}, path, metadata={METADATA_KEY: text})
    return path


def test_a_checkpoint_comes_back_as_it_was_saved(saved: Path, network: nn.Module) -> None:
    checkpoint = load_checkpoint(saved)
    assert checkpoint.info == read_checkpoint_info(saved) == INFO
    assert checkpoint.info.num_classes == 3
    assert not checkpoint.network.training
    pair = torch.randn(2, 1, 3, 32, 32)
    with torch.inference_mode():
        expected, found = network.eval()(*pair), checkpoint.network(*pair)
    assert all(torch.equal(x, y) for x, y in zip(expected, found, strict=True))
    assert all(p.requires_grad for p in checkpoint.network.parameters())


def test_half_checkpoints_are_smaller_and_load_as_float32(
    saved: Path, network: nn.Module, tmp_path: Path
) -> None:
    small = tmp_path / "half.safetensors"
    save_checkpoint(small, network, INFO, half=True)
    assert small.stat().st_size < 0.6 * saved.stat().st_size
    loaded = load_checkpoint(small).network.state_dict()
    assert {x.dtype for x in loaded.values()} == {torch.float32, torch.int64}
    for key, value in network.state_dict().items():
        torch.testing.assert_close(loaded[key], value, rtol=1e-3, atol=1e-6)


def test_saving_leaves_nothing_half_written(saved: Path, network: nn.Module) -> None:
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="Out of range float"):
        save_checkpoint(saved, network, replace(INFO, options={"width": float("nan")}))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_file_has_the_permissions_of_any_new_file(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o644


def test_a_networks_own_defaults_can_be_saved_as_options(tmp_path: Path, network: nn.Module) -> None:
    options = NETWORKS["lsafnet-base"].options
    info = replace(INFO, options=options)
    save_checkpoint(tmp_path / "a.safetensors", network, info)
    assert read_checkpoint_info(tmp_path / "a.safetensors").options == dict(options)


def test_reading_the_info_does_not_import_torch(saved: Path) -> None:
    program = (
        "import sys, lsafnet.registry; from lsafnet.checkpoint.info import read_checkpoint_info as read;"
        f"print(read({str(saved)!r}).network, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lsafnet-tiny", "False", "False"]


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("load", [load_checkpoint, load_state_dict_file, read_checkpoint_info])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("legacy", [True, False])
def test_code_in_a_file_never_runs(tmp_path: Path, load: Any, suffix: str, legacy: bool) -> None:
    path, mark = tmp_path / f"trap{suffix}", tmp_path / "ran"
    torch.save({"weight": Trap(mark)}, path, _use_new_zipfile_serialization=not legacy)
    refusal(load, path)
    assert not mark.exists()


@pytest.mark.parametrize("load", [load_checkpoint, load_state_dict_file, read_checkpoint_info])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        b"not a checkpoint at all, just text",
        (2**63).to_bytes(8, "little") + b"{}",
        (90_000_000).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{x",
        (60_000).to_bytes(8, "little") + b"[" * 60_000,
    ],
)
def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path, load: Any, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    refusal(load, path)


@pytest.mark.parametrize("load", [load_checkpoint, load_state_dict_file, read_checkpoint_info])
def test_paths_that_hold_no_file_are_refused(tmp_path: Path, load: Any) -> None:
    refusal(load, tmp_path / "absent.safetensors")
    refusal(load, tmp_path / "absent.pth")
    refusal(load, tmp_path)


def test_a_cut_off_checkpoint_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for size in (4, 100, 5000, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:size])
        refusal(load_checkpoint, saved)


def test_a_state_dict_is_pointed_to_its_import(tmp_path: Path, network: nn.Module) -> None:
    torch.save(network.state_dict(), tmp_path / "published.pth")
    assert "lsafnet checkpoint import" in refusal(load_checkpoint, tmp_path / "published.pth")
    save_file(network.state_dict(), tmp_path / "plain.safetensors")
    assert "lsafnet checkpoint import" in refusal(load_checkpoint, tmp_path / "plain.safetensors")


def test_tensors_that_do_not_fit_are_listed(saved: Path) -> None:
    good, metadata = load_file(saved), {METADATA_KEY: INFO.to_json()}
    key = "change_classifier.3.weight"
    faults = {
        "missing": {name: x for name, x in good.items() if name != key},
        "surplus": {**good, "extra.weight": torch.zeros(1)},
        "of another shape": {**good, key: torch.zeros(2, 8, 1, 1)},
        "of another kind": {**good, key: torch.ones(good[key].shape, dtype=torch.int32)},
        "not finite": {**good, key: torch.full_like(good[key], float("nan"))},
    }
    for fault, tensors in faults.items():
        save_file(tensors, saved, metadata=metadata)
        found = "extra.weight" if fault == "surplus" else key
        assert f"{fault}: {found}" in refusal(load_checkpoint, saved)


def test_many_missing_tensors_are_counted(saved: Path) -> None:
    save_file({}, saved, metadata={METADATA_KEY: INFO.to_json()})
    assert re.search(r"missing: backbone\.conv1\.weight, .* and \d+ more;", refusal(load_checkpoint, saved))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"format": 2}, "format 2"),
        ({"format": None}, "format is missing"),
        ({"network": None}, "network is missing"),
        ({"network": 3}, "network must be a text"),
        ({"classes": None}, "classes is missing"),
        ({"num_classes": 4}, "num_classes is 4 but 3"),
        ({"classes": [{"name": "a", "color": "#000000"}], "num_classes": 1}, "at least two are needed"),
        ({"classes": [{"name": "a", "color": "#000000"}] * 3}, "same name"),
        ({"classes": [{"name": "a", "color": "red"}] * 3}, "colour 'red'"),
        ({"classes": [{"name": " ", "color": "#000000"}] * 3}, "needs a text"),
        ({"classes": ["a", "b", "c"]}, "classes has a wrong structure"),
        ({"classes": 3}, "classes has a wrong structure"),
        ({"bands": 0}, "bands must be"),
        ({"bands": True}, "bands must be"),
        ({"bands": 4}, "normalization has 3 values, not 4"),
        ({"normalization": {"before": {"mean": [0, 0, 0]}}}, "normalization has a wrong structure"),
        (
            {"normalization": {d: {"mean": [0] * 3, "std": [1, 0, 1]} for d in ("before", "after")}},
            "positive",
        ),
        (
            {"normalization": {d: {"mean": "abc", "std": [1] * 3} for d in ("before", "after")}},
            "lists of numbers",
        ),
        ({"value_range": [255, 0]}, "value_range"),
        ({"value_range": [0]}, "value_range"),
        ({"value_range": 255}, "value_range has a wrong structure"),
        ({"tile_px": 100}, "multiple of 8, not 100"),
        ({"tile_px": -8}, "multiple of 8"),
        ({"tile_px": 256.0}, "multiple of 8"),
        ({"gsd_m": 0}, "gsd_m"),
        ({"gsd_m": "0.5"}, "gsd_m"),
        ({"license": ""}, "license must be a text"),
        ({"metrics": {"miou": "good"}}, "metrics must be numbers"),
        ({"options": [1]}, "options has a wrong structure"),
    ],
)
def test_wrong_metadata_is_named(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    path = save_changed(tmp_path / "wrong.safetensors", **changes)
    assert found in refusal(read_checkpoint_info, path)
    assert found in refusal(load_checkpoint, path)


def test_metadata_that_is_no_json_object_is_refused(tmp_path: Path) -> None:
    for text in ("", "[]", "{", "NaN", "[" * 60_000):
        save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", metadata={METADATA_KEY: text})
        assert "JSON" in refusal(read_checkpoint_info, tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"network": "resnet"}, "no network is called 'resnet'"),
        ({"options": {"depth": 3}}, "no option 'depth'"),
        ({"options": {"width": "wide"}}, "takes a int as width"),
        ({"options": {"width": 10**12}}, "cannot be built"),
        ({"options": {"width": 10**6}}, "missing"),  # refused by its keys before any memory is taken
        ({"options": {"num_classes": 3}}, "cannot be built"),
    ],
)
def test_a_network_that_cannot_be_built_is_named(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    assert found in refusal(load_checkpoint, save_changed(tmp_path / "odd.safetensors", **changes))


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}]
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_state_dicts_are_unwrapped(
    tmp_path: Path, network: nn.Module, wrap: Any, prefix: str
) -> None:
    state = network.state_dict()
    torch.save(wrap({prefix + key: value for key, value in state.items()}), tmp_path / "published.pth")
    found = load_state_dict_file(tmp_path / "published.pth")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_a_pickle_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    for value in ([1, 2], {}, {"epoch": 3}, {"weight": [1.0]}, torch.zeros(1)):
        torch.save(value, tmp_path / "other.pth")
        assert "no state dict" in refusal(load_state_dict_file, tmp_path / "other.pth")


def test_long_errors_are_cut_between_words():
    assert one_line("a\n b") == "a b"
    words = [f"word{number}" for number in range(100)]
    cut = one_line(" ".join(words))
    assert cut.endswith(" ...")
    assert len(cut) < 250
    assert set(cut.removesuffix(" ...").split()) <= set(words)


def test_shapes_of_all_networks_are_known_without_waiting_for_torchs_compiler():
    code = (
        "import sys\n"
        "from lsafnet import NETWORKS, build_network\n"
        "from lsafnet.checkpoint.shapes import shapes_alone\n"
        "with shapes_alone():\n"
        "    networks = [build_network(name, num_classes=2) for name in NETWORKS]\n"
        "tensors = [tensor for network in networks for tensor in network.state_dict().values()]\n"
        "print(all(tensor.is_meta for tensor in tensors), {'torch._dynamo', 'sympy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"
