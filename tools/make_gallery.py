"""Make all of docs/ that shows what the default checkpoint does: make_gallery.py DATA -o docs/gallery.

It maps every pair of tools/gallery_pairs.toml with the default checkpoint, draws those that may be shown, judges
each map by the places that a person looked at, and writes the pictures into the folder, the words between the marks
of its page (docs/gallery.md) and of docs/checkpoints.md. The outputs of docs/python-tutorial.md are made again as
well, unless another checkpoint is given.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import rasterio

from gallery_page import Made, card_text, draw_sheet, gallery_text, put_between
from gallery_pairs import GalleryPair, f1_of_change, judge, read_pairs
from lsafnet_cli import PredictOptions, RunReport, predict_change
from lsafnet_cli.maps.table import open_legend
from make_python_tutorial import make_tutorial

HERE = Path(__file__).parent
PAIRS = HERE / "gallery_pairs.toml"


def map_pair(pair: GalleryPair, data: Path, work: Path, checkpoint: Path | None) -> tuple[Made, RunReport]:
    """Return a pair with its map, and what the run says. Raises whatever `predict_change` raises."""
    change_map = work / f"{pair.name}.tif"
    options = PredictOptions(checkpoint=checkpoint)
    report = predict_change(data / pair.before, data / pair.after, change_map, options)
    legend, grid = open_legend(change_map)
    with rasterio.open(change_map) as dataset:
        codes = dataset.read(1)
    judged = tuple(judge(codes, legend, place) for place in pair.places)
    f1 = f1_of_change(codes, legend.nodata, data / pair.label, pair.unchanged) if pair.label else None
    return Made(pair, codes, legend, grid, report.table, report.domain.reasons, judged, f1), report


def make_gallery(
    data: Path, folder: Path, gallery: Path, card: Path, pairs: Path = PAIRS, checkpoint: Path | None = None
) -> list[Made]:
    """Write the pictures into a folder, and the words into the gallery's page and the model card's."""
    folder.mkdir(parents=True, exist_ok=True)
    described = read_pairs(pairs)
    made, said = [], ""
    with tempfile.TemporaryDirectory() as work:
        for pair in described:
            one, report = map_pair(pair, data, Path(work), checkpoint)
            said = (
                f"`{report.checkpoint}` (sha256 {report.checkpoint_sha256[:12]}), "
                f"changed above {report.options['threshold']:.2f}"
            )
            made.append(one)
            print(f"{pair.name}: {one.share:.1%} called changed")
    shown = {f"{one.pair.name}.webp" for one in made if not one.pair.hidden}
    for old in folder.glob("*.webp"):
        if old.name not in shown:
            old.unlink()
    for one in made:
        if not one.pair.hidden:
            draw_sheet(one, data, folder / f"{one.pair.name}.webp")
    for page, text in ((gallery, gallery_text), (card, card_text)):
        relative = Path(os.path.relpath(folder, page.parent)).as_posix()
        put_between(page, text(made, relative, said))
    return made


def main() -> None:
    """Make the gallery."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder of the pictures, docs/gallery"
    )
    parser.add_argument("--checkpoint", type=Path, help="another checkpoint than the default one")
    given = parser.parse_args()
    page = given.output.with_suffix(".md")
    make_gallery(
        given.data, given.output, page, page.with_name("checkpoints.md"), checkpoint=given.checkpoint
    )
    if given.checkpoint is None:
        make_tutorial()


if __name__ == "__main__":
    main()
