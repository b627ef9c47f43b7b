"""Labels as sets of classes: what they say of change, what they cost, and how data sets with them are mixed."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch

from lsafnet.label_sets import CHANGED, UNCHANGED, UNSURE, LabelSets
from lsafnet.logits import ChangeLogits
from lsafnet.losses import ChangeLoss
from lsafnet.training.examples import Example
from lsafnet.training.single_date import Place, SingleDateOptions, pasted_truth
from lsafnet.training.varied_pairs import Dates, labelled_pair, one_date_pair, unchanged_pair
from lsafnet_cli.app import main
from lsafnet_cli.data_sets.check import check_data_set
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.observer import Observer
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.run import train_network
from lsafnet_cli.training.setup import draws_of, prepare_training
from lsafnet_cli.training.sources import Turns
from lsafnet_cli.training.validate import scored

from .conftest import write_raster
from .training_sets import CLASSES, STILL_LOOK, class_entries, image_of, label_of, write_pairs, write_singles

WATER, GROUND, VEGETATION, BUILDING = 1, 2, 3, 4
NOT_BUILDING, NOT_VEGETATION = 5, 6
SETS = LabelSets(5, ((WATER, GROUND, VEGETATION), (WATER, GROUND, BUILDING)))
PLAIN = SingleDateOptions(zoom=(1, 1), shift_px=0, recolor=0)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (BUILDING, NOT_BUILDING, CHANGED),
        (WATER, GROUND, CHANGED),
        (BUILDING, BUILDING, UNCHANGED),
        (NOT_BUILDING, NOT_BUILDING, UNSURE),
        (NOT_BUILDING, WATER, UNSURE),
        (NOT_BUILDING, NOT_VEGETATION, UNSURE),
        (VEGETATION, NOT_VEGETATION, CHANGED),
        (0, BUILDING, UNSURE),
        (0, 0, UNSURE),
    ],
)
def test_a_pixel_changed_where_sets_share_nothing_and_did_not_where_both_are_one_class(before, after, said):
    assert SETS.comparison[before, after] == SETS.comparison[after, before] == said


def test_what_is_not_pasted_has_not_changed_whatever_its_label_leaves_open():
    before = np.array([[NOT_BUILDING, NOT_BUILDING, BUILDING, 0]], np.uint8)
    after = np.array([[NOT_BUILDING, BUILDING, WATER, 0]], np.uint8)
    foreign = np.array([[False, True, False, True]])
    truth = pasted_truth(before, after, foreign, SETS)
    assert truth.changed.tolist() == [[False, True, False, False]]
    assert truth.known.tolist() == [[True, True, True, False]]
    assert truth.valid.tolist() == [[True, True, True, False]]


def logits_of(probabilities):
    """Return change logits of 0 and, at both dates, those of K probabilities, for one pixel."""
    one = torch.tensor(probabilities).log().reshape(1, -1, 1, 1)
    return ChangeLogits(torch.zeros(1, 1, 1, 1), one, one.clone())


def cross_entropy(loss, before, after):
    label_before, label_after = (torch.tensor([[[label]]]) for label in (before, after))
    terms = loss(logits_of([0.1, 0.2, 0.3, 0.15, 0.25]), label_before, label_after)
    return float(terms["ce_before"]), float(terms["ce_after"])


def test_a_set_costs_minus_the_log_of_its_summed_probability_and_a_class_what_it_always_did():
    found = cross_entropy(ChangeLoss(label_sets=SETS), NOT_BUILDING, BUILDING)
    assert found == pytest.approx((-log(0.2 + 0.3 + 0.15), -log(0.25)), rel=1e-6)
    assert found[1] == pytest.approx(cross_entropy(ChangeLoss(), BUILDING, BUILDING)[1], rel=1e-6)
    assert cross_entropy(ChangeLoss(label_sets=SETS), 0, NOT_VEGETATION)[0] == 0


def test_a_sets_gradient_raises_its_classes_alone():
    logits = logits_of([0.1, 0.2, 0.3, 0.15, 0.25])
    logits.before.requires_grad_()
    label = torch.tensor([[[NOT_BUILDING]]])
    ChangeLoss(label_sets=SETS)(logits, label, label)["ce_before"].backward()
    assert (logits.before.grad.flatten() < 0).tolist() == [False, True, True, True, False]


def test_a_set_weighs_the_mean_of_its_classes():
    loss = ChangeLoss(class_weights=(1, 1, 2, 3, 8), label_sets=SETS)
    both = torch.tensor([[[NOT_BUILDING, BUILDING]]])
    one = logits_of([0.1, 0.2, 0.3, 0.15, 0.25]).before.expand(1, 5, 1, 2)
    logits = ChangeLogits(torch.zeros(1, 1, 1, 2), one, one)
    costs = -log(0.65), -log(0.25)
    assert float(loss(logits, both, both)["ce_before"]) == pytest.approx((2 * costs[0] + 8 * costs[1]) / 10)


def test_where_change_is_not_known_it_costs_nothing():
    logits = ChangeLogits(torch.tensor([[[[3.0, -2.0]]]]), torch.randn(1, 5, 1, 2), torch.randn(1, 5, 1, 2))
    label, changed = torch.tensor([[[BUILDING, WATER]]]), torch.tensor([[[True, True]]])
    first = torch.tensor([[[True, False]]])
    found = ChangeLoss()(logits, label, label, changed=changed, change_known=first)
    alone = ChangeLoss()(logits, label, label, changed=changed, valid=first)
    assert found["bce"] == alone["bce"]
    assert found["consistency"] == alone["consistency"]
    assert found["ce_before"] != alone["ce_before"]


def places(*labels):
    return [
        Place(np.full((1, 8, 8), 10.0 * label, np.float32), np.full((8, 8), label, np.uint8))
        for label in labels
    ]


def test_a_real_pair_is_unchanged_but_where_its_sets_share_nothing_and_regions_are_pasted():
    before, after = places(VEGETATION, NOT_VEGETATION)
    everywhere = np.ones((8, 8), bool)
    dates = Dates(before, after, everywhere, ~everywhere, everywhere)
    still = SingleDateOptions(zoom=(1, 1), shift_px=0, pasted_real=0)
    pair = unchanged_pair(dates, before, 8, np.random.default_rng(0), still, SETS)
    assert pair.valid.all()
    assert not pair.changed.any()
    assert not pair.change_known.any()
    same = Dates(after, after, everywhere, ~everywhere, everywhere)
    assert unchanged_pair(same, before, 8, np.random.default_rng(0), still, SETS).change_known.all()
    pasting = SingleDateOptions(zoom=(1, 1), shift_px=0, pasted_real=1)
    pasted = unchanged_pair(same, before, 8, np.random.default_rng(0), pasting, SETS)
    assert pasted.changed.any()
    assert np.array_equal(pasted.changed, pasted.label_before != pasted.label_after)


def test_real_dates_take_other_colours_alike_and_each_class_its_own():
    everywhere = np.ones((8, 8), bool)
    label = np.full((8, 8), VEGETATION, np.uint8)
    label[:, 4:] = NOT_VEGETATION
    place = Place(np.full((3, 8, 8), 100, np.float32), label)
    dates = Dates(place, place, everywhere, ~everywhere, everywhere)
    options = SingleDateOptions(zoom=(1, 1), shift_px=0, recolor=1, pasted_real=0, look=STILL_LOOK)
    for draw in (
        lambda rng: unchanged_pair(dates, place, 8, rng, options, SETS),
        lambda rng: labelled_pair(dates, 8, rng, options),
    ):
        pair = draw(np.random.default_rng(3))
        assert np.array_equal(pair.before, pair.after)
        left, right = pair.before[:, 4, 0], pair.before[:, 4, 7]
        assert min(abs(left - 100).max(), abs(right - 100).max(), abs(left - right).max()) > 2
        assert np.array_equal(pair.label_after, label)
    plain = labelled_pair(dates, 8, np.random.default_rng(3), replace(options, recolor=0))
    np.testing.assert_allclose(plain.before, 100, atol=1e-3)


def test_unlabelled_ground_of_one_place_counts_as_unchanged_and_pasted_ground_not_at_all():
    unknown, building = places(0, BUILDING)
    everywhere = np.ones((8, 8), bool)
    for seed in range(20):
        dates = Dates(unknown, unknown, everywhere, ~everywhere, everywhere)
        pair = one_date_pair(dates, building, 8, np.random.default_rng(seed), PLAIN, SETS)
        assert np.array_equal(pair.valid, pair.label_before == pair.label_after)
        assert not pair.changed.any()


@pytest.mark.parametrize("shares", [(4, 2, 2), (1, 1), (5,), (3, 1, 7)])
def test_shares_are_exact_in_every_round_and_each_source_goes_through_its_turns(shares):
    turns, total = Turns(shares), sum(shares)
    drawn = [turns.of(number) for number in range(5 * total)]
    for first in range(0, len(drawn), total):
        sources = [source for source, _ in drawn[first : first + total]]
        assert [sources.count(source) for source in range(len(shares))] == list(shares)
    for source, share in enumerate(shares):
        assert [turn for one, turn in drawn if one == source] == list(range(5 * share))


def write_json(path, folder, **more):
    path.write_text(json.dumps({"folder": str(folder), "classes": class_entries(), **more}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Return the JSON files of three data sets: pairs, buildings or not at one date, and unchanged pairs."""
    root = tmp_path_factory.mktemp("mixture")
    write_pairs(root / "pairs", train=3, val=1)
    write_singles(root / "singles", train=3, val=1)
    for split in ("train", "val"):
        for path in (root / "singles" / split / "labels").iterdir():
            number = int(path.stem)
            label = 1 + (label_of(number, 64) == BUILDING)
            write_raster(path, label[None].astype(np.uint8))
    for folder in ("images", "labels"):
        (root / "still" / folder).mkdir(parents=True)
    for place in range(3):
        label = label_of(place + 50, 48)
        for year in (2016, 2018):
            name = f"place_{place}_{year}.tif"
            write_raster(root / "still" / "images" / name, image_of(label, place + year))
            write_raster(root / "still" / "labels" / name, (1 + (label != VEGETATION))[None].astype(np.uint8))
    write_raster(root / "still" / "images" / "alone_2016.tif", image_of(label, 1))
    return [
        write_json(root / "a.json", root / "pairs"),
        write_json(
            root / "b.json", "singles", numbers={"1": ["water", "ground", "vegetation"], "2": "building"}
        ),
        write_json(
            root / "c.json",
            "still",
            kind="unchanged pairs",
            numbers={"1": "vegetation", "2": ["water", "ground", "building"], "0": None},
            splits={"train": "*", "val": "place_2"},
        ),
    ]


OPTIONS = {"network": "lsafnet-tiny", "crop_px": 32, "batch_size": 4, "workers": 0, "device": "cpu",
           "precision": "fp32", "learning_rate": 0.02, "epochs": 2, "crops_per_epoch": 8}  # fmt: skip


def test_three_kinds_of_data_sets_are_drawn_in_shares_with_common_numbers(mixture):
    setup = prepare_training(mixture, TrainOptions(**OPTIONS, shares=(2, 1, 1)), Observer())
    assert [len(source.items) for source in setup.train] == [3, 3, 2]
    assert setup.sets.sets == SETS.sets
    assert setup.wide
    seen = set()
    for number in range(40):
        example = draws_of(setup, setup.train)[0, number]
        assert example.before.shape == (3, 32, 32)
        assert not (example.changed & ~example.change_known & example.valid).any()
        seen |= set(np.unique(example.label_before).tolist())
    assert {BUILDING, NOT_BUILDING, NOT_VEGETATION} <= seen


def test_a_mixture_trains_and_resumes_to_the_same_weights(mixture, tmp_path):
    from .test_train import same_weights

    options = TrainOptions(
        **OPTIONS, shares=(2, 1, 1), ema_decay=0.9, clip=1.0, backbone_rate=0.5, keep_epochs=True
    )
    whole = train_network(mixture, tmp_path / "whole", options)
    assert 0 < whole.last.scores["oa"] <= 1
    assert (tmp_path / "whole" / "epoch-001.safetensors").stat().st_size > 0
    interrupt_after_one_epoch(mixture, tmp_path / "again", options)
    train_network(mixture, tmp_path / "again", options)
    assert same_weights(tmp_path / "whole", tmp_path / "again")


def interrupt_after_one_epoch(mixture, run, options):
    class Interrupting(Observer):
        steps = 0

        def advance(self, amount, item="", **facts):  # noqa: ARG002
            self.steps += amount
            if self.steps > options.crops_per_epoch // options.batch_size:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(mixture, run, options, Interrupting())


def test_scores_count_only_what_labels_decide():
    label = np.array([[BUILDING, NOT_BUILDING, NOT_BUILDING, WATER]], np.uint8)
    after = np.array([[WATER, BUILDING, NOT_BUILDING, NOT_VEGETATION]], np.uint8)
    changed, known = np.array([[True, True, False, False]]), np.array([[True, True, True, False]])
    image = np.zeros((3, 1, 4), np.float32)
    found = scored(Example(image, image, label, after, changed, np.ones((1, 4), bool), known), 5)
    assert found.valid.tolist() == [[True, False, True, False]]
    assert max(found.label_before.max(), found.label_after.max()) < 5


def test_check_counts_sets_by_their_names_and_unchanged_pairs(mixture):
    facts = [check_data_set(open_data_set(path), Observer()).as_dict() for path in mixture]
    assert [one["labels_of"] for one in facts] == ["two dates", "one date", "no change"]
    shares = facts[1]["splits"]["train"]["class_shares"]["before"]
    assert shares["building"] + shares["water or ground or vegetation"] == pytest.approx(1)
    assert facts[2]["splits"]["train"]["items"] == 2
    assert facts[2]["splits"]["train"]["changed_share"] == 0
    assert all(one["sound"] for one in facts)


def test_evaluate_rejects_labels_that_are_no_scores_of_change(mixture, capsys):
    with pytest.raises(SystemExit) as left:
        main(["evaluate", "--dataset", str(mixture[2]), "--split", "val"])
    assert left.value.code == InputError.exit_code
    assert "no labels of two dates" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"numbers": {"1": "town"}}, "neither null nor among the classes"),
        ({"numbers": ["water"]}, "numbers must be an object"),
        ({"kind": "other"}, "kind is 'other'"),
        ({"zoom": [2, 1]}, "zoom is"),
        ({"splits": {"train": "nothing*"}}, "no name matches nothing*"),
        ({"numbers": {"2": "building"}}, "the value 1 is none of those with a meaning"),
    ],
)
def test_a_wrong_description_is_one_line(mixture, tmp_path, more, words):
    path = write_json(tmp_path / "wrong.json", mixture[0].parent / "singles", **more)
    options = TrainOptions(**OPTIONS, variety="wide")
    with pytest.raises(InputError) as caught:
        train_network(path, tmp_path / "run", options)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shares": (1, 2)}, "2 values for 3 data sets"),
        ({"variety": "usual"}, "need `variety` wide"),
        ({"class_weights": (1.0, 2.0)}, f"one for each of {', '.join(CLASSES[1:])}"),
    ],
)
def test_options_that_do_not_fit_the_data_sets_are_one_line(mixture, tmp_path, changes, words):
    with pytest.raises(OptionError, match=words):
        train_network(mixture, tmp_path / "run", TrainOptions(**{**OPTIONS, **changes}))


def test_data_sets_of_other_classes_are_not_mixed(mixture, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(
        json.dumps({"folder": str(mixture[0].parent / "singles"), "classes": class_entries()[:3]}),
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="has other classes than"):
        train_network([mixture[0], other], tmp_path / "run", TrainOptions(**OPTIONS))
