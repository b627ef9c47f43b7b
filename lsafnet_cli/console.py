"""All that a person sees: tables on stdout; progress, notices and errors on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from tqdm import tqdm

from lsafnet_cli.errors import printable

if TYPE_CHECKING:  # or an error's one line would wait for all that could ever be shown
    from lsafnet.checkpoint_info import BandStatistics
    from lsafnet_cli.batch.driver import BatchObserver, BatchReport
    from lsafnet_cli.batch.pairing import Pairing
    from lsafnet_cli.batch.plan import BatchPlan
    from lsafnet_cli.batch.records import SceneRecord
    from lsafnet_cli.check import CommonFacts, PairCheck, SceneFacts
    from lsafnet_cli.checkpoint_facts import CheckpointFacts
    from lsafnet_cli.data_sets.check import DataSetFacts
    from lsafnet_cli.evaluation_report import Evaluation
    from lsafnet_cli.importing import ImportReport
    from lsafnet_cli.report_page.page import PageReport
    from lsafnet_cli.stages.registration import Registration
    from lsafnet_cli.stages.report import ChangeTable, RunReport
    from lsafnet_cli.stages.summarize import MapSummary
    from lsafnet_cli.summary_formats import FromTo
    from lsafnet_cli.training.run import TrainingReport
    from lsafnet_cli.training.watching import EpochRow, TrainingObserver
    from lsafnet_cli.types import Observer
    from lsafnet_cli.vectorization import PolygonReport

BAR_FORMAT = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} px  {rate_fmt}  {remaining} left"


class TerminalObserver:
    """Shows notices and a progress bar with pixels per second and time left, on stderr."""

    def __init__(self) -> None:
        self._bar: Any = None

    def notice(self, text: str) -> None:
        """Print one line, above the bar where there is one."""
        tqdm.write(f"note: {printable(text)}", file=sys.stderr)

    def start(self, stage: str, total_px: int) -> None:
        """Begin a bar."""
        self._bar = tqdm(
            desc=stage,
            total=total_px,
            unit="px",
            unit_scale=True,
            disable=None,  # shown only where stderr is a terminal
            file=sys.stderr,
            bar_format=BAR_FORMAT,
        )

    def advance(self, pixels: int) -> None:
        """Move the bar on."""
        self._bar.update(pixels)

    def finish(self) -> None:
        """End the bar."""
        self._bar.close()


def make_observer(quiet: bool) -> Observer:
    """Return an observer that shows notices and progress, or nothing."""
    from lsafnet_cli.types import SilentObserver

    return SilentObserver() if quiet else TerminalObserver()


class TerminalBatchObserver:
    """Shows a bar over all scenes, and under it what each worker is at, on stderr; without a terminal, lines."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._bars: dict[int, Any] = {}  # the overall one is number 0
        self._told: dict[str, int] = {}
        self._scenes = self._ended = self._failed = 0

    def notice(self, text: str) -> None:
        """Print one line, above the bars where there are any."""
        tqdm.write(f"note: {text}", file=sys.stderr)

    def scene_notice(self, name: str, text: str) -> None:
        """Print one line about a scene, if wished."""
        if self._verbose:
            self.notice(f"{name}: {text}")

    def begin(self, scenes: int, pixels: int) -> None:
        """Begin the overall bar."""
        self._scenes = scenes
        self._bars[0] = self._bar(0, f"0/{scenes} scenes", pixels)

    def advance(self, worker: int, name: str, pixels: int) -> None:
        """Move the overall bar on and say what a worker is at."""
        self._told[name] = self._told.get(name, 0) + pixels
        self._bars[0].update(pixels)
        if worker not in self._bars:
            self._bars[worker] = self._bar(worker, "", None)
        self._bars[worker].set_description_str(f"worker {worker}: {name}, {self._told[name]:,} px")

    def scene_ended(self, record: SceneRecord, pixels: int) -> None:
        """Count a scene; name it where it failed."""
        self._ended += 1
        self._bars[0].update(max(0, pixels - self._told.pop(record.name, 0)))
        failed = record.status == "failed"
        self._failed += failed
        self._bars[0].set_description_str(
            f"{self._ended}/{self._scenes} scenes" + (f", {self._failed} failed" if self._failed else "")
        )
        if failed:
            self.notice(f"{record.name} failed: {record.error}")
        elif self._verbose:
            self.notice(f"{record.name} is done ({record.seconds} s)")

    def finish(self) -> None:
        """End the bars."""
        for bar in self._bars.values():
            bar.close()

    @staticmethod
    def _bar(position: int, text: str, total: int | None) -> Any:
        form = BAR_FORMAT if total is not None else "{desc}"
        return tqdm(desc=text, total=total, unit="px", unit_scale=True, disable=None, file=sys.stderr,
                    bar_format=form, position=position, leave=position == 0)  # fmt: skip


def make_batch_observer(quiet: bool, verbose: bool) -> BatchObserver:
    """Return an observer that shows notices and progress, or nothing."""
    from lsafnet_cli.batch.driver import SilentBatchObserver

    return SilentBatchObserver() if quiet else TerminalBatchObserver(verbose)


def show_batch(report: BatchReport, as_json: bool) -> None:
    """Print how a batch ended, the failures in a table; or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    console = Console(soft_wrap=True)
    if report.failures:
        shown = Table(
            "scene", "exit code", Column("why", overflow="fold"), title="Failed", title_justify="left"
        )
        for record in report.failures:
            shown.add_row(Text(record.name), str(record.exit_code), Text(record.error))
        console.print(shown)
    console.print(Text(_batch_words(report)))
    for name, path in report.outputs.items():
        console.print(Text(f"{name}: {path}"))


def _batch_words(report: BatchReport) -> str:
    from lsafnet_cli.batch.records import counts

    found = counts(report.records)
    words = [f"{count:,} {status}" for status, count in found.items() if count or status == "done"]
    changed = sum(record.changed_ha or 0.0 for record in report.records)
    return (
        f"{len(report.records):,} scenes: {', '.join(words)} ({report.done_now:,} in this run, "
        f"{report.seconds:,.1f} s); changed: {changed:,.2f} ha"
    )


def show_batch_plan(plan: BatchPlan, found: Pairing, seconds: float, as_json: bool) -> None:
    """Print what a batch would do: every scene, what was left out, how long it may take; or JSON."""
    if as_json:
        left_out = {"unpaired": found.unpaired, "doubled": found.doubled}
        show_json({**plan.as_dict(), **left_out, "estimated_seconds": round(seconds, 1)})
        return
    console = Console(soft_wrap=True)
    shown = Table("scene", "before", "after", "pixels", "MB", Column("to do", overflow="fold"))
    for scene in plan.scenes:
        spec, size = scene.spec, scene.size
        pixels = f"{size.width:,} x {size.height:,}" if size.pixels else "cannot be read"
        cells = (spec.name, spec.before, spec.after, pixels, f"{size.file_bytes / 1e6:,.1f}")
        shown.add_row(*map(Text, (*cells, ", ".join(scene.reasons) or "nothing: done")))
    console.print(shown)
    for text in (
        *(f"no partner: {path}" for path in found.unpaired),
        *(f"doubled: {d}" for d in found.doubled),
    ):
        console.print(Text(text))
    console.print(Text(
        f"{len(plan.todo):,} of {len(plan.scenes):,} scenes to do, {plan.pixels / 1e6:,.1f} Mpx, "
        f"about {seconds:,.0f} s on this machine"
    ))  # fmt: skip


def show_error(text: str) -> None:
    """Print one line on stderr."""
    print(f"lsafnet: {printable(text)}", file=sys.stderr)


def show_json(values: dict[str, Any]) -> None:
    """Print a result for another program."""
    print(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))


def show_report(report: RunReport, as_json: bool, verbose: bool = False) -> None:
    """Print what a run found: a table for a person, or JSON."""
    if as_json:
        show_json(report.as_dict())
        return
    console = Console(soft_wrap=True)
    console.print(transition_table(report.table))
    console.print(_summary(report.table), highlight=False)
    for name, path in report.outputs.items():
        console.print(Text(f"{name}: {printable(path)}"))
    if verbose:
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items())
        print(f"note: {stages} on {report.device}", file=sys.stderr)


def show_check(found: PairCheck, as_json: bool) -> None:
    """Print what a check found: both images side by side, the ground they share, the verdict; or JSON."""
    if as_json:
        show_json(found.as_dict())
        return
    console = Console(soft_wrap=True)
    console.print(_scene_table(found))
    if found.common is not None:
        console.print(Text(f"shared: {_common_words(found.common)}"))
    if found.registration is not None and found.registration.distance_px is not None:
        console.print(Text(f"shift: {_shift_words(found.registration)}"))
    for finding in found.findings:
        console.print(Text(f"{finding.level}: {finding.text}"))
    console.print(Text(f"the pair {found.verdict}"))


def _scene_table(found: PairCheck) -> Table:
    shown = Table("", Column("before", overflow="fold"), Column("after", overflow="fold"))
    scenes = (found.before, found.after)
    rows = {
        "file": [Path(scene.path).name for scene in scenes],
        "CRS": [scene.crs or "none" for scene in scenes],
        "placed by": [scene.placed_by for scene in scenes],
        "pixels": [f"{scene.width:,} x {scene.height:,}" for scene in scenes],
        "pixel size": [f"{scene.pixel_size_m:.4g} m" if scene.pixel_size_m else "-" for scene in scenes],
        "bands": [", ".join(scene.bands) for scene in scenes],
        "numbers": [scene.dtype for scene in scenes],
        "nodata from": [scene.nodata for scene in scenes],
        "without data": [f"{scene.nodata_share:.1%}" for scene in scenes],
        "stretched from": [_stretch_words(scene) for scene in scenes],
        "taken on": [scene.acquired or "-" for scene in scenes],
    }
    for name, cells in rows.items():
        shown.add_row(name, *map(Text, cells))
    return shown


def _stretch_words(scene: SceneFacts) -> str:
    return ", ".join(f"{low:.6g}..{high:.6g}" for low, high in scene.stretch or ()) or "as they are"


def _common_words(common: CommonFacts) -> str:
    size = f" of {common.pixel_size_m:.4g} m" if common.pixel_size_m else ""
    ground = f", {common.area_ha:,.2f} ha" if common.area_ha is not None else ""
    offset = "" if common.offset_px is None else f"; offset in the after image {common.offset_px} (row, col)"
    return (
        f"{common.width:,} x {common.height:,} pixels{size}{ground}: {common.share_of_before:.1%} of before, "
        f"{common.share_of_after:.1%} of after; {common.nodata_share:.1%} without data in one or both{offset}"
    )


def _shift_words(found: Registration) -> str:
    return (
        f"{found.rows_px:+.2f} rows, {found.cols_px:+.2f} cols between the dates, spread {found.spread_px:.2f} px "
        f"({found.windows} of {found.tried} windows)"
    )


def show_polygon_report(report: PolygonReport, as_json: bool) -> None:
    """Print how many polygons were written, and where."""
    if as_json:
        show_json(report.as_dict())
        return
    print(f"{report.polygon_count:,} polygons of {report.map}")
    for path in report.outputs:
        print(f"polygons: {path}")


def show_page(report: PageReport, as_json: bool) -> None:
    """Print what is on a page, and where it was written."""
    if as_json:
        show_json(report.as_dict())
        return
    print(_summary(report.table))
    rows, cols = report.picture_shape
    size = f"{report.size_bytes / 1e6:.1f} MB, all of the map in {cols:,} x {rows:,} pixels"
    print(f"page: {printable(report.path)} ({size})")


def show_import(report: ImportReport, as_json: bool) -> None:
    """Print what an import made."""
    if as_json:
        show_json(asdict(report))
        return
    print(f"network: {report.network} ({report.reason})")
    print(f"classes: {printable(', '.join(report.classes))}")
    print(f"checkpoint: {printable(report.output)}")


def show_checkpoint(facts: CheckpointFacts, as_json: bool) -> None:
    """Print what a checkpoint holds, its classes in their colours."""
    if as_json:
        show_json(facts.as_dict())
        return
    info, console = facts.info, Console(soft_wrap=True)
    options = ", ".join(f"{name} {value}" for name, value in info.options.items())
    rows = {
        "file": f"{facts.path}, {facts.size_bytes / 1e6:.1f} MB",
        "sha256": facts.sha256,
        "network": f"{info.network}{f' ({options})' if options else ''}, {facts.parameters / 1e6:.3f} M parameters",
        "paper": facts.spec.paper if facts.spec else "this version does not know the network",
        "trained on": info.trained_on,
        "bands": f"{info.bands}, values {info.value_range[0]:g}..{info.value_range[1]:g}",
        "before": _statistics_words(info.normalization.before),
        "after": _statistics_words(info.normalization.after),
        "tile": f"{info.tile_px} px",
        "pixel size": f"{info.gsd_m:g} m" if info.gsd_m else "any",
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in info.metrics.items()) or "-",
        "licence": info.license,
    }
    for name, words in rows.items():
        console.print(Text(f"{name}: {printable(words)}"))
    for entry in info.classes:
        console.print(
            Text("class: "),
            Text("██", style=entry.color),
            Text(f" {entry.color} {printable(entry.name)}"),
            sep="",
        )


def _statistics_words(statistics: BandStatistics) -> str:
    pairs = zip(statistics.mean, statistics.std, strict=True)
    return "mean and std " + ", ".join(f"{mean:g} and {std:g}" for mean, std in pairs)


def show_networks(networks: list[dict[str, Any]], as_json: bool) -> None:
    """Print the networks there are, then the papers they are from."""
    if as_json:
        show_json({"networks": networks})
        return
    papers = list(dict.fromkeys(network["paper"] for network in networks))
    shown = Table("network", "maps", title="Networks", title_justify="left")
    for heading in ("M parameters", "GFLOP per 512 pair", "paper"):
        shown.add_column(heading, justify="right")
    shown.add_column("published mIoU, OA, SeK, F_scd (%)")
    for network in networks:
        scores = [
            f"{name} {', '.join(f'{value:.2f}' for value in values.values())}"
            for name, values in network["published"].items()
        ]
        shown.add_row(
            network["name"],
            "from-to" if network["land_cover"] else "change",
            _number_words(network["parameters_millions"], 3),
            _number_words(network["gflop_per_512_pair"], 1),
            f"[{papers.index(network['paper']) + 1}]",
            "; ".join(scores) or "-",
        )
    console = Console(soft_wrap=True)
    console.print(shown)
    for number, paper in enumerate(papers, 1):
        console.print(Text(f"[{number}] {paper}"))


def _number_words(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def transition_table(table: ChangeTable) -> Table:
    """Return the transitions of a map, largest first."""
    shown = Table("from", "to", title="What changed", title_justify="left")
    for heading in ("pixels", "ha", "share"):
        shown.add_column(heading, justify="right")
    for row in table.transitions:
        area = f"{row.area_ha:,.2f}" if row.area_ha is not None else "-"
        names = (row.from_class or "-", row.to_class or row.name)
        shown.add_row(*map(Text, names), f"{row.pixels:,}", area, f"{row.share:.2%}")
    return shown


def _summary(table: ChangeTable) -> str:
    changed = f"changed: {table.changed_pixels:,} of {table.valid_pixels:,} pixels with data"
    if table.changed_ha is not None:
        changed += f", {table.changed_ha:,.2f} of {table.valid_ha:,.2f} ha"
    return f"{changed}; {table.nodata_pixels:,} pixels without data"


def show_summary(summary: MapSummary, form: str) -> None:
    """Print the numbers of a map: "table", "csv", "json" or "markdown"."""
    from lsafnet_cli.summary_formats import csv_text, from_to_table, markdown_text

    if form == "json":
        show_json(summary.as_dict())
    elif form == "table":
        console = Console(soft_wrap=True)
        for part in map(from_to_table, summary.parts):
            shown = [_rich_table(part)] if part.rows else [Text(part.title)]
            console.print(*shown, Text(part.note), "", sep="\n")
    else:
        print(csv_text(summary) if form == "csv" else markdown_text(summary), end="")


def show_evaluation(report: Evaluation, as_json: bool) -> None:
    """Print scores: tables for a person, or JSON."""
    from lsafnet_cli.evaluation_tables import evaluation_tables

    if as_json:
        show_json(report.as_dict())
        return
    console = Console(soft_wrap=True)
    for part in evaluation_tables(report):
        console.print(
            _rich_table(part, whole_names=True), Text(f"{part.note}\n" if part.note else ""), sep="\n"
        )


def _rich_table(part: FromTo, whole_names: bool = False) -> Table:
    shown = Table(title=Text(printable(part.title)), title_justify="left")
    for index, heading in enumerate(part.headings):
        name = index == 0
        shown.add_column(Text(heading), justify="left" if name else "right", no_wrap=name and whole_names)
    for row in part.rows:
        shown.add_row(*map(Text, row))
    return shown


class TerminalTrainingObserver:
    """Shows a bar of steps with time left, and a line for each epoch, on stderr."""

    def __init__(self) -> None:
        self._bar: Any = None

    def notice(self, text: str) -> None:
        """Print one line, above the bar where there is one."""
        tqdm.write(f"note: {printable(text)}", file=sys.stderr)

    def begin(self, steps: int, done: int) -> None:
        """Begin the bar."""
        self._bar = tqdm(total=steps, initial=done, unit="step", disable=None, file=sys.stderr)

    def stepped(self, epoch: int, loss: float) -> None:
        """Move the bar on."""
        self._bar.set_description_str(f"epoch {epoch}, loss {loss:.3f}", refresh=False)
        self._bar.update(1)

    def epoch_ended(self, row: EpochRow, best: bool) -> None:
        """Print the epoch's numbers."""
        scores = ", ".join(f"{name} {row.scores[name]:.3f}" for name in TRAINING_SCORES)
        tqdm.write(
            f"epoch {row.epoch}: loss {row.losses['total']:.3f}, {scores}{' (best)' if best else ''}, "
            f"{row.seconds:.0f} s, {row.waiting:.0%} of it waiting for examples",
            file=sys.stderr,
        )

    def finish(self) -> None:
        """End the bar."""
        self._bar.close()


TRAINING_SCORES = ("miou", "oa", "sek", "f_scd")


def make_training_observer(quiet: bool) -> TrainingObserver:
    """Return an observer of a training that shows its progress, or nothing."""
    from lsafnet_cli.training.watching import SilentTrainingObserver

    return SilentTrainingObserver() if quiet else TerminalTrainingObserver()


def show_training(report: TrainingReport, as_json: bool) -> None:
    """Print how a training ended."""
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    table = Table(
        "epoch", *TRAINING_SCORES, title=f"{report.network}, {report.steps:,} steps", title_justify="left"
    )
    for name, row in (("best", report.best), ("last", report.last)):
        table.add_row(f"{name}: {row.epoch}", *(f"{row.scores[score]:.4f}" for score in TRAINING_SCORES))
    Console().print(table)
    print(f"trained for {report.seconds:.0f} s, {report.waiting:.1%} of it waiting for examples")
    print(f"checkpoint: {printable(report.best_checkpoint)}")


def show_data_set(facts: DataSetFacts, as_json: bool) -> None:
    """Print what a data set holds."""
    if as_json:
        print(json.dumps(facts.to_dict(), indent=2, ensure_ascii=False))
        return
    content = facts.to_dict()
    print(f"{printable(facts.folder)}: layout {facts.layout}, labels of {content['labels_of']}")
    for name, split in content["splits"].items():
        changed = split["changed_share"]
        sizes = ", ".join(f"{count} of {size}" for size, count in split["sizes"].items())
        table = Table(
            "class", "before", "after", title=f"{name}: {split['items']} ({sizes})", title_justify="left"
        )
        for entry in facts.classes:
            shares = (split["class_shares"][date][entry] for date in ("before", "after"))
            table.add_row(printable(entry), *(f"{share:.2%}" for share in shares))
        Console().print(table)
        if changed is not None:
            print(f"changed: {changed:.2%} of {split['valid_pixels']:,} valid pixels")
        for pair, pixels in split["disagreeing"].items():
            print(f"labels disagree on what is unchanged: {printable(pair)}, {pixels:,} pixels")
        for line in split["unreadable"]:
            print(printable(line))
    for date, numbers in (content["normalization"] or {}).items():
        print(f"{date}: mean {_numbers(numbers['mean'])}, std {_numbers(numbers['std'])}")


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
