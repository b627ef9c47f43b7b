"""How a diagnosis is shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json
from lsafnet_cli.terminal.flags import in_flags
from lsafnet_cli.terminal.room import in_lines, print_table, say

if TYPE_CHECKING:
    from lsafnet_cli.doctor.device_facts import DeviceFacts
    from lsafnet_cli.doctor.diagnosis import Diagnosis


def show_diagnosis(found: Diagnosis, as_json: bool) -> None:
    """Print what a machine can do and what is wrong with it; or JSON."""
    if as_json:
        show_json(found.as_dict())
        return
    console = Console(soft_wrap=True)
    for name, words in _lines(found).items():
        say(f"{name}: {printable(words)}")
    print_table(_device_table(found.devices))
    for problem in found.problems:
        text = in_lines(f"problem: {printable(in_flags(problem.text))}", sys.stdout)
        console.print(Text(text, style="bold red"))
    if not found.problems:
        console.print(Text("nothing is wrong", style="green"))


def _lines(found: Diagnosis) -> dict[str, str]:
    drivers = {**found.raster_drivers, **found.vector_drivers}
    missing = [name for name, there in drivers.items() if not there]
    lines = {
        "lsafnet": f"{found.versions['lsafnet']}, python {found.system['python']}, {found.system['system']}",
        "packages": _versions({name: text for name, text in found.versions.items() if name != "lsafnet"}),
        "extras": _versions(found.extras),
        "libraries": _versions(dict(found.libraries)),
        "drivers": ", ".join(name for name, there in drivers.items() if there),
        "drivers that are missing": ", ".join(missing) or "-",
        "variables": ", ".join(f"{name}={text}" for name, text in found.environment.items()) or "-",
        "memory": ", ".join(f"{count / 1e9:.1f} GB {name}" for name, count in found.memory_bytes.items())
        or "?",
        "free disk": ", ".join(
            f"{count / 1e9:.1f} GB in {folder}" for folder, count in found.free_disk_bytes.items()
        ),
        "cuda": found.cuda,
    }
    if found.checkpoint is not None:
        known = found.checkpoint
        lines["checkpoint"] = (
            f"{known['path']}, {known['network']}, tile {known['tile_px']} px, sha256 {known['sha256'][:12]}"
        )
        lines["trained on"] = known["trained_on"]
    return lines


def _versions(versions: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {text or 'not installed'}" for name, text in versions.items())


def _device_table(devices: tuple[DeviceFacts, ...]) -> Table:
    shown = Table("device", "model", "precision", title="Devices", title_justify="left")
    for heading in ("threads", "memory GB", "free GB", "Mpx/s"):
        shown.add_column(heading, justify="right")
    for one in devices:
        sizes = (
            "-" if count is None else f"{count / 1e9:.1f}" for count in (one.memory_bytes, one.free_bytes)
        )
        rate = "-" if one.megapixels_per_second is None else f"{one.megapixels_per_second:.3g}"
        threads = "-" if one.threads is None else str(one.threads)
        shown.add_row(one.name, printable(one.model), one.precision, threads, *sizes, rate)
    return shown
