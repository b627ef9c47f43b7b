"""Options and commands of other programs lead to what exists here, in one line; the program alone shows its help."""

import subprocess
import sys

import pytest
from typer.main import get_command

from lsafnet_cli.app import app, main
from lsafnet_cli.terminal.hints import COMMANDS, MEANINGS

HEAVY = ("torch", "rasterio", "numpy", "pandas", "importlib.metadata")


def said(capsys, words):
    """Return the exit code of a command line and its one line on stderr."""
    with pytest.raises(SystemExit) as left:
        main(words.split())
    shown = capsys.readouterr().err
    assert shown.count("\n") <= 1, shown
    return left.value.code, shown


@pytest.mark.parametrize(
    ("words", "option", "hint", "command"),
    [
        ("predict a b -o c.tif --threads 4", "--threads", "--readers sets", "predict"),
        ("predict a b -o c.tif --gpu", "--gpu", "--device chooses", "predict"),
        ("batch a b -o c --gpu 1", "--gpu", "--devices chooses", "batch"),
        ("batch a b -o c --num_workers=4", "--num_workers", "--devices starts one worker", "batch"),
        ("train data -o run --num-workers 4", "--num-workers", "--workers sets", "train"),
        ("predict a b -o c.tif --batch 4", "--batch", "--batch-size sets", "predict"),
        ("predict a b -o c.tif --output-format GPKG", "--output-format", "--polygons writes", "predict"),
        ("vectorize a.tif -o b.gpkg --format GPKG", "--format", "--output names the file, whose ending", "vectorize"),
        ("summarize a.tif --output-format csv", "--output-format", "--format chooses", "summarize"),
        ("vectorize a.tif -o b.gpkg -t_srs EPSG:4326", "-t_srs", "ogr2ogr -t_srs", "vectorize"),
        ("decide a.tif -o b.tif --nodata 0", "--nodata", "--nodata of predict", "decide"),
        ("vectorize a.tif -o b.gpkg -co TILED=YES", "-co", "cloud-optimised GeoTIFFs", "vectorize"),
        ("vectorize a.tif -o b.gpkg --tta", "--tta", "--tta is an option of predict, batch", "vectorize"),
        ("predict --input a.tif", "--input", "without an option: lsafnet predict BEFORE AFTER", "predict"),
    ],
)  # fmt: skip
def test_an_option_of_another_program_leads_to_what_the_command_has(capsys, words, option, hint, command):
    code, line = said(capsys, words)
    assert code == 2
    assert line.startswith(f"lsafnet: No such option: {option}; ")
    assert hint in line
    assert line.endswith(f"; see lsafnet {command} --help\n")


def test_an_option_before_the_command_is_said_to_belong_to_commands(capsys):
    assert "--device is an option of predict, " in said(capsys, "--device cuda predict")[1]


def test_an_option_that_is_merely_misspelt_keeps_the_program_s_own_suggestions(capsys):
    assert "(Possible options: --nodata" in said(capsys, "predict a b -o c.tif --nodatta 3")[1]


def test_an_option_with_one_dash_whose_letters_were_read_singly_is_explained(capsys):
    code, line = said(capsys, "predict a.tif b.tif -o c.tif -overwrite")
    assert (code, "-overwrite is read as -o verwrite" in line) == (2, True)
    assert "--polygons writes polygons in the format" in said(capsys, "predict a b -of GPKG -o c.tif")[1]


@pytest.mark.parametrize(("typed", "meant"), [("infer", "predict"), ("polygonize", "vectorize")])
def test_a_command_of_another_program_leads_to_one_here(capsys, typed, meant):
    code, line = said(capsys, f"{typed} a.tif b.tif")
    assert (code, f"'{typed}'; lsafnet {meant} may be what you mean; " in line) == (2, True)


def test_what_hints_name_exists_and_no_word_means_two_things():
    commands = get_command(app).commands
    assert set(COMMANDS) <= set(commands)
    assert not set(commands) & {word for words in COMMANDS.values() for word in words.split()} - {
        "checkpoint"
    }
    words = [word for meaning in MEANINGS for word in meaning.words.split()]
    assert len(set(words)) == len(words)
    known = {flag for command in commands.values() for one in command.params for flag in one.opts}
    assert {flag for meaning in MEANINGS for flag, _ in meaning.options} <= known


@pytest.mark.parametrize("words", ["", "checkpoint", "dataset"])
def test_the_program_and_its_groups_alone_show_their_help_and_succeed(capsys, words):
    with pytest.raises(SystemExit) as left:
        main(words.split())
    shown = capsys.readouterr()
    assert (left.value.code, shown.err) == (0, "")
    assert "Usage: lsafnet" in shown.out


def test_help_imports_nothing_that_takes_its_time():
    script = (
        "import sys; from lsafnet_cli.app import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        f"print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "LOADED"
