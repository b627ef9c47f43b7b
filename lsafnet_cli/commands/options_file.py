"""`--options FILE`: the options of another run, from its report, its map, or a file that somebody wrote."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument

from lsafnet_cli.commands.options import OUTPUT
from lsafnet_cli.errors import InputError, OptionError, one_line, reason_of

MAP_ENDINGS = (".tif", ".tiff")
# what a run finds, and no option asks for
FOUND = frozenset({"bands_after", "shift_px", "dated_by", "scales"})
AS_TYPED = {  # what maps and reports call options otherwise than the command line
    "tile_px": "tile", "overlap_px": "overlap", "sieve_px": "sieve", "resolution_m": "resolution",
    "cloud_masks": "cloud_mask", "compile": "compiled",
}  # fmt: skip
NOT_OF_A_FILE = frozenset(
    {"output", "overwrite", "resume", "options_file", "as_json", "quiet", "verbose", "progress", "collect"}
)


def read_options_file(context: typer.Context, file: Path | None) -> Path | None:
    """Let the options of a file be the defaults of a command. Raises InputError and OptionError."""
    if file is not None:
        context.default_map = _defaults(file, _options_in(file), context.command)
    return file


def _options_in(file: Path) -> dict[str, Any]:
    """Return the options that a map's tags, a report or a file of options hold."""
    if file.suffix.lower() in MAP_ENDINGS:
        values: Any = _tags_of(file)
    else:
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({reason_of(error)})") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: is no JSON ({one_line(error)})") from error
    try:
        if isinstance(tag := values.get("LSAFNET_OPTIONS"), str):
            return dict(json.loads(tag))
        return dict(values.get("options", values))
    except (AttributeError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: holds no options by name") from error


def _tags_of(file: Path) -> dict[str, str]:
    from lsafnet_cli.files.provenance import OPTIONS
    from lsafnet_cli.files.rasters import open_raster

    with open_raster(file) as dataset:
        tags: dict[str, str] = dataset.tags()
    if OPTIONS not in tags:
        raise InputError(f"{file}: is no change map of lsafnet (its tags name no options)")
    return tags


def _defaults(file: Path, options: dict[str, Any], command: Any) -> dict[str, Any]:
    """Return values by the names that the command's function has for them."""
    known = {
        one.name: one
        for one in command.params
        if not isinstance(one, TyperArgument) and one.name not in NOT_OF_A_FILE
    }
    defaults: dict[str, Any] = {}
    for written, value in _as_asked(options).items():
        name = AS_TYPED.get(written, written.replace("-", "_"))
        if name not in known:
            raise OptionError(f"--options {file}: {command.name} has no option for {written!r}")
        if value is not None:
            defaults[name] = _typed(file, written, value, known[name].multiple or known[name].nargs > 1)
    return defaults


def _as_asked(options: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for in place of what a run made of it: the rule of a stretch, the names of bands."""
    asked = {name: value for name, value in options.items() if name not in FOUND}
    if isinstance(asked.get("stretch"), dict):  # the limits of each band
        del asked["stretch"]
    if "bands_after" in options and options["bands_after"] != options.get("bands"):
        asked.pop("bands", None)  # each image has its own
    for rule, name in (("stretch_rule", "stretch"), ("bands_asked", "bands")):
        if rule in asked:
            asked[name] = asked.pop(rule)
    return asked


def _typed(file: Path, name: str, value: Any, several: bool) -> Any:
    """Return a value as typed: one text with commas, or a list for what is repeated or takes `several` values."""
    if isinstance(value, list):
        texts = [_text(file, name, one) for one in value]
        return texts if several else ",".join(texts)
    text = value if isinstance(value, bool) else _text(file, name, value)
    return [text] if several else text


def _text(file: Path, name: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise OptionError(f"--options {file}: {name!r} has a value that no option takes")
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


OptionsFileOpt = Annotated[
    Path | None,
    typer.Option(
        "--options",
        metavar="FILE", readable=False, is_eager=True, callback=read_options_file, rich_help_panel=OUTPUT,
        help="Use the options of another run, from its map or from JSON: what --json printed, or options by "
        "name. Options on the command line take precedence.",
    ),
]  # fmt: skip
