"""An evaluation as the cells of tables for people."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lsafnet_cli.evaluation.change_probability import ChangeProbability
from lsafnet_cli.evaluation.land_cover import LandCoverEvaluation
from lsafnet_cli.evaluation.report import (
    ChangeScores,
    CheckpointEvaluation,
    DataSetEvaluation,
    Evaluation,
    MapEvaluation,
    Score,
)
from lsafnet_cli.maps.summary_formats import FromTo

MOST_ROWS = 40  # of a table; JSON has all
SAME_CLASS_WORDS = {
    "differ": "together, as different classes",
    "keep": "each by itself",
}
HEADLINE_NAMES = {"miou": "mIoU", "oa": "OA", "sek": "SeK", "f_scd": "F_scd"}


def evaluation_tables(report: Evaluation) -> Iterator[FromTo]:
    """Yield the main scores, the classes and the transitions; a column for each checkpoint."""
    yield _main_table(report)
    if isinstance(report, DataSetEvaluation) and len(report.checkpoints) > 1:
        yield _difference_table(report)
    yield from _probability_tables(report)
    if len(report.columns) > 1:
        yield _side_by_side(report, "IoU of classes", "classes", "iou")
        yield _side_by_side(report, "F1 of transitions", "transitions", "f1")
    else:
        scores = report.columns[0][1]
        yield _detail_table("Classes, both dates together", scores, "classes")
        yield _detail_table("Transitions", scores, "transitions")


def _names(report: Evaluation) -> tuple[str, ...]:
    return tuple(Path(name).name for name, _ in report.columns)


def _main_table(report: Evaluation) -> FromTo:
    found = [scores for _, scores in report.columns]
    rows = [
        (name, *(_with_interval(getattr(scores, key)) for scores in found))
        for key, name in HEADLINE_NAMES.items()
    ]
    rows += [
        ("IoU of changed", *(f"{scores.iou_changed:.4f}" for scores in found)),
        ("IoU of unchanged", *(f"{scores.iou_unchanged:.4f}" for scores in found)),
        ("boundary F1", *(f"{scores.boundary.f1:.4f}" for scores in found)),
        ("boundary precision", *(f"{scores.boundary.precision:.4f}" for scores in found)),
        ("boundary recall", *(f"{scores.boundary.recall:.4f}" for scores in found)),
    ]
    return FromTo(_title(report), ("score", *_names(report)), tuple(rows), _note(report))


def _title(report: Evaluation) -> str:
    if isinstance(report, MapEvaluation):
        return f"Scores against {' and '.join(report.references)} ({report.labels})"
    return f"Scores on {report.data_set}, {report.split}: {report.pairs:,} pairs"


def _note(report: Evaluation) -> str:
    scores = report.columns[0][1]
    words = [f"{scores.counted_pixels:,} pixels counted"]
    for count, name in (
        (scores.nodata_pixels, "without data in the map"),
        (scores.unlabelled_pixels, "without a known label"),
        (scores.outside_pixels, "beyond the references"),
    ):
        words += [f"{count:,} {name}"] if count else []
    text = f"{', '.join(words)}; boundaries within {scores.boundary.tolerance_px} px{_decision_words(report)}"
    if scores.miou.low is None:
        return text
    kind = "images" if scores.unit_px is None else f"squares of {scores.unit_px} px"
    return f"{text}; 95 % intervals from {report.resamples:,} resamples of {scores.units:,} {kind}"


def _decision_words(report: Evaluation) -> str:
    """Return how from and to were chosen, where that is known."""
    decided = report.decision if isinstance(report, MapEvaluation) else report.checkpoints[0].options
    same_class = decided.get("same_class")
    return f"; from and to chosen {SAME_CLASS_WORDS[same_class]}" if same_class in SAME_CLASS_WORDS else ""


def _with_interval(score: Score, sign: str = "") -> str:
    if score.low is None or score.high is None:
        return f"{score.value:{sign}.4f}"
    return f"{score.value:{sign}.4f} ({score.low:{sign}.4f} to {score.high:{sign}.4f})"


def _difference_table(report: DataSetEvaluation) -> FromTo:
    first, *others = report.checkpoints
    rows = [
        (name, *(_with_interval(one.differences[key], "+") for one in others if one.differences is not None))
        for key, name in HEADLINE_NAMES.items()
    ]
    headings = ("score", *(one.checkpoint for one in others))
    note = "an interval without 0 in it: the images tell the two apart"
    return FromTo(f"Above {first.checkpoint}", headings, tuple(rows), note)


def _probability_tables(report: Evaluation) -> Iterator[FromTo]:
    """Yield what the other choice of classes gives, and how far the probability of change can be believed."""
    if isinstance(report, DataSetEvaluation):
        found = [one.probability for one in report.checkpoints]
        ways = dict.fromkeys(way for one in report.checkpoints for way in one.decisions)
        rows = [
            (
                f"{HEADLINE_NAMES[key]}, {SAME_CLASS_WORDS[way]}",
                *(_decided(one, way, key) for one in report.checkpoints),
            )
            for way in ways
            for key in ("f_scd", "sek")
        ]
        if len(ways) > 1:
            headings = ("score", *_names(report))
            yield FromTo("From and to chosen together, or each by itself", headings, tuple(rows), "")
    else:
        found = [report.probability]
    if any(found):
        yield _probability_table(report, found)
    for name, one in zip(_names(report), found, strict=True):
        if one is not None:
            yield _reliability_table(name, one)


def _decided(one: CheckpointEvaluation, way: str, score: str) -> str:
    return f"{one.decisions[way][score]:.4f}" if way in one.decisions else "-"


def _probability_table(report: Evaluation, found: Sequence[ChangeProbability | None]) -> FromTo:
    scores = [one for _, one in report.columns]
    f1 = [2 * one.iou_changed / (1 + one.iou_changed) for one in scores]
    words: dict[str, Callable[[ChangeProbability], str]] = {
        "changed above": lambda one: "-" if one.threshold is None else f"{one.threshold:.3g}",
        "best F1": lambda one: f"{one.best_f1:.4f}",
        "with changed above": lambda one: f"{one.best_threshold:.3g}",
        "average precision": lambda one: f"{one.average_precision:.4f}",
        "calibration error (ECE)": lambda one: f"{one.calibration_error:.4f}",
    }
    rows = [("F1 of changed", *(f"{value:.4f}" for value in f1))]
    rows += [(name, *("-" if one is None else tell(one) for one in found)) for name, tell in words.items()]
    note = "the best threshold is the best on these labels; elsewhere it is another"
    return FromTo("Probability of change", ("", *_names(report)), tuple(rows), note)


def _reliability_table(name: str, one: ChangeProbability) -> FromTo:
    rows = [
        (
            f"{row.low:.0%} to {row.high:.0%}",
            f"{row.probability:.1%}",
            f"{row.changed:.1%}",
            f"{row.pixels:,}",
        )
        for row in one.reliability
    ]
    headings = ("probability", "its mean", "have changed", "pixels")
    return FromTo(f"Reliability of {name}", headings, tuple(rows), "")


def _side_by_side(report: Evaluation, title: str, part: str, score: str) -> FromTo:
    found = [{one.name: one for one in getattr(scores, part)} for _, scores in report.columns]
    names = list(dict.fromkeys(name for column in found for name in column))
    rows = [
        (name, *(f"{getattr(column[name], score):.4f}" if name in column else "-" for column in found))
        for name in names[:MOST_ROWS]
    ]
    return FromTo(title, ("", *_names(report)), tuple(rows), _rest(len(names)))


def _detail_table(title: str, scores: ChangeScores, part: str) -> FromTo:
    every = getattr(scores, part)
    rows = [
        (
            one.name,
            f"{one.precision:.4f}" if one.map_pixels else "-",
            f"{one.recall:.4f}" if one.pixels else "-",
            f"{one.f1:.4f}",
            f"{one.iou:.4f}",
            f"{one.pixels:,}",
            f"{one.map_pixels:,}",
        )
        for one in every[:MOST_ROWS]
    ]
    headings = ("", "precision", "recall", "F1", "IoU", "reference px", "map px")
    return FromTo(title, headings, tuple(rows), _rest(len(every)))


def _rest(count: int) -> str:
    return f"{count - MOST_ROWS:,} more in the JSON" if count > MOST_ROWS else ""


def land_cover_tables(report: LandCoverEvaluation) -> Iterator[FromTo]:
    """Yield the main scores of the land cover of one date, those of its classes, and the confusion matrix."""
    named = {"overall accuracy": report.overall_accuracy, "mIoU": report.miou, "kappa": report.kappa}
    words = [f"{report.counted_pixels:,} pixels counted"]
    for count, name in (
        (report.nodata_pixels, "without a class in the map"),
        (report.unlabelled_pixels, "without a known label"),
        (report.outside_pixels, "beyond the reference"),
    ):
        words += [f"{count:,} {name}"] if count else []
    if report.overall_accuracy.low is not None:
        words.append(f"95 % intervals from {report.resamples:,} resamples of {report.units:,} squares")
    scope = "changed pixels only" if report.changed_only else "all pixels"
    title = f"Land cover {report.date}, {scope}, against {Path(report.reference).name}"
    yield FromTo(
        title, ("score", Path(report.layer).name),
        tuple((name, _with_interval(score)) for name, score in named.items()), "; ".join(words),
    )  # fmt: skip
    yield FromTo(
        "Classes", ("class", "precision", "recall", "F1", "IoU", "reference px", "map px"),
        tuple(
            (one.name, f"{one.precision:.4f}", f"{one.recall:.4f}", f"{one.f1:.4f}", f"{one.iou:.4f}",
             f"{one.pixels:,}", f"{one.map_pixels:,}")
            for one in report.class_scores
        ), "",
    )  # fmt: skip
    yield FromTo(
        "Pixels: rows the reference, columns the map",
        ("reference", *report.classes),
        tuple(
            (name, *(f"{pixels:,}" for pixels in row))
            for name, row in zip(report.classes, report.confusion, strict=True)
        ),
        "",
    )
