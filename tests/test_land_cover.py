"""Land cover of one date in a change map against an existing raster."""

import json

import numpy as np
import pytest

from lsafnet_cli import EvaluateOptions, evaluate_land_cover, evaluate_map
from lsafnet_cli.app import main
from lsafnet_cli.errors import InputError, NoOverlapError, OptionError
from lsafnet_cli.evaluation import counting, land_cover
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.observer import Observer

from .change_maps import LAND, NODATA, WATER_TO_BUILDING, WATER_TO_GROUND, write_map
from .conftest import PLACE, write_raster

PLAIN = EvaluateOptions(resamples=0)
WORLDCOVER = np.array([0, 80, 60, 50], np.uint8)  # of no class, water, ground, building


def write_layer(path, classes, legend=LAND):
    return write_raster(
        path, np.asarray(classes, np.uint8)[None], nodata=255, tags={LEGEND: legend.to_json()}
    )


def write_cover(path, classes, **profile):
    return write_raster(path, np.asarray(classes, np.uint8)[None], **profile)


@pytest.fixture
def scene(tmp_path):
    """Return a map, the classes of its after layer and a reference that differs in places."""
    rng = np.random.default_rng(1)
    classes = rng.integers(1, 4, (90, 130)).astype(np.uint8)
    truth = np.where(rng.random(classes.shape) < 0.7, classes, rng.integers(1, 4, classes.shape)).astype(
        np.uint8
    )
    classes[:5], truth[:, :7] = 255, 0
    path = write_map(tmp_path / "map.tif", np.zeros(classes.shape, np.uint8))
    write_layer(tmp_path / "map.after.tif", classes)
    return path, classes, truth


def test_the_layer_of_a_date_is_scored_as_the_definitions_say(scene, tmp_path):
    path, classes, truth = scene
    reference = write_cover(tmp_path / "cover.tif", WORLDCOVER[truth])
    report = evaluate_land_cover(path, reference, "after", PLAIN, mapping="worldcover")
    counted = (classes < 4) & (truth > 0)
    ours, theirs = classes[counted], truth[counted]
    assert report.counted_pixels == counted.sum()
    assert report.nodata_pixels == (classes == 255).sum()
    assert report.unlabelled_pixels == ((classes < 4) & (truth == 0)).sum()
    assert report.overall_accuracy.value == pytest.approx((ours == theirs).mean(), abs=1e-6)
    shares = [((ours == one).mean(), (theirs == one).mean()) for one in (1, 2, 3)]
    chance = sum(mine * other for mine, other in shares)
    assert report.kappa.value == pytest.approx(((ours == theirs).mean() - chance) / (1 - chance), abs=1e-6)
    both = [
        ((ours == one) & (theirs == one)).sum() / ((ours == one) | (theirs == one)).sum() for one in (1, 2, 3)
    ]
    assert report.miou.value == pytest.approx(np.mean(both), abs=1e-6)
    assert [one.iou for one in report.class_scores] == pytest.approx(both, abs=1e-6)
    expected = [[int(((theirs == row) & (ours == col)).sum()) for col in (1, 2, 3)] for row in (1, 2, 3)]
    assert [list(row) for row in report.confusion] == expected
    assert not report.changed_only
    assert report.classes == ("water", "ground", "building")


def test_without_the_layer_the_classes_of_changed_pixels_are_scored(tmp_path):
    codes = np.array([[0, WATER_TO_GROUND, WATER_TO_BUILDING, NODATA, WATER_TO_GROUND]], np.uint8)
    path = write_map(tmp_path / "map.tif", codes)
    reference = write_cover(tmp_path / "cover.tif", [[1, 2, 2, 3, 0]])
    observer = Observer()
    report = evaluate_land_cover(path, reference, "after", PLAIN, observer)
    assert (report.counted_pixels, report.overall_accuracy.value, report.changed_only) == (2, 0.5, True)
    assert (report.nodata_pixels, report.unlabelled_pixels) == (2, 1)
    assert any("only changed pixels" in text for text in observer.notices)
    before = evaluate_land_cover(path, write_cover(tmp_path / "b.tif", [[1, 1, 1, 1, 3]]), "before", PLAIN)
    assert before.counted_pixels == 3
    assert before.overall_accuracy.value == pytest.approx(2 / 3, abs=1e-6)


def test_blocks_and_units_change_no_count_and_intervals_hold_the_value(scene, tmp_path, monkeypatch):
    path, _, truth = scene
    reference = write_cover(tmp_path / "cover.tif", truth)
    whole = evaluate_land_cover(path, reference, "after", EvaluateOptions(unit_px=16, resamples=200))
    monkeypatch.setattr(counting, "BLOCK_PX", 37)
    parts = evaluate_land_cover(path, reference, "after", EvaluateOptions(unit_px=16, resamples=200))
    assert parts == whole
    assert whole.units == 6 * 9
    for score in (whole.overall_accuracy, whole.miou, whole.kappa):
        assert score.low < score.value < score.high
    assert land_cover.MAIN_SCORES == ("overall_accuracy", "miou", "kappa")


def test_a_reference_on_another_grid_is_met_by_its_nearest_pixel(scene, tmp_path):
    path, _, truth = scene
    fine = write_cover(
        tmp_path / "fine.tif", truth.repeat(2, 0).repeat(2, 1), transform=PLACE @ PLACE.scale(0.5)
    )
    plain = write_cover(tmp_path / "cover.tif", truth)
    one, other = (evaluate_land_cover(path, reference, "after", PLAIN) for reference in (fine, plain))
    assert one.confusion == other.confusion


def test_what_cannot_be_compared_is_one_line(scene, tmp_path):
    path, _, truth = scene
    reference = write_cover(tmp_path / "cover.tif", truth)
    with pytest.raises(OptionError, match="before or after"):
        evaluate_land_cover(path, reference, "binary", PLAIN)
    with pytest.raises(OptionError, match="call evaluate_land_cover"):
        evaluate_map(path, [reference], "after")
    with pytest.raises(NoOverlapError, match="no pixel with a known class"):
        evaluate_land_cover(path, reference, "before", PLAIN)  # no layer, and nothing has changed
    other = Legend(("unchanged", "sea", "ground", "building"), LAND.colors)
    write_layer(tmp_path / "map.after.tif", truth, other)
    with pytest.raises(InputError, match="another grid or other classes"):
        evaluate_land_cover(path, reference, "after", PLAIN)
    binary = Legend(("unchanged", "changed"), ((0, 0, 0), (1, 1, 1)), semantic=False)
    two = write_map(tmp_path / "two.tif", np.zeros((9, 9), np.uint8), tags={LEGEND: binary.to_json()})
    with pytest.raises(OptionError, match="no land cover"):
        evaluate_land_cover(two, reference, "after", PLAIN)


def run(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *map(str, words)])
    printed = capsys.readouterr()
    return left.value.code, printed.out, printed.err


def test_the_command_shows_tables_or_json(scene, tmp_path, capsys):
    path, _, truth = scene
    reference = write_cover(tmp_path / "cover.tif", WORLDCOVER[truth])
    words = (path, reference, "--labels", "after", "--mapping", "worldcover", "--unit", "32", "-q")
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["overall_accuracy"]["low"] <= told["overall_accuracy"]["value"]
    code, out, _ = run(capsys, *words)
    assert code == 0
    for text in ("overall accuracy", "kappa", "Land cover after, all pixels", "building"):
        assert text in out
    code, out, err = run(capsys, path, reference, reference, "--labels", "after", "-q")
    assert (code, out) == (2, "")
    assert "--labels after: takes one reference" in err
