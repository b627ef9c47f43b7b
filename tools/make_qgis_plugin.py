"""Pack the QGIS plugin into dist/lsafnet_processing-VERSION.zip, as "Install from ZIP" takes it.

Two runs give the same bytes.
"""

import argparse
import configparser
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "qgis_plugin" / "lsafnet_processing"
LEFT_OUT = {"__pycache__"}
ANY_DAY = (2020, 1, 1, 0, 0, 0)


def plugin_files(folder: Path = PLUGIN) -> list[Path]:
    """Return what belongs to the plugin, in order."""
    found = (path for path in folder.rglob("*") if path.is_file() and not LEFT_OUT & set(path.parts))
    return sorted(path for path in found if path.suffix != ".pyc")


def plugin_version(folder: Path = PLUGIN) -> str:
    """Return the version in metadata.txt."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(folder / "metadata.txt", encoding="utf-8")
    return metadata["general"]["version"]


def pack_plugin(output: Path, folder: Path = PLUGIN) -> Path:
    """Write the archive into the folder `output` and return its path."""
    output.mkdir(parents=True, exist_ok=True)
    archive = output / f"{folder.name}-{plugin_version(folder)}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in plugin_files(folder):
            member = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix(), ANY_DAY)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            packed.writestr(member, path.read_bytes())
    return archive


def main() -> None:
    """Pack it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    print(pack_plugin(parser.parse_args().output))


if __name__ == "__main__":
    main()
