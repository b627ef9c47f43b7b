"""Write the numbers of files and lines of each room into docs/contributing.md: python docs/make_rooms.py."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contributing.md"
ROW = re.compile(r"^\| ((?:`[\w./]+`(?:, )?)+) \| ([^|]+) \| [\d,]+ \| [\d,]+ \|$", re.MULTILINE)


def counted(row: re.Match[str]) -> str:
    """Return a row of the table with the numbers of today."""
    files = []
    for name in re.findall(r"`([\w./]+)`", row[1]):
        path = ROOT / "lsafnet_cli" / name
        files += [path] if path.is_file() else sorted(path.glob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    return f"| {row[1]} | {row[2]} | {len(files)} | {lines:,} |"


if __name__ == "__main__":
    PAGE.write_text(ROW.sub(counted, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
