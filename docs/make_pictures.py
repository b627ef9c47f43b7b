"""Make the pictures of docs/: `make pictures`. It needs Debian's qgis, python3-qgis and chromium."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

from lsafnet_cli import PredictOptions, predict_change, write_report_page
from lsafnet_cli.legend.classes import parse_color
from lsafnet_cli.legend.palettes import VISIONS, from_linear, linear, transition_colors
from lsafnet_cli.options import OutputOptions

HERE = Path(__file__).parent
ROOT = HERE.parent
LOOK = ROOT / "tests" / "qgis" / "look.py"
QGIS_PYTHON = "/usr/bin/python3"
PICTURE_PX, PAGE_PX = 700, 1000
COLORS = 250  # of a picture file, which keeps it small

LEGENDS = {
    "the sample's 4 classes": "0000ff 808080 008000 800000",
    "SECOND's 6 classes": "0000ff 808080 008000 00ff00 800000 ff0000",
    "15 classes in the manner of CORINE": "e6004d cc4df2 a600cc ffa6ff ffffa8 e68000 e6e64d ffe6a6 80ff00 ccf24d "
    "e6e6e6 a6a6ff 4d4dff 00ccf2 00ffa6",
}
PANEL_PX, GAP_PX, FONT_PX = 225, 26, 15


def main() -> None:
    """Make all pictures."""
    draw_palettes().save(HERE / "colours.png", optimize=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # copied, for QGIS leaves statistics beside the files that it opens
        pair = [shutil.copy(ROOT / "sample_data" / f"{date}.tif", folder) for date in ("before", "after")]
        output = OutputOptions((folder / "changes.gpkg",), ("probability", "quicklook"))
        predict_change(*pair, folder / "changes.tif", PredictOptions(output=output))
        shrink(folder / "changes.quicklook.png").save(HERE / "quicklook.png", optimize=True)
        for picture, layer in {
            "qgis-map.png": "changes.tif",
            "qgis-polygons.png": "changes.gpkg",
            "qgis-probability.png": "changes.probability.tif",
        }.items():
            draw_in_qgis(HERE / picture, folder / layer, pair[1])
        page = folder / "report.html"
        write_report_page(folder / "changes.tif", page, *map(str, pair))
        draw_page(HERE / "report.png", page, {"viewport": {"width": 1280, "height": 980}})
        phone = {"width": 390, "height": 844}
        draw_page(
            HERE / "report-dark.png", page, {"viewport": phone, "color_scheme": "dark"}, probability=True
        )


def draw_page(target: Path, page: Path, settings: dict[str, Any], probability: bool = False) -> None:
    """Let Chromium draw a report page as it opens, or with the second largest change's probability."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_context(**settings, reduced_motion="reduce").new_page()
        opened.goto(page.as_uri())
        opened.wait_for_selector("body[data-ready]")
        if probability:
            opened.check("input[value=probability]")
            opened.click(".card >> nth=1")
            opened.wait_for_timeout(1000)  # until every tile is painted
        opened.screenshot(path=target)
        browser.close()
    make_small(target)


def make_small(target: Path) -> None:
    """Write a picture again with few colours."""
    with Image.open(target) as picture:
        small = picture.convert("RGB").quantize(COLORS)
    small.save(target, optimize=True)


def draw_in_qgis(target: Path, *layers: Path | str) -> None:
    """Let QGIS draw layers over each other, the first on top, each in the style that it opens with."""
    apart = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [QGIS_PYTHON, LOOK, *layers, "--picture", target, "--width", PICTURE_PX]
    environment = {**apart, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([str(word) for word in command], env=environment, check=True, stdout=subprocess.DEVNULL)
    make_small(target)


def shrink(path: Path) -> Image.Image:
    """Return a picture at the width of a page, with few colours, among them those of a legend."""
    with Image.open(path) as picture:
        height = round(picture.height * PAGE_PX / picture.width)
        small = picture.convert("RGB").resize((PAGE_PX, height), Image.Resampling.LANCZOS)
    return small.quantize(COLORS, Image.Quantize.FASTOCTREE)


def draw_palettes() -> Image.Image:
    """Return the transitions' colours of each legend (from = row, to = column) as each vision sees them."""
    width = GAP_PX + len(VISIONS) * (PANEL_PX + GAP_PX)
    sheet = Image.new("RGB", (width, GAP_PX + len(LEGENDS) * (PANEL_PX + 3 * GAP_PX)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    for row, (title, text) in enumerate(LEGENDS.items()):
        top = GAP_PX // 2 + row * (PANEL_PX + 3 * GAP_PX)
        draw.text((GAP_PX, top), title, fill="black", font=font)
        colors = np.array(transition_colors(tuple(parse_color(f"#{word}") for word in text.split())))
        for col, (vision, matrix) in enumerate(VISIONS.items()):
            left = GAP_PX + col * (PANEL_PX + GAP_PX)
            draw.text((left, top + GAP_PX), vision, fill="black", font=font)
            seen = from_linear(linear(colors) @ matrix.T).astype(np.uint8)
            sheet.paste(draw_panel(seen), (left, top + 2 * GAP_PX))
    return sheet


def draw_panel(colors: NDArray[np.uint8]) -> Image.Image:
    """Return (from, to, 3) colours as squares with white between them."""
    side = PANEL_PX // len(colors)
    cells = np.full((len(colors) * side, len(colors) * side, 3), 255, np.uint8)
    for index in np.ndindex(colors.shape[:2]):
        top, left = (place * side for place in index)
        cells[top : top + side - 1, left : left + side - 1] = colors[index]
    return Image.fromarray(cells)


if __name__ == "__main__":
    main()
