"""Build the sdist and from it the wheel, look inside both, install the wheel into a clean environment, run the demo.

The clean environment borrows the dependencies of the one that runs this script by PYTHONPATH, which does not
follow the .pth file of the editable install: `lsafnet` can only come from the wheel.
"""

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MUST_HOLD = (
    "lsafnet/networks/lsafnet.py",
    "lsafnet/py.typed",
    "lsafnet_cli/app.py",
    "lsafnet_cli/py.typed",
    "lsafnet_cli/data/sample/before.tif",
    "lsafnet_cli/data/sample/after.tif",
    "lsafnet_cli/data/lsafnet-lite.safetensors",
)
LEFT_OUT = (".ci/", ".git")  # what runs the tests of a clone
LARGEST_BYTES = 16_000_000


def build(folder: Path) -> tuple[Path, Path]:
    """Return the sdist, and the wheel built from it."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def look_inside_sdist(sdist: Path) -> None:
    """Fail where a file of the repository is missing that its tests, its documentation or its build may name."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wanted = {name for name in listed.splitlines() if not name.startswith(LEFT_OUT)}
    with tarfile.open(sdist) as packed:
        found = {name.partition("/")[2] for name in packed.getnames()}
    assert not wanted - found, f"the sdist lacks {sorted(wanted - found)}"


def look_inside(wheel: Path) -> None:
    """Fail where something is missing, or something is there that must not be."""
    names = zipfile.ZipFile(wheel).namelist()
    missing = [name for name in MUST_HOLD if name not in names]
    assert not missing, f"the wheel lacks {missing}"
    tops = {name.split("/")[0].split("-")[0] for name in names}
    assert tops == {"lsafnet", "lsafnet_cli"}, f"the wheel holds {tops}"
    assert wheel.stat().st_size < LARGEST_BYTES, f"the wheel has {wheel.stat().st_size} bytes"


def predict_from(wheel: Path, folder: Path) -> None:
    """Install the wheel where nothing else of the project is, and run the demo."""
    venv.create(folder / "clean", with_pip=True)
    binaries = folder / "clean" / "bin"
    subprocess.run([binaries / "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    clean = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    where = "import lsafnet, lsafnet_cli; print(lsafnet.__file__, lsafnet_cli.__file__)"
    found = subprocess.run([binaries / "python", "-c", where], env=clean, cwd=folder, check=True,
                           capture_output=True, text=True).stdout  # fmt: skip
    assert found.count(str(folder)) == 2, f"imported from {found}"
    command = [binaries / "lsafnet", "demo", "demo", "-q"]
    subprocess.run(command, env=clean, cwd=folder, check=True)
    assert (folder / "demo" / "changes.tif").stat().st_size > 0


def main() -> None:
    """Try the wheel."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = build(folder)
        look_inside_sdist(sdist)
        look_inside(wheel)
        predict_from(wheel, folder)
        print(f"{sdist.name} and {wheel.name}: built, installed and used in a clean environment")


if __name__ == "__main__":
    main()
