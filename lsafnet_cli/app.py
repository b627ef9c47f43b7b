"""The command line: sub-commands, and one place that turns errors into one line and an exit code."""

import os
import sys
import threading
from contextlib import suppress
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException
from typer.main import get_command

from lsafnet_cli.commands.assess import assess
from lsafnet_cli.commands.batch import batch
from lsafnet_cli.commands.check import check
from lsafnet_cli.commands.checkpoint import app as checkpoint_app
from lsafnet_cli.commands.dataset import app as dataset_app
from lsafnet_cli.commands.decide import decide
from lsafnet_cli.commands.demo import demo
from lsafnet_cli.commands.doctor import doctor
from lsafnet_cli.commands.evaluate import evaluate
from lsafnet_cli.commands.predict import predict
from lsafnet_cli.commands.report import report
from lsafnet_cli.commands.review import review
from lsafnet_cli.commands.sample import sample
from lsafnet_cli.commands.series import series
from lsafnet_cli.commands.show import show
from lsafnet_cli.commands.summarize import summarize
from lsafnet_cli.commands.train import train
from lsafnet_cli.commands.vectorize import vectorize
from lsafnet_cli.errors import INTERRUPTED_EXIT_CODE, InputError, LsafnetError, OptionError
from lsafnet_cli.observer import LOG
from lsafnet_cli.system.beside import anything_at_work, do_what_was_put_off
from lsafnet_cli.terminal.hints import read_letter_by_letter, usage_text
from lsafnet_cli.terminal.room import is_narrow, shorten_help
from lsafnet_cli.terminal.streams import (
    ended_as_by_ctrl_c,
    open_closed_streams,
    write_any_text,
    written_results,
)
from lsafnet_cli.terminal.waiting import waiting

PROGRAM = "lsafnet"
NO_ARGUMENTS = "NoArgsIsHelpError"  # of Typer, which keeps it to itself and so knows it by its name too
INTERRUPTED = "interrupted; the same command resumes"
NARROW = is_narrow(sys.stdout)
BROKEN_PROJ = "PROJ finds no database of its version; unset PROJ_DATA and PROJ_LIB, then see lsafnet doctor"

if NARROW:
    shorten_help()
app = typer.Typer(
    name=PROGRAM,
    help="What changed between two georeferenced images, from what to what, and where exactly.",
    no_args_is_help=True,
    rich_markup_mode=None if NARROW else "rich",  # boxes would cut words
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(predict)
app.command()(batch)
app.command()(series)
app.command()(check)
app.command()(summarize)
app.command()(sample)
app.command()(assess)
app.command()(review)
app.command()(evaluate)
app.command()(vectorize)
app.command()(decide)
app.command()(train)
app.add_typer(dataset_app, name="dataset")
app.command()(report)
app.command()(show)
app.command()(demo)
app.command()(doctor)
app.add_typer(checkpoint_app, name="checkpoint")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # here, so that --help does not wait for it

        print(f"lsafnet {version('lsafnet')}")
        raise typer.Exit


@app.callback()
def _lsafnet(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What changed between two georeferenced images, from what to what, and where exactly."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code. A traceback means a bug."""
    os.environ.setdefault("CPL_LOG", os.devnull)  # GDAL's own messages arrive in errors, as one line
    words = sys.argv[1:] if arguments is None else arguments
    open_closed_streams()
    write_any_text()
    try:
        with ended_as_by_ctrl_c(), written_results(), waiting():
            # not app(), which replaces the hooks of files/gdal_errors.py by its own
            code = get_command(app)(arguments, prog_name=PROGRAM, standalone_mode=False)
    except LsafnetError as error:
        LOG.debug("", exc_info=True)  # shown with -vv
        misread = read_letter_by_letter(words) if isinstance(error, OptionError) else ""
        code = _fail("; ".join(filter(None, (str(error), misread))), error.exit_code)
    except TyperException as error:
        code = _fail_usage(error, words)
    except (KeyboardInterrupt, Abort):
        code = INTERRUPTED_EXIT_CODE
    except Exception as error:
        if "proj.db" not in str(error):
            raise
        code = _fail(BROKEN_PROJ, InputError.exit_code)
    code = code if isinstance(code, int) else 0
    if code == INTERRUPTED_EXIT_CODE:
        _leave_at_once(_fail(INTERRUPTED, code))
    if anything_at_work():
        _leave_at_once(code)
    sys.exit(code)


def _leave_at_once(code: int) -> None:
    """Exit without waiting for threads that are still running C code, if there are any."""
    if threading.active_count() > 1:
        do_what_was_put_off()
        with suppress(OSError, AttributeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _fail_usage(error: TyperException, words: list[str]) -> int:
    if type(error).__name__ == NO_ARGUMENTS:  # the program, or a group of commands, has shown its help
        return 0
    return _fail(usage_text(error, words, PROGRAM), error.exit_code)


def _fail(text: str, code: int) -> int:
    from lsafnet_cli.terminal.console import show_error

    with suppress(OSError):  # nobody listens
        show_error(text)
    return code


if __name__ == "__main__":
    main()
