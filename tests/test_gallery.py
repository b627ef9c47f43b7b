"""The gallery: its judgements are right, its pictures small and credited, and it shows the checkpoint that ships."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gallery_page
import make_gallery
from gallery_pairs import GalleryPair, Place, f1_of_change, judge, read_pairs
from lsafnet_cli.checkpoints.choose import sha256_of, shipped_checkpoint
from lsafnet_cli.legend.classes import Legend

ROOT = Path(__file__).parents[1]
FOLDER, PAGES = ROOT / "docs" / "gallery", [ROOT / "docs" / name for name in ("gallery.md", "checkpoints.md")]
LEGEND = Legend(("unchanged", "water", "ground"), ((255, 255, 255), (0, 0, 255), (128, 128, 128)))
WATER_TO_GROUND, GROUND_TO_WATER = 2, 3
PICTURE_BYTES, ALL_BYTES = 100_000, 1_200_000


def judged(changed_cols, code, before, after):
    """Return what a map of ten columns, some of them changed, makes of a place that is all of it."""
    codes = np.zeros((4, 12), np.uint8)
    codes[:, 1 : 1 + changed_cols] = code
    codes[:, 0] = codes[:, 11] = 255  # nodata counts in no share
    return judge(codes, LEGEND, Place((0, 0, 12, 4), "a place", before, after))


@pytest.mark.parametrize(
    ("changed_cols", "code", "before", "after", "verdict"),
    [
        (5, WATER_TO_GROUND, "water", "ground", "found"),
        (5, GROUND_TO_WATER, "water", "ground", "found, named wrongly"),
        (2, WATER_TO_GROUND, "water", "ground", "found in part"),
        (1, WATER_TO_GROUND, "water", "ground", "missed"),
        (0, 0, "water", "ground", "missed"),
        (1, WATER_TO_GROUND, "water", "water", "left alone"),
        (2, WATER_TO_GROUND, "water", "water", "false change"),
    ],
)
def test_a_place_is_judged_by_the_share_that_is_called_changed(changed_cols, code, before, after, verdict):
    found = judged(changed_cols, code, before, after)
    assert found.share == pytest.approx(changed_cols / 10)
    assert found.verdict == verdict


def test_f1_counts_what_differs_from_the_colour_of_no_change(tmp_path):
    label = np.full((2, 4, 3), 255, np.uint8)
    label[0, :2] = (0, 0, 255)
    Image.fromarray(label).save(tmp_path / "label.png")
    codes = np.array([[2, 0, 0, 0], [2, 0, 0, 255]], np.uint8)
    assert f1_of_change(codes, 255, tmp_path / "label.png", (255, 255, 255)) == pytest.approx(0.5)


def test_a_pair_has_a_credit_or_a_reason_to_be_hidden():
    facts = ("name", "title", "a", "b", "place", ("1", "2"), 1.0, "seen")
    with pytest.raises(ValueError, match="credit"):
        GalleryPair(*facts)
    with pytest.raises(ValueError, match="credit"):
        GalleryPair(*facts, credit="whose", hidden="why")


def write_pairs(data, path):
    """Write two pairs of noise, and the file that describes them: one that is shown, one that may not be."""
    noise = np.random.default_rng(5)
    for name in ("one_a", "one_b", "two_a", "two_b"):
        Image.fromarray(noise.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(data / f"{name}.png")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(data / "label.png")
    described = '[credits]\nours = "somebody, CC0"\n'
    for name, terms in (("one", 'credit = "ours"'), ("two", 'hidden = "not ours"\nlabel = "label.png"')):
        described += f"""[[pair]]
name = "{name}"
title = "Pair {name}"
before = "{name}_a.png"
after = "{name}_b.png"
place = "nowhere"
dates = ["2001", "2002"]
gsd_m = 0.5
seen = "Noise, {name} times."
{terms}
places = [{{ box = [4, 4, 40, 40], what = "noise", before = "water", after = "water" }}]
"""
    path.write_text(described, encoding="utf-8")


def test_the_command_draws_what_may_be_shown_and_describes_the_rest(tmp_path, tiny_checkpoint, capsys):
    pairs, folder = tmp_path / "pairs.toml", tmp_path / "docs" / "gallery"
    write_pairs(tmp_path, pairs)
    folder.mkdir(parents=True)
    (folder / "gone.webp").write_bytes(b"of a pair that is no longer described")
    pages = [tmp_path / "docs" / name for name in ("gallery.md", "card.md")]
    for page in pages:
        page.write_text(
            "# Own words\n\n<!-- made by tools/make_gallery.py -->\nold\n<!-- end of what is made -->\n\nmore\n",
            encoding="utf-8",
        )
    for _ in range(2):  # the second time over its own text
        made = make_gallery.make_gallery(tmp_path, folder, *pages, pairs=pairs, checkpoint=tiny_checkpoint)
    assert [path.name for path in folder.iterdir()] == ["one.webp"]
    gallery, card = (page.read_text(encoding="utf-8") for page in pages)
    for text in (gallery, card):
        assert text.startswith("# Own words")
        assert text.endswith("more\n")
        assert "old" not in text
        assert f"{made[0].share:.1%}" in text
        assert sha256_of(tiny_checkpoint)[:12] in text
    assert "gallery/one.webp" in gallery
    assert "two.webp" not in gallery + card
    assert "Credit: somebody, CC0" in gallery
    assert "Not shown: not ours" in gallery
    assert f"F1 of {made[1].f1:.2f}" in gallery
    assert f"| {made[0].judgements[0].share:.0%} |" in gallery


@pytest.mark.parametrize(("words", "tutorials"), [([], 1), (["--checkpoint", "other.safetensors"], 0)])
def test_the_command_makes_the_python_tutorial_again_for_the_default_checkpoint(
    words, tutorials, monkeypatch, tmp_path
):
    done = []
    monkeypatch.setattr(make_gallery, "make_gallery", lambda *args, **_: done.append(args))
    monkeypatch.setattr(make_gallery, "make_tutorial", lambda: done.append("tutorial"))
    folder = tmp_path / "docs" / "gallery"
    monkeypatch.setattr("sys.argv", ["make_gallery.py", str(tmp_path), "-o", str(folder), *words])
    make_gallery.main()
    pages = folder.with_suffix(".md"), folder.with_name("checkpoints.md")
    assert done[0] == (tmp_path, folder, *pages)
    assert done.count("tutorial") == tutorials


def test_a_page_without_marks_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks its marks"):
        gallery_page.put_between(page, "text")
    assert page.read_text(encoding="utf-8") == "no marks"


def test_the_pictures_are_small_and_those_that_the_pages_show():
    shown = {f"{pair.name}.webp" for pair in read_pairs(make_gallery.PAIRS) if not pair.hidden}
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(sizes) == shown
    assert max(sizes.values()) <= PICTURE_BYTES
    assert sum(sizes.values()) <= ALL_BYTES
    gallery = PAGES[0].read_text(encoding="utf-8")
    assert set(re.findall(r"\(gallery/([\w.]+)\)", gallery)) == shown


def test_every_picture_has_its_credit_on_the_page_and_every_hidden_pair_its_reason():
    text = PAGES[0].read_text(encoding="utf-8")
    for pair in read_pairs(make_gallery.PAIRS):
        section = text.split(f"### {pair.title}\n")[1].split("###")[0]
        assert (f"Not shown: {pair.hidden}." if pair.hidden else f"Credit: {pair.credit}.") in section


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_gallery_is_of_the_checkpoint_that_ships(page):
    """Another checkpoint needs `python tools/make_gallery.py DATA -o docs/gallery`."""
    assert sha256_of(shipped_checkpoint())[:12] in page.read_text(encoding="utf-8")
