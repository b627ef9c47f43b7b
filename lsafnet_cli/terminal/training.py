"""How a training and its data sets are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json
from lsafnet_cli.terminal.room import print_table, say
from lsafnet_cli.training.watching import TRAINING_SCORES

if TYPE_CHECKING:
    from lsafnet_cli.data_sets.check import DataSetFacts
    from lsafnet_cli.training.report import TrainingReport


def show_training(report: TrainingReport, as_json: bool) -> None:
    """Print how a training ended."""
    if as_json:
        show_json(report.as_dict())
        return
    table = Table(
        "epoch", *TRAINING_SCORES, title=f"{report.network}, {report.steps:,} steps", title_justify="left"
    )
    rows = {} if report.start is None else {"start": report.start}
    rows |= {
        f"{name}: {row.epoch}": row.scores for name, row in (("best", report.best), ("last", report.last))
    }
    for name, scores in rows.items():
        table.add_row(name, *(f"{scores[score]:.4f}" for score in TRAINING_SCORES))
    print_table(table)
    say(f"trained for {report.seconds:.0f} s, {report.waiting:.1%} of it waiting for examples")
    print(f"checkpoint: {printable(report.best_checkpoint)}")


def show_data_set(facts: DataSetFacts, as_json: bool) -> None:
    """Print what a data set holds."""
    if as_json:
        show_json(facts.as_dict())
        return
    content = facts.as_dict()
    print(f"{printable(facts.folder)}: layout {facts.layout}, labels of {content['labels_of']}")
    for name, split in content["splits"].items():
        changed = split["changed_share"]
        sizes = ", ".join(f"{count} of {size}" for size, count in split["sizes"].items())
        table = Table(
            "class", "before", "after", title=f"{name}: {split['items']} ({sizes})", title_justify="left"
        )
        for entry in facts.meanings:
            shares = (split["class_shares"][date][entry] for date in ("before", "after"))
            table.add_row(printable(entry), *(f"{share:.2%}" for share in shares))
        print_table(table)
        if changed is not None:
            print(f"changed: {changed:.2%} of {split['valid_pixels']:,} valid pixels")
        for pair, pixels in split["disagreeing"].items():
            print(f"labels disagree on what is unchanged: {printable(pair)}, {pixels:,} pixels")
        for line in split["unreadable"]:
            print(printable(line))
    for line in facts.doubts:
        say(printable(line))
    for date, numbers in (content["normalization"] or {}).items():
        print(f"{date}: mean {_numbers(numbers['mean'])}, std {_numbers(numbers['std'])}")


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
