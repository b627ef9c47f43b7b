"""The recipe of the shipped checkpoint: its data sets open as described, and its words are those of `train`."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rasterio.windows import Window
from shapely import box

import finish_shipped
import shipped_data
import train_shipped
from drawn_changes import Change, Changes
from drawn_classes import Drawn
from lsafnet.checkpoint.files import load_checkpoint, save_checkpoint
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.observer import Observer
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.setup import prepare_training
from shipped_data import Seen

NAMES = {
    "dubai": ("tile1_001", "tile4_002", "tile5_001", "tile5_009"),
    "naip_california": ("chico_1_2016", "chico_1_2020", "chico_33_2016", "chico_33_2018"),
    "banepa": ("OAM-386690-220241-19", "OAM-386695-220241-19"),
    "kampala_ug": ("OAM-619214-523272-20", "OAM-619212-523272-20"),
    "philippines": ("OAM-886233-483190-20", "OAM-886232-483190-20"),
    "zanzibar_tz": ("OAM-638599-541920-20", "OAM-638584-541920-20"),
}


STAGE = train_shipped.Stage((1,), 1, 1, 1e-3)


def write_data(data: Path, work: Path) -> None:
    """Write a few tiny images of every data set, with labels 1 and 2."""
    for folder in shipped_data.DATA_SETS:
        name = Path(folder).name
        for stem in NAMES.get(name, ()):
            for kind, ending in (("images", "jpg"), ("labels", "png")):
                path = data / folder / kind / f"{stem}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.ones((64, 64, 3) if kind == "images" else (64, 64), np.uint8)
                pixels[:32] = 2
                Image.fromarray(pixels).save(path)
    for split in ("train", "val"):
        for kind in ("before", "after", "label_before", "label_after"):
            path = work / shipped_data.SYNTHETIC / split / kind / "1.png"
            path.parent.mkdir(parents=True)
            shape = (64, 64) if kind.startswith("label") else (64, 64, 3)
            Image.fromarray(np.ones(shape, np.uint8)).save(path)


def test_the_recipes_data_sets_open_and_tile_5_is_never_trained_on(tmp_path):
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    rounds = [one for one in train_shipped.ROUNDS if not one.changes]  # those with changes are opened below
    for stage in (stage for one in rounds for stage in one.stages):
        assert len(stage.shares) == len(files)
        options = TrainOptions(start=shipped_checkpoint(), shares=stage.shares, crop_px=256)
        setup = prepare_training(files, options, Observer())
        assert [len(source.items) for source in setup.train] == [2, 1, 1, 1, 1, 1, 1]
        assert not any(item.name.startswith("tile5") for item in setup.train[0].items)
        assert [item.name for item in setup.val[0].items] == ["tile5_001"]
        assert setup.sets.sets == ((1, 2, 4), (1, 2, 3))
        assert setup.info.trained_on == shipped_data.TRAINED_ON


def test_a_stages_words_are_options_of_train(tmp_path):
    from lsafnet_cli.commands.train import train

    options = argparse.Namespace(precision="fp32", device="cpu", workers=0)
    words = train_shipped.command_of(
        train_shipped.ROUNDS[0].stages[0],
        [tmp_path / "a.json"],
        tmp_path / "run",
        tmp_path / "start",
        options,
    )
    named = {word.lstrip("-").replace("-", "_") for word in words if word.startswith("--")}
    assert named <= set(train.__annotations__)


def write_moved(path: Path, by: float) -> None:
    """Write the shipped checkpoint with a number added to all its parameters."""
    moved = load_checkpoint(shipped_checkpoint())
    with torch.no_grad():
        for parameter in moved.network.parameters():
            parameter += by
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, moved.network, moved.info)


def parameters(path: Path) -> dict[str, torch.Tensor]:
    """Return the parameters of a checkpoint by name."""
    return dict(load_checkpoint(path).network.named_parameters())


def test_a_round_goes_from_stage_to_stage_and_is_averaged_with_its_start(tmp_path, monkeypatch):
    starts = []

    def train(words, check):
        starts.append(words[words.index("--start") + 1])
        run = Path(words[words.index("-o") + 1])
        write_moved(run / "last.safetensors", 100)
        write_moved(run / "epoch-001.safetensors", 2.0 * len(starts))

    monkeypatch.setattr(train_shipped.subprocess, "run", train)
    options = argparse.Namespace(work=tmp_path, precision="fp32", device="cpu", workers=0)
    stage, start = train_shipped.Stage((1,), 1, 1, 1e-3), tmp_path / "start.safetensors"
    again = train_shipped.Stage((1,), 1, 1, 1e-3, begin="start.safetensors")
    write_moved(start, 0)
    one = train_shipped.Round("new", (stage, stage, again), ((1, 1, 0.25), (3, 1, 0.5)))
    train_shipped.run_round(one, [tmp_path / "a.json"], start, tmp_path / "mean.safetensors", options)
    assert starts == [str(start), str(tmp_path / "new1" / "last.safetensors"), str(start)]
    before, mean = parameters(start), parameters(tmp_path / "mean.safetensors")
    for name, value in before.items():  # a quarter of 2 and half of 6, which were added
        torch.testing.assert_close(mean[name], value + 3.5, atol=2e-2, rtol=2e-3)


def test_the_mean_of_two_checkpoints_lies_between_them(tmp_path):
    start = shipped_checkpoint()
    write_moved(tmp_path / "moved.safetensors", 1)
    parts = [(0.75, tmp_path / "moved.safetensors"), (0.25, start)]
    train_shipped.write_mean(parts, tmp_path / "mean.safetensors")
    before, mean = parameters(start), parameters(tmp_path / "mean.safetensors")
    for name, value in before.items():
        torch.testing.assert_close(mean[name], value + 0.75, atol=2e-2, rtol=2e-3)


def test_labels_that_leave_classes_open_are_completed_and_others_stay(tmp_path):
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    done = shipped_data.complete_all(files, [shipped_checkpoint()], tmp_path / "completed", Seen())
    assert done[:2] == files[:2]
    assert [file.parent for file in done[2:]] == [tmp_path / "completed"] * 5
    options = TrainOptions(start=shipped_checkpoint(), shares=(1,) * 7, crop_px=64)
    assert len(prepare_training(done, options, Observer()).train) == 7


def test_a_place_for_validation_is_in_no_set_trained_on(tmp_path, monkeypatch):
    place = shipped_data.VAL_PLACES[0]
    names = tuple(f"{one}_{year}" for one in (place, "chico_1") for year in (2016, 2018, 2020))
    monkeypatch.setitem(NAMES, "naip_california", names)
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    drawn = {name: Drawn((box(16, 16, 48, 48),), ()) for name in names}
    boxes = {one: [[0, 0, 32, 64]] for one in (place, "chico_1")}
    done = shipped_data.complete_all(
        files, [shipped_checkpoint()], tmp_path / "completed", Seen(boxes, roofs=drawn)
    )
    counts = {}
    for file in done[2:5]:
        splits = open_data_set(file).splits
        assert all(item.name.startswith("chico_1") for item in splits["train"])
        assert all(item.name.startswith(place) for item in splits["val"])
        counts[file.stem] = [len(splits[split]) for split in ("train", "val")]
    assert counts == {"naip_california": [1, 1], "naip_changes": [3, 3], "naip_roofs": [3, 3]}


def test_what_is_unknown_in_joined_tiles_stays_so_and_other_sets_are_completed(tmp_path, monkeypatch):
    adjoining = ("OAM-619213-523272-20", "OAM-619212-523272-20")
    monkeypatch.setitem(NAMES, "kampala_ug", adjoining)
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    done = shipped_data.complete_all(files, [shipped_checkpoint()], tmp_path / "completed", Seen())
    (kampala,) = (file for file in done if file.stem == "kampala_ug")
    (joined,) = open_data_set(kampala).items("train")
    _, label, _ = joined.read_all(Window(0, 0, 128, 64))
    assert not label[:, :64].any()  # the tile kept for validation
    assert (label[:, 64:] > 0).all()
    (val,) = open_data_set(kampala).items("val")
    assert (val.read_all(Window(0, 0, 64, 64))[1] > 0).all()


def test_places_that_changed_become_pairs_beside_those_that_did_not(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_data, "CHANGED_VAL", ("chico_33_*",))
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    boxes = {"chico_1": [[0, 0, 32, 64]], "chico_33": [[0, 0, 64, 64]]}
    done = shipped_data.complete_all(files, [shipped_checkpoint()], tmp_path / "completed", Seen(boxes))
    assert [file.stem for file in done[2:5]] == ["naip_california", "naip_changes", "banepa"]
    rounds = [one for one in train_shipped.ROUNDS if one.changes and not one.roofs]
    for stage in (stage for one in rounds for stage in one.stages):
        options = TrainOptions(start=shipped_checkpoint(), shares=stage.shares, crop_px=64)
        setup = prepare_training(done, options, Observer())
        assert [item.name for item in setup.train[3].items] == ["chico_1_2016_2020"]
        assert [item.name for item in setup.val[3].items] == ["chico_33_2016_2018"]


def test_images_on_which_roofs_were_drawn_follow_the_pairs_with_change(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_data, "CHANGED_VAL", ())
    monkeypatch.setattr(shipped_data, "ROOFS_SPLITS", {"train": "chico_1_2020", "val": "chico_1_2016"})
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    drawn = {name: Drawn((box(16, 16, 48, 48),), ()) for name in ("chico_1_2016", "chico_1_2020")}
    seen = Seen({"chico_1": [[0, 0, 32, 64]]}, {"chico_33": [[0, 0, 64, 64]]}, drawn)
    done = shipped_data.complete_all(files, [shipped_checkpoint()], tmp_path / "completed", seen)
    assert [file.stem for file in done[2:6]] == ["naip_california", "naip_changes", "naip_roofs", "banepa"]
    (image,) = open_data_set(done[4]).items("train")
    _, label, _ = image.read_all(Window(0, 0, 64, 64))
    assert (label[18:46, 18:46] == 4).all()
    assert not (label[:12] == 4).any()
    rounds = [one for one in train_shipped.ROUNDS if one.roofs]
    assert rounds
    for stage in (stage for one in rounds for stage in one.stages):
        options = TrainOptions(start=shipped_checkpoint(), shares=stage.shares, crop_px=64)
        setup = prepare_training(done, options, Observer())
        assert [item.name for item in setup.train[4].items] == ["chico_1_2020"]


def test_an_image_of_a_single_date_on_which_roofs_were_drawn_is_completed_too(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_data, "ROOFS_SPLITS", {"train": "*", "val": "chico_1_2020"})
    monkeypatch.setitem(NAMES, "naip_california", (*NAMES["naip_california"], "eureka_5_2020"))
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    drawn = {name: Drawn((box(16, 16, 48, 48),), ()) for name in ("eureka_5_2020", "chico_1_2020")}
    water = {"eureka_5_2020": Drawn((box(0, 0, 64, 12),), ())}
    done = shipped_data.complete_all(
        files, [shipped_checkpoint()], tmp_path / "completed", Seen(roofs=drawn, water=water)
    )
    assert [file.stem for file in done[2:4]] == ["naip_california", "naip_roofs"]
    (image,) = open_data_set(done[3]).items("train")
    _, label, _ = image.read_all(Window(0, 0, 64, 64))
    assert image.name == "eureka_5_2020"
    assert (label[18:46, 18:46] == 4).all()
    assert (label[:10] == 1).all()
    assert not (label[:12] == 4).any()
    places = [item.name for split in open_data_set(done[2]).splits.values() for item in split]
    assert places == ["chico_1", "chico_33"]


def test_outlines_take_the_place_of_boxes_and_are_all_that_counts_of_a_place():
    change = Change("ground", "building", box(10, 10, 20, 20))
    seen = Seen(
        {"a": [[0, 0, 1, 1]], "b": [[2, 2, 3, 3]]},
        {"b": [[4, 4, 5, 5]]},
        outlines={"b": Changes((change,), (box(30, 30, 40, 40),)), "c": Changes((), ())},
    )
    assert seen.boxes() == {"a": [[0, 0, 1, 1]]}
    apart = {place: list(areas) for place, areas in seen.apart().items()}
    assert apart["a"] == [[0, 0, 1, 1]]
    assert apart["c"] == []
    around, unknown = apart["b"]
    assert around.bounds == (8, 8, 22, 22)
    assert unknown.bounds == (30, 30, 40, 40)
    ((core,),) = seen.outlined().values()
    assert core.bounds == (11, 11, 19, 19)


def test_outlines_of_a_share_count_and_boxes_in_the_other_places_that_have_any():
    change = Change("ground", "building", box(10, 10, 20, 20))
    names = [f"chico_{number}" for number in range(60)]
    outlines = {name: Changes((change,), ()) for name in (*names, "without boxes")} | {
        "still": Changes((), ())
    }
    boxes = {name: [[8, 8, 22, 22]] for name in (*names, "still")}
    seen = Seen(boxes, {names[0]: [[0, 0, 1, 1]]}, outlines=outlines)
    some = shipped_data.with_outlines_of(0.5, seen)
    kept = {name for name in names if name in some.outlines}
    assert 15 < len(kept) < 45
    assert {"without boxes", "still"} <= some.outlines.keys()
    assert some.boxes().keys() == set(names) - kept
    for name in set(names) - kept:  # what was outlined may have changed
        assert some.unsure[name][-1].bounds == (8, 8, 22, 22)
    assert shipped_data.with_outlines_of(1, seen) == seen
    assert names[0] in shipped_data.with_outlines_of(0, seen).unsure
    assert shipped_data.with_outlines_of(0, seen).outlines.keys() == {"without boxes", "still"}


def test_both_kinds_of_boxes_set_the_dates_apart():
    seen = Seen({"a": [[0, 0, 1, 1]], "b": [[2, 2, 3, 3]]}, {"b": [[4, 4, 5, 5]], "c": [[6, 6, 7, 7]]})
    assert {place: list(boxes) for place, boxes in seen.apart().items()} == {
        "a": [[0, 0, 1, 1]],
        "b": [[2, 2, 3, 3], [4, 4, 5, 5]],
        "c": [[6, 6, 7, 7]],
    }


def test_a_round_on_another_backbone_starts_from_its_grafted_start_and_has_no_part_of_it(
    tmp_path, monkeypatch
):
    grafted = []
    write_data(tmp_path / "data", tmp_path)
    monkeypatch.setattr(train_shipped, "graft", lambda *words: grafted.append(words))
    one = train_shipped.Round("new", (), (), backbone="efficientnet-lite2")
    options = argparse.Namespace(work=tmp_path, data=tmp_path / "data", backbone_weights=tmp_path / "w.pth")
    start = train_shipped.first_of(one, tmp_path / "start.safetensors", options)
    assert start == tmp_path / "new-start.safetensors"
    ((begin, backbone, weights, images, output),) = grafted
    assert (begin.name, backbone, weights.name, output) == (
        "start.safetensors",
        "efficientnet-lite2",
        "w.pth",
        start,
    )
    assert len(images) == 14  # of tile 5 of Dubai none
    assert not any(image.stem.startswith("tile5") for image in images)
    for path, by in (("new-start.safetensors", 0), ("new1/epoch-001.safetensors", 2)):
        write_moved(tmp_path / path, by)
    train_shipped.write_mean(
        [(1.0, tmp_path / "new1" / "epoch-001.safetensors")], tmp_path / "expected.safetensors"
    )
    monkeypatch.setattr(train_shipped.subprocess, "run", lambda _words, **_: None)
    stage = train_shipped.Stage((1,), 1, 1, 1e-3)
    one = train_shipped.Round("new", (stage,), ((1, 1, 1.0),), backbone="efficientnet-lite2")
    options = argparse.Namespace(work=tmp_path, precision="fp32", device="cpu", workers=0)
    train_shipped.run_round(one, [], start, tmp_path / "mean.safetensors", options)
    expected, mean = parameters(tmp_path / "expected.safetensors"), parameters(tmp_path / "mean.safetensors")
    assert all(torch.equal(mean[name], value) for name, value in expected.items())


def test_what_the_shipped_checkpoint_says_of_itself_is_what_was_scored_and_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(finish_shipped, "WINDOWS", 12)
    write_data(tmp_path / "data", tmp_path)
    files = shipped_data.describe(tmp_path / "data", tmp_path)
    start, board = shipped_checkpoint(), {}
    for number, row in enumerate(finish_shipped.SCORES.values()):
        board[row] = {"other": 0.9, str(start): 0.1 * number + 1e-6}
    scores = finish_shipped.scores_of(board, str(start))
    assert scores == {"f_scd_second": 0, "f_scd_second_small": 0.1, "f_scd_dubai": 0.2, "f_scd_sample": 0.3}
    before = load_checkpoint(start).info
    finish_shipped.finish(start, files, scores, tmp_path / "done.safetensors")
    info = load_checkpoint(tmp_path / "done.safetensors").info
    assert info.metrics == {"ece": before.metrics["ece"], **scores}
    assert info.domain.gsd_m == (0.1, 2.0)
    assert info.domain.statistics.images == 12
    assert info.domain.statistics.level != before.domain.statistics.level
    assert (info.decision, info.tile_px, info.trained_on) == (before.decision, 256, shipped_data.TRAINED_ON)


def test_the_loss_weight_of_building_stays_in_and_that_of_water_is_taken_out_twice():
    stage = replace(STAGE, water_building=(1.5, 1.4))
    assert train_shipped.class_weights(stage) == (1.5, 1.0, 1.0, 1.4)
    assert train_shipped.weights_to_take_out(stage) == (2.25, 1.0, 1.0, 1.0)


def test_class_weights_are_taken_out_of_the_land_cover_and_of_nothing_else(tmp_path):
    start, weights = shipped_checkpoint(), (1.5, 1.0, 1.0, 1.4)
    train_shipped.write_shipped(start, tmp_path / "plain.safetensors", weights)
    images = torch.randn(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        was, now = (
            load_checkpoint(p).network.eval()(*images) for p in (start, tmp_path / "plain.safetensors")
        )
    torch.testing.assert_close(now.change, was.change)
    assert load_checkpoint(tmp_path / "plain.safetensors").info.input_gsd_m == 0.5
    shift = torch.tensor(weights).log()[None, :, None, None]
    for one, other in ((was.before, now.before), (was.after, now.after)):
        torch.testing.assert_close(other[:, 1:], one[:, 1:] - shift, atol=2e-3, rtol=0)


def test_a_round_has_the_teachers_it_names_beside_its_start(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        train_shipped, "ROUNDS", (train_shipped.Round("new", (STAGE,), (), teachers=("old",)),)
    )
    monkeypatch.setattr(train_shipped, "SYNTHETIC", "none")
    monkeypatch.setattr(train_shipped, "describe", lambda *_: [])
    monkeypatch.setattr(train_shipped, "complete_all", lambda *words: asked.append(words[1]) or [])
    monkeypatch.setattr(train_shipped, "run_round", lambda *_: None)
    monkeypatch.setattr(train_shipped, "write_shipped", lambda start, *_: asked.append(start))
    start = tmp_path / "start.safetensors"
    options = argparse.Namespace(
        work=tmp_path, data=tmp_path, start=start, output=tmp_path / "out.safetensors", workers=0, scenes=0
    )
    train_shipped.train(options)
    assert asked == [[start, tmp_path / "old.safetensors"], tmp_path / "new.safetensors"]
