"""The loss equals what was recorded, and what a hand computes."""

import math

import pytest
import torch

from lsafnet import ChangeLogits, ChangeLoss
from lsafnet.logits import SupervisedLogits

from .recordings import read_recording


def flat_logits(change: float, before: list[float], after: list[float], rows: int = 2) -> ChangeLogits:
    """Return logits (1, ., rows, 2) that are the same at every pixel."""
    maps = (
        torch.tensor(values).view(1, -1, 1, 1).expand(1, -1, rows, 2) for values in ([change], before, after)
    )
    return ChangeLogits(*maps)


@pytest.mark.parametrize(
    ("bce", "bce_key", "total_key"),
    [("plain", "bce_plain", "total_paper_eq18"), ("balanced", "bce_weighted", "total_rsiscd")],
)
def test_the_loss_equals_the_recorded_one(bce: str, bce_key: str, total_key: str) -> None:
    recorded = read_recording("losses")
    values = recorded.pop("values")
    given = {key: torch.tensor(numbers).reshape(shape) for key, (numbers, shape) in recorded.items()}
    logits = ChangeLogits(given["change"], given["semantic_before"], given["semantic_after"])
    terms = ChangeLoss(bce)(logits, given["label_before"], given["label_after"])
    keys = {"bce": bce_key, "ce_before": "ce_before", "ce_after": "ce_after", "total": total_key}
    for found, expected in {**keys, "consistency": "semantic_consistency"}.items():
        assert float(terms[found]) == pytest.approx(values[expected], rel=1e-5)


def test_terms_are_what_a_hand_computes() -> None:
    logits = flat_logits(0.0, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    label = torch.tensor([[[0, 1], [0, 2]]])
    terms = ChangeLoss()(logits, label, label)
    assert float(terms["bce"]) == pytest.approx(math.log(2))
    assert float(terms["ce_before"]) == pytest.approx(math.log(3))
    assert float(terms["consistency"]) == pytest.approx(
        0.5
    )  # cos = 1: costs nothing where unchanged, 1 where changed
    assert float(terms["total"]) == pytest.approx(math.log(2) + math.log(3) + 0.5)


def test_balanced_bce_averages_changed_and_unchanged_apart() -> None:
    logits = flat_logits(2.0, [0.0, 0.0], [0.0, 0.0])
    label = torch.tensor([[[0, 0], [0, 1]]])
    on_changed, on_unchanged = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    bce = ChangeLoss("balanced")(logits, label, label)["bce"]
    assert float(bce) == pytest.approx(0.25 * on_changed + 0.75 * on_unchanged)


def test_land_cover_labels_teach_every_pixel_and_change_comes_from_the_mask() -> None:
    logits = flat_logits(-9.0, [0.0, 9.0, 0.0], [0.0, 9.0, 0.0])
    cover = torch.ones(1, 2, 2, dtype=torch.uint8)
    taken_as_changed = ChangeLoss()(logits, cover, cover)
    unchanged = ChangeLoss()(logits, cover, cover, changed=cover != cover)
    assert float(taken_as_changed["bce"]) == pytest.approx(9, abs=1e-3)
    assert float(unchanged["total"]) == pytest.approx(0, abs=1e-3)


def test_class_weights_make_a_class_count_for_more() -> None:
    logits = flat_logits(0.0, [0.0, 0.0, math.log(2)], [0.0, 0.0, 0.0])
    label = torch.tensor([[[0, 1], [0, 2]]])
    weighted = ChangeLoss(class_weights=(9.0, 1.0, 3.0))(logits, label, label)["ce_before"]
    assert float(weighted) == pytest.approx((math.log(4) + 3 * math.log(2)) / 4)


def test_invalid_pixels_count_nowhere() -> None:
    label = torch.tensor([[[0, 1], [2, 2]]])
    valid = torch.tensor([[[True, True], [False, False]]])
    logits = flat_logits(1.0, [0.0, 1.0, 2.0], [1.0, 0.0, 1.0])
    whole = ChangeLoss("balanced")(logits, label, label, valid=valid)
    part = ChangeLoss("balanced")(ChangeLogits(*(x[:, :, :1] for x in logits)), label[:, :1], label[:, :1])
    assert {key: float(x) for key, x in whole.items()} == pytest.approx(
        {key: float(x) for key, x in part.items()}
    )


@pytest.mark.parametrize("bce", ["plain", "balanced"])
def test_a_batch_without_any_change_has_a_finite_loss_and_gradient(bce: str) -> None:
    logits = ChangeLogits(*(torch.randn(1, k, 4, 4, requires_grad=True) for k in (1, 3, 3)))
    nothing = torch.zeros(1, 4, 4, dtype=torch.int64)
    total = ChangeLoss(bce)(logits, nothing, nothing)["total"]
    total.backward()
    assert total.isfinite()
    assert all(x.grad.isfinite().all() for x in logits)


def test_networks_without_semantic_maps_learn_from_the_change_alone() -> None:
    label = torch.tensor([[[0, 1]]])
    terms = ChangeLoss()(ChangeLogits(torch.zeros(1, 1, 1, 2), None, None), label, label)
    assert terms.keys() == {"bce", "total"}
    assert terms["total"] is terms["bce"]


def test_an_unknown_bce_is_refused() -> None:
    with pytest.raises(ValueError, match="plain, balanced"):
        ChangeLoss("weighted")


def supervised(before: list[float], after: list[float], auxiliary: int = 0) -> SupervisedLogits:
    """Return logits (1, ., 2, 2) that are the same at every pixel, with as many auxiliary maps like them."""
    change, *dates = flat_logits(0.0, before, after)
    return SupervisedLogits(change, *dates, auxiliary=(tuple(dates),) * auxiliary)


def test_a_network_whose_classes_count_unchanged_learns_it_as_a_class() -> None:
    label = torch.tensor([[[0, 1], [0, 2]]])
    terms = ChangeLoss()(supervised([math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]), label, label)
    assert terms.keys() == {"ce_before", "ce_after", "total"}
    # of before, unchanged has probability 1/2 and each class 1/4; two pixels are of each kind
    assert float(terms["ce_before"]) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert float(terms["ce_after"]) == pytest.approx(math.log(3))
    assert float(terms["total"]) == pytest.approx(4 * float(terms["ce_before"] + terms["ce_after"]))


def test_deep_supervision_adds_each_coarse_map_at_half_the_weight_of_the_fine_one() -> None:
    label = torch.tensor([[[0, 1], [0, 2]]])
    terms = ChangeLoss()(supervised([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], auxiliary=3), label, label)
    assert float(terms["ce_auxiliary"]) == pytest.approx(3 * 2 * math.log(3))
    assert float(terms["total"]) == pytest.approx(2 * (6 + 2 * 2) * math.log(3))


def test_unchanged_is_the_target_where_land_cover_did_not_change_and_unknown_classes_count_nowhere() -> None:
    cover, later = torch.tensor([[[1, 1], [1, 0]]]), torch.tensor([[[1, 1], [2, 2]]])
    logits = supervised([5.0, 0.0, 0.0], [0.0, 0.0, 5.0])
    terms = ChangeLoss()(logits, cover, later, changed=cover != later)
    spread = math.log(1 + 2 * math.exp(-5))  # of the class that is right
    assert float(terms["ce_before"]) == pytest.approx((2 * spread + 5 + spread) / 3)  # the fourth is unknown
    assert float(terms["ce_after"]) == pytest.approx((2 * (5 + spread) + 2 * spread) / 4)
    none = ChangeLoss()(logits, cover, later, valid=torch.zeros(1, 2, 2, dtype=torch.bool))
    assert float(none["total"]) == 0
