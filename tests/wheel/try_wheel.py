"""Build the wheel, look inside it, install it into a clean environment and run the demo there.

The clean environment borrows the dependencies of the one that runs this script by PYTHONPATH, which does not
follow the .pth file of the editable install: `lsafnet` can only come from the wheel.
"""

import os
import subprocess
import sys
import sysconfig
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
    "lsafnet_cli/data/lsafnet-lite-dubai.safetensors",
)
LARGEST_BYTES = 16_000_000


def build(folder: Path) -> Path:
    """Return the wheel, built as pip would build it."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


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
        wheel = build(folder)
        look_inside(wheel)
        predict_from(wheel, folder)
        print(f"{wheel.name}: built, installed and used in a clean environment")


if __name__ == "__main__":
    main()
