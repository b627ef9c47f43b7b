"""The text of a page: a template with its data, tiles, styles and scripts, in one file that asks for nothing else."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from lsafnet_cli.report_page.template import fill_template, kept_text

LEVEL_BYTES = 32  # at most, of what the page says about each of its levels


class PageText:
    """A page's text, in pieces; hostile text stays text, whatever it holds."""

    def __init__(
        self, title: str, data: dict[str, Any], template: str, styles: Iterable[str], scripts: Iterable[str]
    ) -> None:
        self.data = data
        self._template = template
        self._parts = {
            "TITLE": html.escape(title),
            "CSS": "\n".join(kept_text("report", name) for name in styles),
            "JS": "\n".join(kept_text("report", name) for name in scripts),
            "LEAFLET_CSS": _without_pictures(kept_text("leaflet", "leaflet.css")),
            "LEAFLET_JS": kept_text("leaflet", "leaflet.js"),
        }

    @property
    def size_bytes(self) -> int:
        """What the page takes without tiles, with room to tell of its levels."""
        levels = LEVEL_BYTES * int(max(self.data["shape"])).bit_length()
        return sum(len(piece.encode()) for piece in self.pieces(())) + levels

    def pieces(self, tiles: Iterable[str]) -> Iterator[str]:
        """Return the page's text; `tiles` are members of a JSON object, each with a comma behind it."""
        parts = {"DATA": script_json(self.data), "TILES": chain("{", tiles, '"":0}')}
        return fill_template(kept_text("report", self._template), self._parts | parts)


def script_json(data: Any) -> str:
    """Return JSON in which no mark can end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _without_pictures(css: str) -> str:
    return re.sub(r"url\((?!data:)[^)]*\)", "none", css)
