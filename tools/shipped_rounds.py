"""The rounds of train_shipped.py: stages of training, and the means of weights that are their results.

A step took 4.5 s on one core of a busy AMD EPYC (first round, bf16), 6.5 and 12 s on one of an Intel Xeon (second
round, fp32), 1.8 s at 192 px and 4.2 s at 256 px on one of an AMD EPYC with native bf16 (the next two), 4 and 8 s
there on the deeper backbone, with both cores at work (the rest; "coarser" 7.5; "edges" 10 and 12 on an Intel Xeon
with AMX; "roofs", "changes" and "outlines" 4 to 7).

A rerun gives a checkpoint like the one that ships, not the same. Some stages of the first two rounds ended before
their rates had fallen to 0, the first two had stronger looks, and the labels of the second round knew no season.
Those of "larger" were completed by a mean of three epochs and the start instead of two. Its stages ended an epoch
after their weights were taken, or with it, and the one of the round before an epoch early. The first stage of
"deeper" had no pairs with change, and its stages ended with the epochs whose weights were taken. All rounds
before "coarser" saw no pairs of one coarser sensor, and its stages ended in the tenth of their epochs. "edges" began
from its result without the loss's class weights, with fewer places for validation, and so did "roofs". That had boxes
of 27 places with change; "changes" had those of 236, for the others had not been looked at yet, and its second stage
alone saw crowns without leaves, in every fifth look. No round before it did.

All rounds before "outlines" saw tiles of drone images by themselves, at zooms from 0.6 or 0.8 up, with labels as they
came, and roofs of 121 images. "outlines" itself saw roofs of 351 images, outlines of 129 places and boxes of the
others, and neither water nor corrected drone labels, for the rest was drawn while it ran; what is unknown in joined
tiles was completed too. In it and before, places for validation of one set made of NAIP were trained on in others.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Stage:
    """One training: shares of the data sets, epochs of `steps`, the highest rate, and the decay of mean weights.

    power: of the rate's decay. crop: side of the windows in pixels. backbone: rate of the backbone as a share of
    the others'. seed: of the examples. begin: the checkpoint to start from, in the work folder; the last one of the
    stage before if "". batch: pairs of a step.
    """

    shares: tuple[int, ...]
    epochs: int
    steps: int
    rate: float
    ema: float = 0.99
    power: float = 0.9
    warmup: int = 30
    crop: int = 256
    backbone: float = 0.2
    water_building: tuple[float, float] = (1.5, 1.5)
    seed: int = 1
    begin: str = ""
    batch: int = 8


@dataclass(frozen=True, slots=True)
class Round:
    """Stages, and the mean of weights that is their result.

    parts: (stage, epoch, share) from 1 up; the checkpoint that the round started from has the rest of 1. completed:
    the labels are completed by that. changes: real pairs with change follow those of NAIP in the stages' shares.
    backbone: its decoders are put on this one first, so that it has no part in the mean. labels: the round whose
    completed labels are taken, this one itself if "". teachers: rounds whose results complete the labels too.
    edge_px: completed buildings end so many pixels before their borders. roofs: images on which roofs were drawn
    follow the pairs with change in the stages' shares. outlines: water was drawn too, and what changed was outlined,
    which counts in this share of the places with boxes.
    """

    name: str
    stages: tuple[Stage, ...]
    parts: tuple[tuple[int, int, float], ...]
    completed: bool = True
    changes: bool = False
    backbone: str = ""
    labels: str = ""
    teachers: tuple[str, ...] = ()
    edge_px: int = 0
    roofs: bool = False
    outlines: float = 0.0


def twice(stage: Stage, start: str) -> tuple[Stage, Stage]:
    """Return two stages with other examples, both from the result of the round `start`, which is the one before."""
    return stage, replace(stage, seed=stage.seed + 1, begin=f"{start}.safetensors")


ROOFS = Stage(
    (6, 4, 6, 3, 7, 4, 3, 2, 5), 5, 60, 3e-4, 0.98, power=0.7, warmup=8, backbone=0.4,
    water_building=(1.5, 1.4), seed=71,
)  # fmt: skip
CHANGES = replace(ROOFS, shares=(6, 4, 5, 6, 6, 4, 4, 3, 7), epochs=6, seed=81)
OUTLINES = replace(CHANGES, shares=(6, 4, 5, 8, 6, 4, 4, 3, 8), seed=91)
WHOLE = replace(OUTLINES, seed=101)
TINTED = replace(OUTLINES, epochs=5, seed=103)
DRAWN = Round(
    "roofs",
    twice(ROOFS, "edges"),
    parts=((1, 5, 0.5), (2, 5, 0.5)),
    changes=True,
    teachers=("larger",),
    edge_px=3,
    roofs=True,
)
ROUNDS = (
    Round(
        "partial",
        (
            Stage((6, 4, 5, 2, 1, 1, 1), 3, 160, 5e-4),
            Stage((7, 4, 4, 2, 1, 1, 1), 3, 165, 3.5e-4),
            Stage((7, 6, 3, 2, 1, 1, 1), 2, 100, 3e-4, 0.98),
        ),
        parts=((3, 2, 0.65),),
        completed=False,
    ),
    Round(
        "completed",
        (
            Stage((6, 4, 7, 2, 1, 1, 2), 3, 125, 4e-4, power=0.5, warmup=20, crop=192),
            Stage((6, 4, 7, 2, 1, 1, 2), 2, 75, 2.5e-4, 0.98, power=1.0, warmup=3),
        ),
        parts=((1, 2, 0.35), (2, 2, 0.35)),
    ),
    Round(
        "again",
        (Stage((6, 3, 7, 3, 1, 1, 2), 8, 150, 4e-4, power=0.8, crop=192, backbone=0.3),),
        parts=((1, 2, 0.4), (1, 4, 0.4)),
    ),
    Round(
        "larger",
        (
            Stage(
                (6, 3, 7, 3, 1, 1, 2), 6, 100, 2.5e-4, power=1.0, warmup=10, backbone=0.3,
                water_building=(1.5, 1.3), begin="again1/epoch-007.safetensors",
            ),
            Stage(
                (6, 3, 6, 3, 1, 1, 3), 4, 75, 2.5e-4, 0.985, power=0.8, warmup=10,
                water_building=(1.5, 1.3), seed=7, begin="again.safetensors",
            ),
        ),
        parts=((1, 2, 0.35), (2, 3, 0.3)),
    ),
    Round(
        "deeper",
        (
            Stage((6, 3, 6, 1, 3, 1, 1, 2), 9, 150, 5e-4, power=0.8, warmup=60, crop=192, backbone=0.5, seed=21),
            Stage(
                (6, 3, 6, 2, 3, 1, 1, 2), 5, 120, 4.5e-4, power=0.8, warmup=15, crop=192, backbone=0.5,
                water_building=(1.5, 1.3), seed=22, begin="deeper1/epoch-004.safetensors",
            ),
            Stage(
                (6, 3, 7, 2, 3, 1, 1, 2), 5, 120, 4.5e-4, power=0.8, warmup=15, crop=192, backbone=0.5,
                water_building=(1.5, 1.4), seed=23, begin="deeper1/epoch-004.safetensors",
            ),
        ),
        parts=((2, 3, 0.5), (3, 3, 0.5)),
        changes=True,
        backbone="efficientnet-lite2",
    ),
    Round(
        "sharper",
        (
            Stage(
                (6, 3, 6, 2, 3, 1, 1, 2), 2, 70, 2.5e-4, 0.98, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=26,
            ),
            Stage(
                (6, 3, 6, 2, 3, 1, 1, 2), 1, 72, 2e-4, 0.975, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=28, begin="sharper1/epoch-001.safetensors",
            ),
        ),
        parts=((1, 1, 1 / 3), (1, 2, 1 / 3), (2, 1, 1 / 3)),
        changes=True,
        labels="deeper",
    ),
    Round(
        "cities",
        (
            Stage(
                (9, 6, 5, 2, 3, 1, 1, 2), 1, 60, 2e-4, 0.975, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=41,
            ),
            Stage(
                (10, 5, 6, 2, 2, 1, 1, 2), 1, 60, 2e-4, 0.975, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=42, begin="sharper.safetensors",
            ),
        ),
        parts=((1, 1, 1 / 3), (2, 1, 1 / 3)),
        changes=True,
        labels="deeper",
    ),
    Round(
        "coarser",
        (
            Stage(
                (9, 6, 6, 3, 3, 1, 1, 2), 11, 60, 2.5e-4, 0.98, power=0.7, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=51,
            ),
            Stage(
                (10, 5, 6, 2, 3, 1, 1, 2), 11, 60, 3e-4, 0.98, power=0.7, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=52, begin="cities.safetensors",
            ),
        ),
        parts=((1, 9, 0.4), (2, 9, 0.4)),
        changes=True,
        teachers=("larger",),
    ),
    Round(
        "edges",
        (
            Stage(
                (7, 5, 6, 3, 4, 3, 2, 6), 8, 60, 3e-4, 0.98, power=0.7, warmup=8, backbone=0.4,
                water_building=(1.5, 1.4), seed=61,
            ),
            Stage(
                (7, 5, 6, 3, 4, 3, 2, 6), 8, 54, 3e-4, 0.98, power=0.7, warmup=8, crop=384, backbone=0.4,
                water_building=(1.5, 1.4), seed=62, begin="coarser.safetensors", batch=4,
            ),
        ),
        parts=((1, 8, 0.3), (2, 7, 0.2)),
        changes=True,
        teachers=("larger",),
        edge_px=3,
    ),
    DRAWN,
    Round(
        "changes",
        twice(CHANGES, "roofs"),
        parts=((1, 6, 0.5), (2, 6, 0.5)),
        changes=True,
        labels="roofs",
        roofs=True,
    ),
    replace(
        DRAWN,
        name="outlines",
        stages=twice(OUTLINES, "changes"),
        parts=((1, 2, 0.275), (2, 2, 0.275)),
        outlines=0.4,
    ),
    replace(
        DRAWN,
        name="whole",
        stages=twice(WHOLE, "outlines"),
        parts=((1, 2, 0.5), (2, 2, 0.5)),
        outlines=0.5,
    ),
    Round(
        "tinted",
        twice(TINTED, "whole"),
        parts=((1, 2, 0.3), (2, 2, 0.4)),
        changes=True,
        labels="whole",
        roofs=True,
        outlines=0.5,
    ),
)  # fmt: skip
