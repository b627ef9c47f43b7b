"""Report pages of a batch and the index over them."""

import html
import re
from urllib.parse import unquote

import pytest

from lsafnet_cli import BatchOptions, PredictOptions, pair_folders, run_batch
from lsafnet_cli.batch.collect import collect_batch
from lsafnet_cli.batch.index import MARK
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.batch.shards import Shard
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions

from .batches import make_pairs
from .report_pages import data_of

pytestmark = pytest.mark.usefixtures("preloaded")

HOSTILE = "<img src=x onerror=alert(1)>"


def options_of(checkpoint, **more):
    return BatchOptions(
        **{"predict": PredictOptions(checkpoint=checkpoint), "devices": "cpu", "report": True, **more}
    )


def rows_of(index):
    """Return the cells of each scene of an index as (keys, links)."""
    rows = re.findall(r'<tr class="[a-z]+">(.*?)</tr>', index.read_text("utf-8"), re.DOTALL)
    keys = [[html.unescape(key) for key in re.findall(r'data-key="(.*?)"', row)] for row in rows]
    links = [
        sorted({unquote(html.unescape(link)) for link in re.findall(r'href="(.*?)"', row)}) for row in rows
    ]
    return list(zip(keys, links, strict=True))


def test_each_scene_has_a_page_and_the_index_has_each_scene(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 2)
    (tmp_path / "b" / "s001.tif").write_bytes(b"no image")
    scenes = [
        SceneSpec(f"{spec.name} {HOSTILE}", spec.before, spec.after, spec.output)
        for spec in pair_folders(tmp_path / "b", tmp_path / "a").scenes
    ]
    report = run_batch(scenes, tmp_path / "out", options_of(tiny_checkpoint))
    index = tmp_path / "out" / "index.html"
    assert report.outputs["index"] == str(index)
    assert data_of(tmp_path / "out" / "s000.report.html")["dates"]
    (good, links), (failed, no_links) = rows_of(index)
    record = report.records[0]
    assert good[1:3] == [f"s000 {HOSTILE}", "done"]
    assert float(good[3]) == record.changed_ha
    assert links == ["./s000.report.html"]
    assert failed[1:4] == [f"s001 {HOSTILE}", "failed", "-1.0"]
    assert "b/s001.tif" in failed[-1]
    assert no_links == []
    text = index.read_text("utf-8")
    assert HOSTILE not in text
    assert text.count('src="data:image/png') == 1
    assert "http" not in re.sub("http-equiv", "", text)


def test_collect_indexes_the_pages_of_all_shards(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 2)
    scenes = pair_folders(tmp_path / "b", tmp_path / "a").scenes
    for number in (1, 2):
        run_batch(scenes, tmp_path / "out", options_of(tiny_checkpoint, shard=Shard(number, 2)))
    index = tmp_path / "out" / "index.html"
    assert not index.exists()
    for _ in range(2):  # the second time from the table that the first one wrote
        report = collect_batch(tmp_path / "out", False, print)
        assert report.outputs["index"] == str(index)
        assert [links for _, links in rows_of(index)] == [["./s000.report.html"], ["./s001.report.html"]]


def test_also_report_gives_an_index_too_and_a_page_of_someone_else_stays(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 1)
    scenes = pair_folders(tmp_path / "b", tmp_path / "a").scenes
    (tmp_path / "out").mkdir()
    index = tmp_path / "out" / "index.html"
    index.write_text("mine")
    predict = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions(also=("report",)))
    watched = Observer()
    report = run_batch(
        scenes, tmp_path / "out", options_of(tiny_checkpoint, predict=predict, report=False), watched
    )
    assert "index" not in report.outputs
    assert index.read_text() == "mine"
    assert any("index.html is not written" in line for line in watched.notices)
    index.unlink()
    again = run_batch(scenes, tmp_path / "out", options_of(tiny_checkpoint))
    assert again.done_now == 0
    assert MARK in index.read_text("utf-8")


def test_without_pages_there_is_no_index(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 1)
    scenes = pair_folders(tmp_path / "b", tmp_path / "a").scenes
    run_batch(scenes, tmp_path / "out", options_of(tiny_checkpoint, report=False))
    assert not list((tmp_path / "out").glob("*.html"))
    collect_batch(tmp_path / "out", False, print)
    assert not list((tmp_path / "out").glob("*.html"))
