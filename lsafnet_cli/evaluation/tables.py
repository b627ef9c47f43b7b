"""An evaluation as the cells of tables for people."""

from collections.abc import Iterator
from pathlib import Path

from lsafnet_cli.evaluation.report import ChangeScores, DataSetEvaluation, Evaluation, MapEvaluation, Score
from lsafnet_cli.maps.summary_formats import FromTo

MOST_ROWS = 40  # of a table; JSON has all
HEADLINE_NAMES = {"miou": "mIoU", "oa": "OA", "sek": "SeK", "f_scd": "F_scd"}


def evaluation_tables(report: Evaluation) -> Iterator[FromTo]:
    """Yield the main scores, the classes and the transitions; a column for each checkpoint."""
    yield _main_table(report)
    if isinstance(report, DataSetEvaluation) and len(report.checkpoints) > 1:
        yield _difference_table(report)
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
    text = f"{', '.join(words)}; boundaries within {scores.boundary.tolerance_px} px"
    if scores.miou.low is None:
        return text
    kind = "images" if scores.unit_px is None else f"squares of {scores.unit_px} px"
    return f"{text}; 95 % intervals from {report.resamples:,} resamples of {scores.units:,} {kind}"


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
    return f"{count - MOST_ROWS:,} more with --json" if count > MOST_ROWS else ""
