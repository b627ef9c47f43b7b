"""The index of a batch's report pages: one self-contained table of all scenes, failed ones too."""

import html
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from rasterio.enums import Resampling

from lsafnet_cli.batch.folder import INDEX, BatchFolder
from lsafnet_cli.batch.merge import Tell
from lsafnet_cli.batch.records import DONE, SceneRecord, counts
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.outputs import page_path
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.maps.quicklook import paint_codes
from lsafnet_cli.maps.table import area_text, read_legend
from lsafnet_cli.report_page.template import fill_template, kept_text

PICTURE_PX = 96
PICTURES_BYTES = 8_000_000  # of all pictures of an index; later scenes have none
MARK = '<meta name="generator" content="lsafnet batch">'
COLUMNS = ("map", "scene", "status", "changed", "share", "polygons", "seconds", "why it failed")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the index: its HTML, and what it is sorted by, text or number."""

    content: str
    key: str | float

    def text(self) -> str:
        """Return it as HTML."""
        kind = ' class="number"' if isinstance(self.key, float) else ""
        return f'<td{kind} data-key="{html.escape(str(self.key))}">{self.content}</td>'


def write_index(folder: BatchFolder, records: Sequence[SceneRecord], tell: Tell) -> dict[str, str]:
    """Write the index of a batch's pages; return its name. An index.html that is no batch's own stays, which is told.

    Raises OutputError.
    """
    target = folder.path / INDEX
    if target.exists() and MARK not in target.read_text("utf-8", errors="replace"):
        tell(f"{target} is not written: the existing file is not the index of a batch")
        return {}
    found = counts(records)
    words = ", ".join(f"{count:,} {status}" for status, count in found.items() if count or status == DONE)
    parts = {
        "MARK": MARK,
        "TITLE": html.escape(f"Changes in {folder.path.resolve().name}"),
        "CSS": kept_text("report", "page.css") + kept_text("report", "index.css"),
        "JS": kept_text("report", "index.js"),
        "WORDS": html.escape(f"{len(records):,} scenes: {words}; changed: {_changed(records):,.2f} ha"),
        "HEADS": "".join(f'<th scope="col"><button type="button">{name}</button></th>' for name in COLUMNS),
        "ROWS": "\n".join(_rows(folder.path, records)),
    }
    folder.claim([target], overwrite=True)
    folder.write_table(target, "".join(fill_template(kept_text("report", "index.html"), parts)))
    return {"index": str(target)}


def _changed(records: Sequence[SceneRecord]) -> float:
    return sum(record.changed_ha or 0.0 for record in records)


def _rows(folder: Path, records: Sequence[SceneRecord]) -> Iterator[str]:
    room = PICTURES_BYTES
    for record in records:
        picture = _picture(folder / record.output) if record.status == DONE and room > 0 else ""
        room -= len(picture)
        cells = "".join(cell.text() for cell in _cells(folder, record, picture))
        yield f'<tr class="{html.escape(record.status)}">{cells}</tr>'


def _cells(folder: Path, record: SceneRecord, picture: str) -> Iterator[Cell]:
    page = page_path(Path(record.output))
    name, alone = html.escape(record.name), f'<img src="{picture}" alt="">' if picture else ""
    if record.status == DONE and (folder / page).exists():
        link = html.escape(quote(page.as_posix()))
        yield Cell(f'<a href="./{link}" tabindex="-1" aria-hidden="true">{alone}</a>', record.name)
        yield Cell(f'<a href="./{link}">{name}</a>', record.name)
    else:
        yield Cell(alone, record.name)
        yield Cell(name, record.name)
    yield Cell(html.escape(record.status), record.status)
    done = record.changed_pixels is not None
    share = (record.changed_pixels or 0) / max(record.valid_pixels or 0, 1)
    changed = record.changed_ha if record.changed_ha is not None else float(record.changed_pixels or 0)
    yield Cell(
        area_text(record.changed_ha, record.changed_pixels or 0) if done else "", changed if done else -1.0
    )
    yield Cell(f"{share:.1%}" if done else "", share if done else -1.0)
    yield _number(record.polygons, ",")
    yield _number(record.seconds, ",.1f")
    yield Cell(html.escape(record.error), record.error)


def _number(value: float | None, form: str) -> Cell:
    return Cell("", -1.0) if value is None else Cell(format(value, form), float(value))


def _picture(path: Path) -> str:
    """Return a small picture of a map as a data URL; "" where it cannot be read."""
    try:
        with open_raster(path) as dataset:
            legend = read_legend(path, dataset.tags())
            scale = min(1.0, PICTURE_PX / max(dataset.shape))
            shape = tuple(max(1, round(side * scale)) for side in dataset.shape)
            codes = dataset.read(1, out_shape=shape, resampling=Resampling.nearest)
    except InputError:
        return ""
    sink = BytesIO()
    Image.fromarray(paint_codes(codes, legend)).save(sink, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(sink.getvalue()).decode('ascii')}"
