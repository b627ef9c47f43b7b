"""The gallery's pictures and words: a sheet for each pair, Markdown for docs/gallery.md and for the model card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from gallery_pairs import Codes, GalleryPair, Judgement
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.map_marks import ScaleBar, north
from lsafnet_cli.maps.quicklook import NO_DATA, paint_codes, read_picture
from lsafnet_cli.maps.quicklook_sheet import Picture, SheetMarks, SheetWords, compose_sheet, font_for
from lsafnet_cli.maps.table import ChangeTable
from lsafnet_cli.scenes.on_grid import images_on_grid

PANEL_PX, FONT_PX, LONGEST_BAR_PX = 360, 13, 90
PICTURE_BYTES, QUALITIES = 95_000, (82, 74, 66, 58, 50, 42)
LEAST_SHARE = 0.002  # of the pixels, for a transition to stand in a picture's legend
CARD_PAIRS = ("claremont_51", "claremont_7", "claremont_83", "north_dakota")  # good ones and bad ones


@dataclass(frozen=True, slots=True)
class Made:
    """A pair with its map: codes (rows, cols), what the domain says, and how it is judged."""

    pair: GalleryPair
    codes: Codes
    legend: Legend
    grid: Grid
    table: ChangeTable
    reasons: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    f1: float | None

    @property
    def share(self) -> float:
        """How much of the pixels with data is called changed."""
        return self.table.changed_pixels / max(1, self.table.valid_pixels)


def draw_sheet(made: Made, data: Path, target: Path) -> None:
    """Write both dates and the map of a pair, with the places that were looked at, as a WebP below PICTURE_BYTES."""
    pair, grid = made.pair, made.grid
    scale = PANEL_PX / grid.width
    shape = max(1, round(grid.height * scale)), PANEL_PX
    images = images_on_grid(grid, str(data / pair.before), str(data / pair.after), pair.name)
    rows, cols = (np.linspace(0, size - 1, count).round().astype(int)
                  for size, count in zip(grid.shape, shape, strict=True))  # fmt: skip
    panels = [read_picture(image, shape) for image in images]
    panels.append(paint_codes(made.codes[np.ix_(rows, cols)], made.legend))
    words = SheetWords(
        title=f"{pair.title}: {pair.place}",
        panels=(
            *(f"{when}: {day}" for when, day in zip(("before", "after"), pair.dates, strict=True)),
            "map",
        ),
        summary=f"{made.share:.1%} of the pixels are called changed",
        footer=pair.credit,
    )
    bar = _bar(pair.gsd_m / scale)
    direction = north(grid) if grid.crs is not None else None
    outlined = [_outlined(panel, pair, scale) for panel in panels]
    sheet = compose_sheet(outlined, words, SheetMarks(bar, direction), list(_entries(made)))
    for quality in QUALITIES:
        sheet.save(target, "WEBP", quality=quality, method=6)
        if target.stat().st_size <= PICTURE_BYTES:
            return
    raise ValueError(f"{target}: does not fit into {PICTURE_BYTES} bytes")


def _bar(metres_per_px: float) -> ScaleBar:
    power = 10.0 ** np.floor(np.log10(LONGEST_BAR_PX * metres_per_px))
    length = max(step * power for step in (1, 2, 5) if step * power <= LONGEST_BAR_PX * metres_per_px)
    return ScaleBar(float(length), float(length / metres_per_px))


def _entries(made: Made) -> Iterator[tuple[tuple[int, int, int], str]]:
    palette = made.legend.palette
    yield palette[0], made.legend.names[0]
    for row in made.table.transitions:
        if row.share >= LEAST_SHARE:
            yield palette[row.code], f"{row.name} {row.share:.1%}"
    if made.table.nodata_pixels:
        yield NO_DATA, "no data"


def _outlined(panel: Picture, pair: GalleryPair, scale: float) -> Picture:
    """Return a panel with the numbered boxes of a pair: white ones changed, yellow ones did not."""
    picture = Image.fromarray(panel)
    draw = ImageDraw.Draw(picture)
    for number, place in enumerate(pair.places, 1):
        left, top, right, bottom = (round(side * scale) for side in place.box)
        ink = "white" if place.changed else "yellow"
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="black", width=3)
        draw.rectangle((left, top, right, bottom), outline=ink)
        font = font_for(str(number), FONT_PX)
        draw.text((left + 3, top + 1), str(number), ink, font, stroke_width=2, stroke_fill="black")
    return np.asarray(picture)


def gallery_text(made: list[Made], folder: str, checkpoint: str) -> str:
    """Return the part of docs/gallery.md that is made: the pairs that are shown, then those that may not be."""
    parts = [f"These maps were made with {checkpoint}.\n"]
    parts += [_section(one, folder) for one in made if not one.pair.hidden]
    parts.append("## Pairs that may not be shown\n")
    parts.append("Their terms do not allow pictures of them here; these are the words and the numbers.\n")
    parts += [_section(one, folder) for one in made if one.pair.hidden]
    return "\n".join(parts)


def card_text(made: list[Made], folder: str, checkpoint: str) -> str:
    """Return the model card's pictures, and a table of how many of the places of each pair the map has right."""
    parts = [f"Made with {checkpoint}.\n"]
    parts += [f"{_picture(one, folder)}\n\n{_facts(one)}\n" for one in made if one.pair.name in CARD_PAIRS]
    rows = ["| pair | called changed | places that changed | places that did not | F1 of change |"]
    rows += ["|---|---|---|---|---|", *map(_card_row, made)]
    return "\n".join([*parts, *rows, ""])


def _card_row(one: Made) -> str:
    changed = [judged for judged in one.judgements if judged.place.changed]
    others = [judged for judged in one.judgements if not judged.place.changed]
    found = sum(judged.verdict.startswith("found") for judged in changed)
    named = sum(judged.verdict in ("found", "found in part") for judged in changed)
    alone = sum(judged.verdict == "left alone" for judged in others)
    cells = (
        f"{one.pair.title}, {one.pair.place}{' (not shown)' if one.pair.hidden else ''}",
        f"{one.share:.1%}",
        f"{found} of {len(changed)} found, {named} named rightly" if changed else "-",
        f"{alone} of {len(others)} left alone" if others else "-",
        "-" if one.f1 is None else f"{one.f1:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _section(one: Made, folder: str) -> str:
    pair = one.pair
    lines = [f"### {pair.title}\n"]
    lines += [f"Not shown: {pair.hidden}.\n"] if pair.hidden else [f"{_picture(one, folder)}\n"]
    lines += [_facts(one), "", pair.seen, ""]
    if one.f1 is not None:
        lines += [f"Against its labels the changed pixels have an F1 of {one.f1:.2f}.", ""]
    if one.judgements:
        lines += [
            "| | seen by eye | land cover | called changed | mostly as | verdict |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(number, judged) for number, judged in enumerate(one.judgements, 1)]
        lines.append("")
    return "\n".join(lines)


def _row(number: int, judged: Judgement) -> str:
    place = judged.place
    mostly = judged.mostly if judged.share >= 0.005 else "-"  # which is shown as 0 %
    cells = (str(number), place.what, place.land_cover, f"{judged.share:.0%}", mostly, judged.verdict)
    return f"| {' | '.join(cells)} |"


def _picture(one: Made, folder: str) -> str:
    before, after = one.pair.dates
    return f"![{one.pair.title}: {before}, {after}, and the map]({folder}/{one.pair.name}.webp)"


def _facts(one: Made) -> str:
    pair = one.pair
    reasons = re.sub(r" \(`\w+`\)", "", "; ".join(one.reasons))  # without the options that would mend them
    domain = f"outside the domain ({reasons})" if reasons else "inside the domain"
    credit = f" Credit: {pair.credit}." if pair.credit else ""
    before, after = pair.dates
    return (
        f"{pair.place[0].upper()}{pair.place[1:]}; {before} to {after}; pixels of {pair.gsd_m:g} m; {domain}; "
        f"{one.share:.1%} called changed.{credit}"
    )


def put_between(page: Path, text: str) -> None:
    """Put a text between the two marks of a page. Raises ValueError where they are missing."""
    whole = page.read_text(encoding="utf-8")
    begin, end = "<!-- made by tools/make_gallery.py -->", "<!-- end of what is made -->"
    if whole.count(begin) != 1 or whole.count(end) != 1:
        raise ValueError(f"{page}: lacks its marks {begin} and {end}")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n{end}", whole), encoding="utf-8")
