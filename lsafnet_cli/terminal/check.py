"""How a check of a pair is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from lsafnet_cli.errors import printable
from lsafnet_cli.terminal.console import show_json
from lsafnet_cli.terminal.flags import in_flags
from lsafnet_cli.terminal.room import print_table, say

if TYPE_CHECKING:
    from lsafnet_cli.prediction.check import PairCheck
    from lsafnet_cli.prediction.facts import CommonFacts, SceneFacts
    from lsafnet_cli.scenes.registration import Registration


def show_check(found: PairCheck, as_json: bool) -> None:
    """Print what a check found: both images side by side, the ground they share, the verdict; or JSON."""
    if as_json:
        show_json(found.as_dict())
        return
    print_table(_scene_table(found))
    if found.common is not None:
        say(printable(f"shared: {_common_words(found.common)}"))
    if found.registration is not None and found.registration.distance_px is not None:
        say(printable(f"shift: {_shift_words(found.registration)}"))
    for finding in found.findings:
        say(printable(in_flags(f"{finding.level}: {finding.text}")))
    say(printable(f"the pair {found.verdict}"))


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
        "taken on": [_date_words(scene) for scene in scenes],
    }
    for name, cells in rows.items():
        shown.add_row(name, *map(Text, cells))
    return shown


def _date_words(scene: SceneFacts) -> str:
    return f"{scene.acquired} ({scene.acquired_by})" if scene.acquired else "-"


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
