"""What a run says on stderr while it goes: bars, JSON lines, debug lines; and what an observer hears."""

import json
import logging

import pytest

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import ReadOptions, StretchRule
from lsafnet_cli.terminal.progress import make_observer


def run(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


def test_progress_as_json_is_one_event_a_line_and_counts_every_pixel(pair, tmp_path, tiny_checkpoint, capsys):
    words = ("predict", *pair, "-o", tmp_path / "changes.tif", "--checkpoint", tiny_checkpoint)
    assert run(*words, "--progress", "json", "--json") == 0
    shown = capsys.readouterr()
    events, report = events_of(shown.err), json.loads(shown.out)
    size = report["width"] * report["height"]
    stages = [
        (event["event"], event["stage"], event["done_px"])
        for event in events
        if event["event"] in ("start", "finish")
    ]
    assert stages == [
        ("start", "map", 0),
        ("finish", "map", size),
        ("start", "write", 0),
        ("finish", "write", size),
    ]
    assert {event["total_px"] for event in events if event["event"] == "start"} == {size}
    assert [event["text"] for event in events if event["event"] == "notice"] == report["notices"]


@pytest.mark.parametrize("command", ["vectorize", "report"])
def test_other_commands_tell_their_progress_in_the_same_events(
    pair, tmp_path, tiny_checkpoint, capsys, command
):
    predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    ending = {"vectorize": "gpkg", "report": "html"}[command]
    words = (command, tmp_path / "changes.tif", "-o", tmp_path / f"out.{ending}", "--progress", "json")
    assert run(*words) == 0
    events = [event for event in events_of(capsys.readouterr().err) if event["event"] != "notice"]
    assert {event["stage"] for event in events} == {command}
    assert (events[0]["event"], events[-1]["event"]) == ("start", "finish")
    assert events[-1]["done_px"] == events[0]["total_px"] > 0


def test_a_batch_tells_of_each_scene(pair, tmp_path, tiny_checkpoint, capsys):
    table = tmp_path / "pairs.csv"
    table.write_text(f"before,after,name\n{pair[0]},{pair[1]},good\n{tmp_path / 'none.tif'},{pair[1]},bad\n")
    words = (
        "batch",
        "--pairs",
        table,
        "-o",
        tmp_path / "out",
        "--checkpoint",
        tiny_checkpoint,
        "--devices",
        "cpu",
    )
    assert run(*words, "--progress", "json") == 8
    events = events_of(capsys.readouterr().err)
    ends = {event["item"]: event for event in events if event["event"] == "finish" and "item" in event}
    assert {name: event["status"] for name, event in ends.items()} == {"good": "done", "bad": "failed"}
    assert (ends["bad"]["exit_code"], "none.tif" in ends["bad"]["error"]) == (3, True)
    assert events[-1]["done_px"] == next(e["total_px"] for e in events if e["event"] == "start")


@pytest.mark.parametrize(("progress", "bar"), [("auto", False), ("bar", True), ("none", False)])
def test_bars_are_shown_where_asked_for_and_notices_always(capsys, progress, bar):
    observer = make_observer(progress=progress)
    with watched(observer, "map", 100):
        observer.advance(40)
        observer.notice("the sun is low")
    shown = capsys.readouterr().err
    assert "note: the sun is low" in shown
    assert ("map" in shown) == bar


def test_what_is_said_about_single_items_waits_for_verbose(capsys):
    for verbose in (0, 1):
        observer = make_observer(verbose=verbose)
        with watched(observer, "batch", 100, items=1):
            observer.advance(40, "s001")
            observer.notice("stretched", "s001")
            observer.finish("s001", "done in 2 s")
        shown = capsys.readouterr().err
        assert ("s001: stretched" in shown, "s001: done in 2 s" in shown) == (verbose > 0, verbose > 0)


@pytest.mark.parametrize(("words", "traceback"), [([], False), (["-v"], False), (["-vv"], True)])
def test_a_traceback_is_shown_on_demand_alone(pair, tmp_path, capsys, words, traceback):
    assert run("predict", tmp_path / "none.tif", pair[1], "-o", tmp_path / "changes.tif", *words) == 3
    shown = capsys.readouterr().err
    assert ("Traceback" in shown) == traceback
    assert shown.splitlines()[-1].startswith("lsafnet: ")


def test_debug_lines_say_what_was_decided(pair, tmp_path, tiny_checkpoint, capsys):
    words = ("predict", *pair, "-o", tmp_path / "changes.tif", "--checkpoint", tiny_checkpoint)
    assert run(*words, "-vv") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("debug: ")]
    for word in (str(tiny_checkpoint), "tiles of 64 pixels", "map took", "write took"):
        assert any(word in line for line in said), said
    assert run(*words, "--overwrite") == 0
    assert "debug: " not in capsys.readouterr().err


def test_without_an_observer_notices_go_to_the_logger(pair, tmp_path, tiny_checkpoint, caplog):
    stretched = PredictOptions(
        checkpoint=tiny_checkpoint, read=ReadOptions(stretch=StretchRule("percentile"))
    )
    with caplog.at_level(logging.INFO, "lsafnet"):
        report = predict_change(*pair, tmp_path / "changes.tif", stretched)
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name == "lsafnet" and record.levelname == "INFO"
    ]
    assert said == list(report.notices) != []


def test_an_observer_hears_every_event_in_order():
    class Recorder(Observer):
        def __init__(self):
            super().__init__()
            self.heard = []

        def start(self, stage, total, unit="px", *, done=0, items=0):
            self.heard.append(("start", stage, total, unit, done, items))

        def advance(self, amount, item="", **facts):
            self.heard.append(("advance", amount, item, facts))

        def finish(self, item="", text="", **facts):
            self.heard.append(("finish", item, text, facts))

    recorder = Recorder()
    child = Observer(recorder)
    with pytest.raises(KeyError), watched(child, "train", 10, "steps", done=2, items=3):
        child.advance(1, "epoch 1", loss=0.5)
        child.notice("slow", "epoch 1")
        child.finish("epoch 1", "loss 0.5", best=True)
        raise KeyError
    assert recorder.heard == [
        ("start", "train", 10, "steps", 2, 3),
        ("advance", 1, "epoch 1", {"loss": 0.5}),
        ("finish", "epoch 1", "loss 0.5", {"best": True}),
        ("finish", "", "", {}),
    ]
    assert recorder.notices == child.notices == ["epoch 1: slow"]
