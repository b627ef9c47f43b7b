"""The sheet of a quicklook: title, panels, scale bar and north arrow, legend, footer, laid out with Pillow."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lsafnet_cli.legend.palettes import Color
from lsafnet_cli.maps.map_marks import ScaleBar

Picture = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
GAP_PX, LINE_PX, SWATCH_PX, MARKS_PX = 12, 22, 14, 36
TITLE_FONT_PX, FONT_PX = 22, 15
TITLE_PX = TITLE_FONT_PX + 2 * GAP_PX
INK, QUIET, PAPER = (30, 30, 30), (95, 95, 95), (255, 255, 255)
# Pillow's own font has Latin letters only; else the first installed font with all letters of a text is used
OTHER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "msyh.ttc",
)
NO_SUCH_LETTER = "\uffff"


@dataclass(frozen=True, slots=True)
class SheetWords:
    """Texts of a sheet: title, panel titles, and footer."""

    title: str
    panels: tuple[str, ...]
    summary: str
    footer: str


@dataclass(frozen=True, slots=True)
class SheetMarks:
    """Scale bar and direction of north (right, down), each None if unknown."""

    bar: ScaleBar | None
    north: tuple[float, float] | None


def compose_sheet(
    panels: Sequence[Picture], words: SheetWords, marks: SheetMarks, entries: Sequence[tuple[Color, str]]
) -> Image.Image:
    """Return the sheet of panels of one shape (rows, cols, 3), with a legend of colours and names."""
    rows, cols = panels[0].shape[:2]
    wanted = max(_width(text) for _, text in entries) + SWATCH_PX + 2 * GAP_PX
    width = max(len(panels) * (cols + GAP_PX) + GAP_PX, wanted, MARKS_PX * 8)
    per_row = max(1, (width - GAP_PX) // wanted)
    legend_rows = -(-len(entries) // per_row)
    below = TITLE_PX + LINE_PX + rows + GAP_PX
    height = below + MARKS_PX + legend_rows * LINE_PX + LINE_PX + GAP_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (GAP_PX, GAP_PX), words.title, width - 2 * GAP_PX, TITLE_FONT_PX)
    for index, (text, panel) in enumerate(zip(words.panels, panels, strict=True)):
        left = GAP_PX + index * (cols + GAP_PX)
        _write(draw, (left, TITLE_PX), text, cols, FONT_PX)
        sheet.paste(Image.fromarray(panel), (left, TITLE_PX + LINE_PX))
        draw.rectangle(
            (left - 1, TITLE_PX + LINE_PX - 1, left + cols, TITLE_PX + LINE_PX + rows), outline=QUIET
        )
    _draw_marks(draw, below, width, words.summary, marks)
    for index, (color, text) in enumerate(entries):
        left, top = GAP_PX + index % per_row * wanted, below + MARKS_PX + index // per_row * LINE_PX
        draw.rectangle((left, top, left + SWATCH_PX, top + SWATCH_PX), fill=color, outline=INK)
        _write(draw, (left + SWATCH_PX + 6, top - 2), text, wanted, FONT_PX)
    foot = (GAP_PX, height - LINE_PX - GAP_PX // 2)
    _write(draw, foot, words.footer, width - 2 * GAP_PX, FONT_PX, QUIET)
    return sheet


def _draw_marks(draw: ImageDraw.ImageDraw, top: int, width: int, summary: str, marks: SheetMarks) -> None:
    """Draw north arrow and scale bar at the right, and the summary in the remaining space."""
    right = width - GAP_PX
    if marks.north is not None:
        _draw_north(draw, (right - 10, top + 12), marks.north)
        right -= 40
    if marks.bar is not None:
        left = right - round(marks.bar.length_px)
        draw.line((left, top + 14, left, top + 20, right, top + 20, right, top + 14), fill=INK, width=2)
        draw.text(
            ((left + right) / 2, top + 14), marks.bar.label, fill=INK, font=font_for("0 m"), anchor="md"
        )
        right = left - 2 * GAP_PX
    _write(draw, (GAP_PX, top + 3), summary, right - GAP_PX, FONT_PX)


def _draw_north(
    draw: ImageDraw.ImageDraw, centre: tuple[float, float], direction: tuple[float, float]
) -> None:
    (x, y), (right, down) = centre, direction
    tip = x + 12 * right, y + 12 * down
    tail = x - 9 * right, y - 9 * down
    wings = [(tail[0] + side * 6 * down, tail[1] - side * 6 * right) for side in (-1, 1)]
    notch = x - 4 * right, y - 4 * down
    draw.polygon((tip, wings[0], notch, wings[1]), fill=INK)
    draw.text((x - 20 if right <= 0.5 else x - 24, y), "N", fill=INK, font=font_for("N"), anchor="mm")


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, room_px: int, size_px: int, ink: Color = INK
) -> None:
    draw.text(place, shortened(text, room_px, size_px), fill=ink, font=font_for(text, size_px))


def shortened(text: str, room_px: int, size_px: int = FONT_PX) -> str:
    """Return the text, shortened with dots if it does not fit."""
    font = font_for(text, size_px)
    if font.getlength(text) <= room_px:
        return text
    while text and font.getlength(f"{text}...") > room_px:
        text = text[:-1]
    return f"{text}..." if text else ""


def _width(text: str) -> int:
    return int(font_for(text).getlength(text)) + 1


def font_for(text: str, size_px: int = FONT_PX) -> Font:
    """Return the first font that has every letter of the text, else Pillow's own."""
    fonts = _fonts(size_px)
    return next((font for font in fonts if _can_write(font, text)), fonts[0])


@cache
def _fonts(size_px: int) -> tuple[Font, ...]:
    found: list[Font] = [ImageFont.load_default(size_px)]
    for name in OTHER_FONTS:
        with suppress(OSError):
            found.append(ImageFont.truetype(name, size_px))
    return tuple(_laid_out_simply(font) for font in found)


def _laid_out_simply(font: Font) -> Font:
    """Return the font with basic layout; Pillow's other layout engine fails on rare mixtures of letters."""
    if not isinstance(font, ImageFont.FreeTypeFont):
        return font
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


def _can_write(font: Font, text: str) -> bool:
    missing = bytes(font.getmask(NO_SUCH_LETTER))
    return all(bytes(font.getmask(letter)) != missing for letter in set(text) if not letter.isspace())
