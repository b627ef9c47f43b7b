"""QGIS's own Python, run without a screen; tests of styles and of the plugin share it."""

import os
import subprocess
from pathlib import Path

import pytest

QGIS_PYTHON = "/usr/bin/python3"  # for which Debian builds QGIS's bindings


def qgis_python(folder: Path, *words: object, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run QGIS's own Python without a screen, apart from this environment and from anybody's settings."""
    apart = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    home = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    command = [QGIS_PYTHON, *map(str, words)]
    return subprocess.run(command, env=apart | home, input=stdin, capture_output=True, text=True, check=False)


def qgis_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home for QGIS; skip the test, or fail it where QGIS must be there, without QGIS."""
    folder = tmp_path_factory.mktemp("qgis")
    folder.chmod(0o700)
    if qgis_python(folder, "-c", "import qgis.core").returncode != 0:
        missing = "QGIS is not installed (Debian: qgis, python3-qgis)"
        pytest.fail(missing) if os.environ.get("LSAFNET_NEEDS_QGIS") else pytest.skip(missing)
    return folder
