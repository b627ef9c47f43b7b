"""Run the blocks of docs/python-tutorial.md, put what each prints below it, and keep its plot.

They map the sample pair. What a block printed when the page was made last is replaced.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "python-tutorial.md"
PLOT, PICTURE = "mine.png", "python-tutorial.png"
COLORS = 255  # of the picture, which keeps it small
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<text>.*?)```\n)?", re.DOTALL)


def run_blocks(page: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each block of Python of a page, and what it prints; all share one namespace and stand in a folder.

    The folder gets the sample pair as before.tif and after.tif.
    """
    for date in ("before", "after"):
        shutil.copy(ROOT / "sample_data" / f"{date}.tif", folder / f"{date}.tif")
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        for block in BLOCK.finditer(page):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block["code"], PAGE.name, "exec"), names)
            yield block["code"], printed.getvalue()


def with_outputs(page: str, outputs: Iterator[tuple[str, str]]) -> str:
    """Return a page with what its blocks printed below them, in their order."""
    printed = iter([text for _, text in outputs])

    def replaced(block: re.Match[str]) -> str:
        text = next(printed)
        lines = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
        below = f"\n```text\n{lines}\n```\n" if lines else ""
        return f"```python\n{block['code']}```\n{below}"

    return BLOCK.sub(replaced, page)


def make_tutorial() -> None:
    """Write the page's outputs and its picture again."""
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        text = with_outputs(text, run_blocks(text, Path(name)))
        with Image.open(Path(name) / PLOT) as picture:
            small = picture.convert("RGB").quantize(COLORS, Image.Quantize.FASTOCTREE)
    small.save(PAGE.with_name(PICTURE), optimize=True)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    make_tutorial()
