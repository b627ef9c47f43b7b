"""`lsafnet train`: a run leaves what it promises, learns, goes on where it was killed, and stops with advice."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lsafnet import load_checkpoint
from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet_cli.app import main
from lsafnet_cli.errors import OptionError, OutputError
from lsafnet_cli.observer import Observer
from lsafnet_cli.training import processes
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.run import Training, train_network
from lsafnet_cli.training.state import random_states, restore_random_states

from .training_sets import CLASSES, write_pairs, write_singles

pytestmark = pytest.mark.usefixtures("preloaded")

TINY = {
    "network": "lsafnet-tiny",
    "crop_px": 32,
    "batch_size": 2,
    "workers": 0,
    "device": "cpu",
    "precision": "fp32",
}
WORDS = ("--network", "lsafnet-tiny", "--crop", "32", "--batch-size", "2", "--workers", "0", "--device", "cpu",
         "--precision", "fp32", "--learning-rate", "0.02", "--quiet")  # fmt: skip
RUN = "import sys; from lsafnet_cli.app import main; main(sys.argv[1:])"


def options_of(**changes):
    return TrainOptions(**{**TINY, "epochs": 2, "learning_rate": 0.02, **changes})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs") / "set")


def rows_of(run):
    """Return the rows of a run's metrics.csv."""
    return list(csv.DictReader((run / "metrics.csv").read_text(encoding="utf-8").splitlines()))


def leave_code(arguments):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in arguments])
    return left.value.code or 0


def test_an_epoch_through_the_command_line_leaves_all_that_is_promised(pairs, tmp_path, capsys):
    run = tmp_path / "run"
    assert leave_code(["train", pairs, "-o", run, *WORDS, "--epochs", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["epochs"], report["train_items"], report["val_items"]) == (1, 6, 2)
    for name in ("best.safetensors", "last.safetensors", "metrics.csv", "curves.png", "training.json"):
        assert (run / name).stat().st_size > 0
    (row,) = rows_of(run)
    assert float(row["sek"]) == pytest.approx(report["best"]["sek"])
    assert 0 <= report["waiting"] <= 1
    info = read_checkpoint_info(run / "best.safetensors")
    assert tuple(entry.name for entry in info.classes) == CLASSES
    assert info.metrics["sek"] == pytest.approx(report["best"]["sek"], abs=1e-4)


def test_training_learns_to_tell_change(pairs, tmp_path):
    options = options_of(epochs=8, optimizer="adamw", learning_rate=4e-3, power=1.0, crops_per_epoch=16)
    report = train_network(pairs, tmp_path / "run", options)
    assert report.best.scores["f_scd"] > 0.5
    assert report.last.losses["total"] < 0.7 * float(rows_of(tmp_path / "run")[0]["loss_total"])


def test_the_best_checkpoint_is_that_of_the_highest_sek(pairs, tmp_path):
    report = train_network(pairs, tmp_path / "run", options_of(epochs=3))
    scores = [float(row["sek"]) for row in rows_of(tmp_path / "run")]
    assert report.best.epoch == 1 + scores.index(max(scores))


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "last.safetensors")


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = weights_of(one), weights_of(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_seed_decides_the_weights(pairs, tmp_path):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        train_network(pairs, tmp_path / name, options_of(epochs=1, seed=seed))
    assert same_weights(tmp_path / "one", tmp_path / "same")
    assert not same_weights(tmp_path / "one", tmp_path / "other")


def test_a_run_killed_at_any_moment_goes_on_to_the_same_weights(pairs, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    epochs = 5
    train_network(pairs, whole, options_of(epochs=epochs, ema_decay=0.9, jitter=True, swap_dates=True))
    words = [
        "train",
        pairs,
        "-o",
        killed,
        *WORDS,
        "--epochs",
        epochs,
        "--ema",
        "0.9",
        "--jitter",
        "--swap-dates",
    ]
    command = [sys.executable, "-c", RUN, *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_for_rows(killed / "metrics.csv", 2, process)
        process.send_signal(signal.SIGKILL)
    done = len((killed / "metrics.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert 2 <= done < epochs, "the run ended before it was killed"
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert same_weights(whole, killed)


def wait_for_rows(path, count, process):
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if path.exists() and len(path.read_text(encoding="utf-8").splitlines()) > count:
            return
        time.sleep(0.02)
    pytest.fail(
        f"no {count} epochs: {process.stderr.read().decode() if process.poll() is not None else 'too slow'}"
    )


def test_a_run_with_other_options_is_not_gone_on_with(pairs, tmp_path):
    train_network(pairs, tmp_path / "run", options_of(epochs=1))
    with pytest.raises(Exception, match="seed"):
        train_network(pairs, tmp_path / "run", options_of(epochs=1, seed=9))


def test_accumulated_parts_take_the_step_of_the_whole_batch(pairs, tmp_path):
    losses = []
    for parts in (1, 2):
        options = options_of(epochs=1, batch_size=4, accumulate=parts)
        losses.append(train_network(pairs, tmp_path / str(parts), options).last.losses["total"])
    assert losses[0] == pytest.approx(losses[1], rel=0.15)  # batch norms see a part each


def test_labels_of_one_date_are_enough(tmp_path):
    folder = write_singles(tmp_path / "set")
    report = train_network(folder, tmp_path / "run", options_of(epochs=1, crops_per_epoch=6))
    assert report.train_items == 4
    assert 0 < report.last.scores["oa"] <= 1
    assert load_checkpoint(report.best_checkpoint).info.num_classes == len(CLASSES)


def test_tensorboard_is_written_where_it_is_wished(pairs, tmp_path):
    train_network(pairs, tmp_path / "run", options_of(epochs=1, tensorboard=True))
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_training_ends_when_sek_no_longer_rises(pairs, tmp_path):
    report = train_network(pairs, tmp_path / "run", options_of(epochs=40, patience=1, learning_rate=1e-6))
    assert report.stopped_early
    assert report.epochs < 40


def test_a_batch_too_small_for_batch_norm_is_one_line(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr("lsafnet.training.trainer.Trainer.train_step", _norm_of_one_value)
    with pytest.raises(OptionError, match="`batch_size` 1: batch normalisation needs more than one value"):
        train_network(pairs, tmp_path / "run", options_of(batch_size=1, epochs=1))


def _norm_of_one_value(*_):
    torch.nn.functional.batch_norm(torch.ones(1, 4, 1, 1), None, None, training=True)


def test_a_loss_that_is_no_number_stops_with_advice(pairs, tmp_path):
    with pytest.raises(OptionError, match="learning_rate"):
        train_network(pairs, tmp_path / "run", options_of(learning_rate=1e18, epochs=3))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--recipe", "other"), "--recipe"),
        (("--ema", "2"), "--ema"),
        (("--batch-size", "3", "--accumulate", "2"), "--accumulate"),
        (("--network", "no-such"), "no-such"),
    ],
)
def test_wrong_options_are_one_line(pairs, tmp_path, capsys, words, found):
    assert leave_code(["train", pairs, "-o", tmp_path / "run", *words]) == 2
    error = capsys.readouterr().err
    assert found in error
    assert "Traceback" not in error


def test_two_processes_train_one_network(pairs, tmp_path):
    run = tmp_path / "run"
    script = tmp_path / "train.py"
    script.write_text(RUN, encoding="utf-8")
    words = ["train", pairs, "-o", run, *WORDS, "--epochs", "1", "--batch-size", "4"]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        script,
        *words,
    ]
    finished = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert len((run / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 2
    assert load_checkpoint(run / "best.safetensors").info.num_classes == len(CLASSES)


def agree_late(rank: int, port: int) -> None:
    """Let the leading one of two processes be slower than a step may be."""
    os.environ.update(WORLD_SIZE="2", RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    processes.STEP_TIMEOUT = timedelta(seconds=2)
    with processes.joined_processes(torch.device("cpu"), 2, 1) as joined:
        if joined.leads:
            time.sleep(5)  # a long validation
        assert joined.agree(7 if joined.leads else None) == 7


@pytest.mark.slow
def test_a_validation_may_take_longer_than_a_step_may():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(agree_late, (port,), nprocs=2)


def test_random_numbers_go_on_where_they_were_on_the_host_and_on_the_device(monkeypatch):
    device, kept = torch.device("cuda", 1), {}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda where: torch.tensor([where.index]))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, where: kept.update({where.index: state}))
    states = random_states(device)
    drawn = torch.rand(3)
    restore_random_states(states, device)
    assert torch.equal(torch.rand(3), drawn)
    assert kept == {1: torch.tensor([1])}
    restore_random_states(states["cpu"], device)  # as older runs kept it
    assert torch.equal(torch.rand(3), drawn)


def test_a_script_without_a_main_guard_can_train(pairs, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from lsafnet_cli.training.options import TrainOptions\n"
        "from lsafnet_cli.training.run import train_network\n"
        "options = TrainOptions('lsafnet-tiny', epochs=1, batch_size=2, crop_px=32, workers=1, device='cpu')\n"
        f"train_network({str(pairs)!r}, 'run', options)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_a_run_killed_at_its_start_and_one_that_overwrites_are_resumed(pairs, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    run.mkdir()
    for name in ("training.json", "state.pt"):
        (run / f".{name}.coming").touch()  # left by a run that was killed
    assert train_network(pairs, run, options_of(epochs=1)).epochs == 1
    anew = options_of(epochs=2, overwrite=True)
    monkeypatch.setattr(Training, "_report", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_network(pairs, run, anew)
    monkeypatch.undo()
    watching = Observer()
    assert train_network(pairs, run, anew, watching).epochs == 2
    assert any("is complete already" in note for note in watching.notices)
    with pytest.raises(OutputError, match="contains a training; add `overwrite`"):
        train_network(pairs, run, options_of(epochs=2, resume=False))
    assert not list(run.glob(".*"))
