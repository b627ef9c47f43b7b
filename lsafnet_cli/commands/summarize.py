"""`lsafnet summarize`: the numbers of a change map."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsafnet_cli.commands.options import MapArg, PlotOpt

if TYPE_CHECKING:
    from lsafnet_cli.maps.summarize import MapSummary


class SummaryFormat(StrEnum):
    """How a summary is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


ZonesOpt = Annotated[
    str | None,
    typer.Option(
        help="Vector file of zones to summarize separately, in any CRS. A pixel belongs to the zone "
        "that contains its centre."
    ),
]
ZoneFieldOpt = Annotated[
    str | None,
    typer.Option(help="Field that names the zones. Default: the first text field, else the feature's id."),
]
ZoneLayerOpt = Annotated[str | None, typer.Option(help="Layer of the zones, if the file has several.")]
FormatOpt = Annotated[SummaryFormat, typer.Option("--format", help="Output format.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Same as --format json.")]
ZoneFileOpt = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="ZONES.gpkg",
        help="Also write the zones as a layer with columns for each transition, gain, loss and net "
        "change, styled by change.",
    ),
]  # fmt: skip
OverwriteOpt = Annotated[bool, typer.Option(help="Overwrite existing outputs.")]


def summarize(
    change_map: MapArg,
    zones: ZonesOpt = None,
    zone_field: ZoneFieldOpt = None,
    zone_layer: ZoneLayerOpt = None,
    form: FormatOpt = SummaryFormat.TABLE,
    as_json: JsonOpt = False,
    output: ZoneFileOpt = None,
    plot: PlotOpt = None,
    overwrite: OverwriteOpt = False,
) -> None:
    """Report the area of each transition in hectares and percent, gains and losses of classes, also by zone."""
    from lsafnet_cli.errors import OptionError

    if zones is None and (zone_field or zone_layer):
        raise OptionError("--zone-field and --zone-layer name a part of a file: give --zones too")
    if zones is None and output is not None:
        raise OptionError(f"--output {output}: writes the zones with their numbers; give --zones too")
    from lsafnet_cli.terminal.waiting import waiting

    with waiting("counting pixels"):
        summary = counted(change_map, zones, zone_field, zone_layer, output, plot, overwrite)
    from lsafnet_cli.terminal.numbers import show_summary

    show_summary(summary, SummaryFormat.JSON if as_json else form)


def counted(
    change_map: str, zones: str | None, zone_field: str | None, zone_layer: str | None,
    output: Path | None, plot: Path | None, overwrite: bool,
) -> "MapSummary":  # fmt: skip
    """Return the numbers of a map, and write the zones and the plot that are asked for."""
    from lsafnet_cli.maps.plots import check_plot, plot_summary
    from lsafnet_cli.maps.summarize import summarize_map
    from lsafnet_cli.maps.zone_file import check_zone_file, write_zone_file
    from lsafnet_cli.maps.zones import ZoneRequest

    if plot is not None:
        check_plot(plot, (change_map,), overwrite)
    request = ZoneRequest(zones, zone_field, zone_layer) if zones is not None else None
    if output is not None and zones is not None:
        check_zone_file(output, (change_map, zones), overwrite)
    summary = summarize_map(change_map, request)
    if output is not None and request is not None:
        write_zone_file(summary, request, output, overwrite)
    if plot is not None:
        plot_summary(summary, plot, overwrite)
    return summary
