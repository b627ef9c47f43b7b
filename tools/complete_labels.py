"""Complete partial labels with the land cover that a checkpoint sees: self-training.

    python tools/complete_labels.py NAIP.json ROOFS.json ... --checkpoint C.safetensors -o FOLDER

Labels that say "building or not" leave three classes open. Here the classes that they allow are weighed by a
checkpoint: the mean of its probabilities over flips and zooms, and over all dates of a place between which nothing
has changed. A pixel gets the most probable of the classes allowed where that has at least --confidence, and keeps its
set elsewhere. A student that learns from these labels under strong variation keeps what its teacher knew and becomes
steadier (Xie et al., "Self-training with noisy student improves ImageNet classification", CVPR 2020). For each
description FOLDER gets a folder of labels, links to the images, and a description that reads them.

A teacher's borders are soft: beside a roof it calls yards and drives building too, and a student would learn that. So
building that is completed ends EDGE_PX pixels before its border, and the labels' own set stays there.

Lawns dry and crowns grow: where the labels of a place's dates exclude each other, in regions of at most --season-px
and nowhere surely water or building, all dates get "ground or vegetation", by which nothing has changed there.
Larger regions may be graded lots, and stay as they are: not known to have changed or not. Where it was seen that a
place did change (`changed`), each date is weighed by itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, label as number_regions
from torch.nn.functional import interpolate

from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet.label_sets import LabelSets
from lsafnet.prepare import PreparedNetwork, prepare_network
from lsafnet.training.examples import Floats
from lsafnet_cli.checkpoints.choose import load_named_checkpoint, shipped_checkpoint
from lsafnet_cli.data_sets.opening import DataSet, open_data_set
from lsafnet_cli.data_sets.pairs import LabelledImage, UnchangedPlace
from place_boxes import Areas, AreasOfPlaces, place_of, within

Probabilities = NDArray[np.float32]
"""(K - 1, rows, cols): of the classes 1..K-1."""
Labels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
CONFIDENCE = 0.6
SEASON_PX = 2000  # pixels of the largest region that the season may have turned, 720 square metres in NAIP
OTHER_SHARE = 0.1  # of a region that is building or water: more of it, and it is no season
EITHER = ("ground", "vegetation")
SHARP = "building"
EDGE_PX = 3
MULTIPLE = 32  # rows and cols that are seen are made a multiple of it by repeating the border


class Teacher:
    """Land cover of images of one place, seen by one network or several, flipped and at several zooms.

    info: of one of the networks; classes and normalisation are the same for all.
    """

    def __init__(
        self, networks: Sequence[PreparedNetwork], info: CheckpointInfo, zooms: Sequence[float]
    ) -> None:
        self._networks, self._zooms = tuple(networks), tuple(zooms)
        statistics = info.normalization.before
        self._mean, self._std = (
            torch.tensor(values)[:, None, None] for values in (statistics.mean, statistics.std)
        )

    def probabilities(self, images: Sequence[Floats]) -> Probabilities:
        """Return the mean over the images, (bands, rows, cols) each, of one size."""
        rows, cols = images[0].shape[-2:]
        total, looks = torch.zeros(0), 0
        for first, second in self._in_pairs(images):
            for zoom in self._zooms:
                size = round(rows * zoom), round(cols * zoom)
                pair = [
                    interpolate(one[None], size, mode="bilinear", antialias=True) for one in (first, second)
                ]
                for flip in FLIPS:
                    seen = self._look([one.flip(flip) for one in pair], size)
                    back = interpolate(seen.flip(flip), (rows, cols), mode="bilinear")[0]
                    total, looks = back if not looks else total + back, looks + 1
        mean: Probabilities = (total / looks).numpy()
        return mean

    def _in_pairs(self, images: Sequence[Floats]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        normalised = [(torch.from_numpy(image) - self._mean) / self._std for image in images]
        for number in range(0, len(normalised), 2):
            yield normalised[number], normalised[min(number + 1, len(normalised) - 1)]

    def _look(self, pair: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        """Return (1, K - 1, rows, cols): the mean of what the networks see at both dates."""
        margins = (0, -size[1] % MULTIPLE, 0, -size[0] % MULTIPLE)
        padded = [torch.nn.functional.pad(one, margins, mode="replicate") for one in pair]
        seen = []
        with torch.inference_mode():
            for network in self._networks:
                logits = network(*padded)
                assert logits.before is not None
                assert logits.after is not None
                seen += [
                    date[:, 1:, : size[0], : size[1]].softmax(1) for date in (logits.before, logits.after)
                ]
        return torch.stack(seen).mean(0)


def load_teachers(paths: Sequence[Path]) -> tuple[list[PreparedNetwork], CheckpointInfo]:
    """Return the networks of checkpoints with the same classes and normalisation, and the first one's metadata.

    In bfloat16, which is faster, and differs where two classes are about as probable: there a teacher is not sure.
    """
    named = [load_named_checkpoint(path) for path in paths]
    first = named[0].info
    for one in named[1:]:
        if (one.info.classes, one.info.normalization) != (first.classes, first.normalization):
            raise SystemExit(f"{one.name}: differs from {named[0].name} in its classes or normalisation")
    return [prepare_network(one.checkpoint.network, "cpu", "bf16") for one in named], first


def completed(label: Labels, sets: LabelSets, probabilities: Probabilities, confidence: float) -> Labels:
    """Return (rows, cols) numbers of `sets`: the most probable allowed class where sure enough, else the set."""
    allowed = sets.members[label][..., 1:].transpose(2, 0, 1)
    weighed = probabilities * allowed
    weighed /= weighed.sum(axis=0).clip(1e-9)
    sure = weighed.max(axis=0) >= confidence
    return np.where(sure, weighed.argmax(axis=0) + 1, label).astype(np.uint8)


def without_edges(done: Labels, label: Labels, number: int, edge_px: int) -> Labels:
    """Return completed labels (rows, cols) with `label` again within `edge_px` of the border of class `number`."""
    there = done == number
    if not edge_px or not there.any():
        return done
    core = binary_erosion(there, np.ones((3, 3), bool), iterations=edge_px, border_value=1)
    return np.where(there & ~core, label, done)


def turned_by_season(labels: Sequence[Labels], sets: LabelSets, either: set[int], most_px: int) -> Bools:
    """Return where (rows, cols) the labels of one place exclude each other in small regions.

    labels: (rows, cols) numbers of `sets` of each date. either: the classes that the season turns into each other;
    a region in which a date has a single other class for a tenth of the pixels or more is left out.
    """
    members = np.stack([sets.members[label][..., 1:] for label in labels])
    excluded = ~members.all(axis=0).any(axis=-1)
    regions, count = number_regions(excluded)
    known_other = np.zeros(excluded.shape, bool)
    for label in labels:
        known_other |= (label > 0) & (label < sets.num_classes) & ~np.isin(label, list(either))
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    others = np.bincount(regions.ravel(), known_other.ravel(), minlength=count + 1)
    small = (sizes <= most_px) & (others < OTHER_SHARE * sizes)
    small[0] = False
    found: Bools = small[regions]
    return found


def weighed(images: Sequence[Floats], teacher: Teacher, apart: Areas) -> list[Probabilities]:
    """Return the probabilities of each date: the mean of all dates, but each its own within `apart`."""
    common = teacher.probabilities(images)
    if not apart:
        return [common] * len(images)
    inside = within(apart, common.shape[1:])
    return [np.where(inside, teacher.probabilities([image]), common) for image in images]


def folder_beside_images(said: Mapping[str, Any], name: str, output: Path) -> Path:
    """Return a folder of a name for new labels of a data set described by `said`, with a link to its images."""
    folder = output / name
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    if not (folder / "images").exists():
        (folder / "images").symlink_to((Path(said["folder"]) / "images").resolve())
    return folder


def write_description(folder: Path, said: Mapping[str, Any]) -> Path:
    """Write FOLDER.json, which describes a folder by all of `said` but its own place; return the file."""
    file = folder.parent / f"{folder.name}.json"
    file.write_text(json.dumps({**said, "folder": str(folder.resolve())}, indent=1), encoding="utf-8")
    return file


def complete(
    description: Path,
    teacher: Teacher,
    output: Path,
    confidence: float,
    season_px: int = SEASON_PX,
    changed: AreasOfPlaces | None = None,
    sure: AreasOfPlaces | None = None,
    edge_px: int = EDGE_PX,
    keep_unknown: bool = False,
) -> Path:
    """Write the completed labels of a data set, and its new description; return the latter.

    changed: areas in which dates of a place may differ, by place. sure: those in which they surely do, so that it is
    no season; the labels say how. edge_px: completed buildings end so many pixels before their borders.
    keep_unknown: what the labels leave open altogether stays so.
    """
    said = json.loads(description.read_text(encoding="utf-8"))
    data_set, folder = open_data_set(description), folder_beside_images(said, description.stem, output)
    sets = data_set.label_sets
    names = [one["name"] for one in said["classes"]]
    either = {names.index(name) for name in EITHER if name in names}
    numbers: dict[str, Any] = {"0": None} | {
        str(number): [names[one] for one in sorted(sets.members_of(number))]
        for number in range(1, sets.count)
    }
    for dates in places(data_set):
        read = [date.read() for date in dates]
        place = place_of(Path(dates[0].path).stem)
        probabilities = weighed([values for values, _ in read], teacher, (changed or {}).get(place, ()))
        done = [
            completed(label, sets, one, confidence)
            for (_, label), one in zip(read, probabilities, strict=True)
        ]
        if len(done) > 1 and len(either) > 1:
            turned = turned_by_season(done, sets, either, season_px)
            turned &= ~within((sure or {}).get(place, ()), turned.shape)
            number = sets.number_of(sorted(either)) if tuple(sorted(either)) in sets.sets else sets.count
            numbers[str(number)] = sorted(EITHER)
            done = [np.where(turned, number, label).astype(np.uint8) for label in done]
        if keep_unknown:
            done = [np.where(label > 0, one, 0) for one, (_, label) in zip(done, read, strict=True)]
        if SHARP in names:
            sharp = names.index(SHARP)
            done = [
                without_edges(one, label, sharp, edge_px) for one, (_, label) in zip(done, read, strict=True)
            ]
        for date, label in zip(dates, done, strict=True):
            Image.fromarray(label).save(folder / "labels" / f"{Path(date.path).stem}.png")
    return write_description(folder, said | {"numbers": numbers})


def places(data_set: DataSet) -> Iterator[tuple[LabelledImage, ...]]:
    """Yield the dates of each place of all splits, one where nothing says that several are of one place."""
    for split in data_set.splits:
        for item in data_set.items(split):
            if isinstance(item, UnchangedPlace):
                yield item.dates
            elif isinstance(item, LabelledImage):
                yield (item,)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("descriptions", type=Path, nargs="+", help="data sets' JSON files")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        help="a teacher, the shipped checkpoint by default; the mean of several where given again",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--confidence", type=float, default=CONFIDENCE, help="least probability of a class that is taken"
    )
    parser.add_argument(
        "--season-px", type=int, default=SEASON_PX, help="pixels of the largest region that the season turns"
    )
    parser.add_argument(
        "--edge-px",
        type=int,
        default=EDGE_PX,
        help=f"completed {SHARP} ends so many pixels before its border",
    )
    parser.add_argument("--zooms", default="1", help="sizes at which images are seen, by comma")
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    networks, info = load_teachers(given.checkpoint or [shipped_checkpoint()])
    zooms = [float(zoom) for zoom in given.zooms.split(",")]
    given.output.mkdir(parents=True, exist_ok=True)
    for description in given.descriptions:
        print(
            complete(
                description,
                Teacher(networks, info, zooms),
                given.output,
                given.confidence,
                given.season_px,
                edge_px=given.edge_px,
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
