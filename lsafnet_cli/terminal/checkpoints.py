"""How checkpoints and networks are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json
from lsafnet_cli.terminal.room import print_table, say

if TYPE_CHECKING:
    from pathlib import Path

    from lsafnet.checkpoint.context import ChangeContext
    from lsafnet.checkpoint.decision import ChangeDecision
    from lsafnet.checkpoint.domain import Domain
    from lsafnet.checkpoint.info import BandStatistics
    from lsafnet_cli.checkpoints.facts import CheckpointFacts
    from lsafnet_cli.checkpoints.importing import ImportReport


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
        "enlarged to": f"{info.input_gsd_m:g} m" if info.input_gsd_m else "never",
        "scale bias": f"{info.scale_bias:+g} for each doubling" if info.scale_bias else "none",
        "domain": domain_words(info.domain),
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in info.metrics.items()) or "-",
        "context": _context_words(info.context),
        "decision": _decision_words(info.decision),
        "licence": info.license,
    }
    for name, words in rows.items():
        say(f"{name}: {printable(words)}")
    for entry in info.classes:
        console.print(
            Text("class: "),
            Text("██", style=entry.color),
            Text(f" {entry.color} {printable(entry.name)}"),
            sep="",
        )


def show_domain(domain: Domain, output: Path, as_json: bool) -> None:
    """Print the domain that has been written into a checkpoint."""
    if as_json:
        show_json({"checkpoint": str(output), "domain": asdict(domain)})
        return
    print(f"domain: {domain_words(domain)}")
    print(f"checkpoint: {printable(str(output))}")


def domain_words(domain: Domain | None) -> str:
    """Return a checkpoint's domain in one line."""
    if domain is None:
        return "not measured"
    sizes = "of unknown size" if domain.gsd_m is None else "of {:g} to {:g} m".format(*domain.gsd_m)
    bands = printable(", ".join(domain.bands)) or "not named"
    measured = domain.statistics
    statistics = "no statistics" if measured is None else f"statistics of {measured.images} training images"
    return f"pixels {sizes}; bands {bands}; {statistics}"


def _context_words(context: ChangeContext | None) -> str:
    if context is None:
        return "each pixel by itself"
    return f"surroundings count with weight {context.weight:g}, by a Gaussian of {context.sigma_px:g} px"


def _decision_words(decision: ChangeDecision) -> str:
    fitted = f"; fitted on {decision.fitted_on}" if decision.fitted_on else "; not calibrated"
    numbers = f"temperature {decision.temperature:.4g}, bias {decision.bias:.4g}"
    return f"changed above {decision.threshold:.4g}, {numbers}{fitted}"


def _statistics_words(statistics: BandStatistics) -> str:
    pairs = zip(statistics.mean, statistics.std, strict=True)
    return "mean and std " + ", ".join(f"{mean:g} and {std:g}" for mean, std in pairs)


def show_networks(networks: list[dict[str, Any]], as_json: bool) -> None:
    """Print the networks there are, then the papers they are from."""
    if as_json:
        show_json({"networks": networks})
        return
    papers = list(dict.fromkeys(network["paper"] for network in networks))
    shown = Table(title="Networks", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("network", no_wrap=True)
    for heading in ("M par.", "GFLOP", "paper"):
        shown.add_column(heading, justify="right")
    shown.add_column("mIoU, OA, SeK, F_scd in %", no_wrap=True)
    for network in networks:
        shown.add_row(
            network["name"],
            _number_words(network["parameters_millions"], 3),
            _number_words(network["gflop_per_512_pair"], 1),
            f"[{papers.index(network['paper']) + 1}]",
            "\n".join(map(_score_words, network["published"], network["published"].values())) or "-",
        )
    print_table(shown)
    for line in _network_notes(networks):
        say(line)
    for number, paper in enumerate(papers, 1):
        say(f"[{number}] {paper}")


def _score_words(data_set: str, scores: dict[str, float]) -> str:
    return f"{data_set} {' '.join(f'{value:.2f}' for value in scores.values())}"


def _network_notes(networks: list[dict[str, Any]]) -> Iterator[str]:
    yield "M par.: millions of parameters; GFLOP: of one pair of 512 x 512 pixels; scores: Tables I and II of [1]"
    for network in networks:
        if not network["land_cover"]:
            yield f"{network['name']}: change alone, no land cover"
        for alias in network["aliases"]:
            yield f"{alias}: another name of {network['name']}"
        if network["weights"]:
            yield f"{network['name']}: weights are published, {network['weights']}"


def _number_words(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
