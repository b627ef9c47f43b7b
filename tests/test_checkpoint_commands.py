"""`lsafnet checkpoint`: what is shown, and that showing it waits for no network."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from lsafnet import NETWORKS, CheckpointError, load_checkpoint
from lsafnet_cli.app import main
from lsafnet_cli.checkpoints.choose import shipped_checkpoint

from .test_import import run


def shown(capsys, *arguments):
    assert run("checkpoint", *arguments) == 0
    return capsys.readouterr().out


def test_show_says_all_that_the_checkpoint_holds(tiny_checkpoint, capsys):
    facts = json.loads(shown(capsys, "show", tiny_checkpoint, "--json"))
    checkpoint = load_checkpoint(tiny_checkpoint)
    assert facts["network"] == "lsafnet-tiny"
    assert facts["parameters"] == sum(p.numel() for p in checkpoint.network.parameters())
    assert facts["sha256"] == hashlib.sha256(tiny_checkpoint.read_bytes()).hexdigest()
    assert [entry["name"] for entry in facts["classes"]] == [e.name for e in checkpoint.info.classes]
    assert facts["normalization"]["before"]["mean"] == [110.0] * 3
    assert (facts["tile_px"], facts["gsd_m"], facts["license"]) == (64, 0.5, "Apache-2.0")
    text = shown(capsys, "show", tiny_checkpoint)
    assert "██ #0000ff water" in text
    for part in (
        facts["sha256"],
        "lsafnet-tiny",
        "110 and 50",
        "64 px",
        "0.5 m",
        "Apache-2.0",
        "Zhou et al.",
    ):
        assert part in text


def test_what_a_checkpoint_says_cannot_command_the_terminal(tiny_checkpoint, tmp_path):
    info = load_checkpoint(tiny_checkpoint).info
    with pytest.raises(CheckpointError, match="license must be a text of 1 to 2,000 printable characters"):
        replace(info, license="\x1b[2Jfree\nas air")
    told = tmp_path / "odd.safetensors"
    content = tiny_checkpoint.read_bytes()
    marked = content.replace(
        b"Apache-2.0", b"Ap\\\\u001b["
    )  # JSON within JSON: one escape character when read
    assert len(marked) == len(content)
    told.write_bytes(marked)
    with pytest.raises(SystemExit) as left:
        main(["checkpoint", "show", str(told)])
    assert left.value.code == 5


def test_show_takes_the_shipped_checkpoint_where_none_is_named(capsys, monkeypatch):
    monkeypatch.delenv("LSAFNET_CHECKPOINT", raising=False)
    assert json.loads(shown(capsys, "show", "--json"))["path"] == str(shipped_checkpoint())


def test_networks_lists_every_network_with_its_size_and_paper(capsys):
    listed = json.loads(shown(capsys, "networks", "--json"))["networks"]
    assert [network["name"] for network in listed] == list(NETWORKS)
    by_name = {network["name"]: network for network in listed}
    assert by_name["lsafnet"]["published"]["SECOND"] == {
        "miou": 74.01,
        "oa": 87.66,
        "sek": 24.32,
        "f_scd": 63.20,
    }
    assert not by_name["fc-siam-diff"]["land_cover"]
    text = shown(capsys, "networks")
    for name, spec in NETWORKS.items():
        assert name in text
        assert spec.paper in text


@pytest.mark.parametrize("content", [b"", b"x" * 100, (2**63 - 1).to_bytes(8, "little") + b"{}"])
def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path, capsys, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    assert run("checkpoint", "show", path) == 5
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", [["show"], ["networks"], ["--help"]])
def test_looking_does_not_wait_for_torch(command):
    code = (
        "import sys\nfrom lsafnet_cli.app import main\ntry:\n"
        f"    main(['checkpoint', *{command!r}])\nexcept SystemExit as left:\n"
        "    sys.exit(left.code or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_checkpoint_without_a_command_shows_its_help(capsys):
    with pytest.raises(SystemExit):
        main(["checkpoint", "--help"])
    assert "import" in capsys.readouterr().out
