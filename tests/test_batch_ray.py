"""A real Ray cluster of several nodes: what it makes equals `predict`'s, and a node that is lost loses nothing."""

import csv
import os
import threading
from dataclasses import replace

import fiona
import numpy as np
import pytest

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.batch.driver import run_batch
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.pairing import pair_folders
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, OutputOptions, TileOptions

from .batches import codes, make_pairs
from .conftest import noise, write_raster

pytestmark = pytest.mark.usefixtures("preloaded")

ray = pytest.importorskip("ray", reason="Ray is not installed (the extra lsafnet[ray])")


@pytest.fixture(scope="module")
def cluster():
    """Yield a cluster of a head without cores and two nodes of one core each, and this process in it."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_DEDUP_LOGS"] = "0"
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
    yield nodes
    ray.shutdown()
    nodes.shutdown()


class NodeKiller(Observer):
    """Takes a node away when the first scene has ended."""

    def __init__(self, nodes) -> None:
        super().__init__()
        self.nodes, self.ended = nodes, []

    def finish(self, item="", text="", **facts) -> None:  # noqa: ARG002
        if item and not self.ended:
            victim = next(iter(self.nodes.worker_nodes))
            threading.Thread(target=self.nodes.remove_node, args=(victim, False)).start()
        self.ended += [item] if item else []


def properties(path):
    with fiona.open(path) as layer:
        return sorted((dict(f["properties"]) for f in layer), key=lambda values: values["id"])


def test_a_huge_scene_shared_out_in_row_bands_is_as_if_never_cut(cluster, tmp_path, tiny_checkpoint):
    for date, seed in (("b", 1), ("a", 2)):
        (tmp_path / date).mkdir()
        write_raster(tmp_path / date / "huge.tif", noise(seed, 2700, 130), compress="deflate")
        write_raster(tmp_path / date / "small.tif", noise(seed, 90, 90))
    predict = PredictOptions(
        checkpoint=tiny_checkpoint, tile=TileOptions(row_band_px=256), device=DeviceOptions(precision="fp32"),
        output=OutputOptions(also=("probability",)),
    )  # fmt: skip
    options = BatchOptions(predict=predict, ray="auto", split_rows=1024)
    scenes = pair_folders(tmp_path / "b", tmp_path / "a").scenes
    report = run_batch(scenes, tmp_path / "out", options)
    assert report.exit_code == 0, report.failures
    alone = OutputOptions((tmp_path / "alone.gpkg",), also=("probability",), scene="huge")
    images = tmp_path / "b" / "huge.tif", tmp_path / "a" / "huge.tif"
    predict_change(*images, tmp_path / "alone.tif", replace(predict, output=alone))
    found, expected = codes(tmp_path / "out" / "huge.tif"), codes(tmp_path / "alone.tif")
    assert (found == expected).mean() >= 0.9999
    assert (codes(tmp_path / "out" / "small.tif") != 255).all()
    probabilities = [
        codes(tmp_path / name).astype(int) for name in ("out/huge.probability.tif", "alone.probability.tif")
    ]
    assert np.abs(probabilities[0] - probabilities[1]).max() <= 1
    drawn, whole = (properties(tmp_path / name) for name in ("out/huge.gpkg", "alone.gpkg"))
    if np.array_equal(found, expected):
        assert [(p["transition"], p["pixels"]) for p in drawn] == [
            (p["transition"], p["pixels"]) for p in whole
        ]
    assert len(drawn) == pytest.approx(len(whole), rel=0.01)
    assert run_batch(scenes, tmp_path / "out", options).done_now == 0
    assert not list((tmp_path / "out").glob(".*.partial"))


def test_a_lost_node_loses_no_scene_and_nothing_is_done_twice(cluster, tmp_path, tiny_checkpoint):
    names = make_pairs(tmp_path, 8, side=200)
    (tmp_path / "b" / "s004.tif").write_bytes(b"broken")
    predict = PredictOptions(checkpoint=tiny_checkpoint, device=DeviceOptions(precision="fp32"))
    killer = NodeKiller(cluster)
    report = run_batch(
        pair_folders(tmp_path / "b", tmp_path / "a").scenes,
        tmp_path / "out",
        BatchOptions(predict, ray="auto"),
        killer,
    )
    assert [record.name for record in report.failures] == ["s004"]
    assert sorted(killer.ended) == names
    assert len(cluster.worker_nodes) == 1
    with (tmp_path / "out" / "batch.csv").open(encoding="utf-8", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)].count("done") == 7
    for name in set(names) - {"s004"}:
        alone = tmp_path / f"{name}.tif"
        predict_change(tmp_path / "b" / f"{name}.tif", tmp_path / "a" / f"{name}.tif", alone, predict)
        np.testing.assert_array_equal(codes(tmp_path / "out" / f"{name}.tif"), codes(alone))
