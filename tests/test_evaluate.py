"""`lsafnet evaluate` on maps: scores of worlds that a hand can count, and one line for what does not fit."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from lsafnet import ChangeMetrics
from lsafnet_cli import EvaluateOptions, evaluate_map
from lsafnet_cli.app import main
from lsafnet_cli.data_sets.mapping import read_mapping
from lsafnet_cli.errors import InputError, NoOverlapError, OptionError, PairError
from lsafnet_cli.evaluation import counting as stage
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.observer import Observer

from .conftest import PLACE, write_raster
from .maps import blobs, from_to_classes, large_legend, legend_of, write_map, write_town

NODATA = 255
HEADLINES = ("miou", "oa", "sek", "f_scd")


def write_classes(path, classes, **profile):
    return write_raster(path, np.asarray(classes, np.uint8)[None], **profile)


def world(folder, rows=120, cols=90, seed=5, **place):
    """Write a map and land cover of both dates; return paths, codes and land cover. The corner has no data."""
    legend = legend_of()
    land = [blobs(seed + n, rows, cols, 4, block=15) + 1 for n in range(2)]
    codes = np.where(land[0] != land[1], 1 + (land[0] - 1) * 4 + (land[1] - 1), 0)
    codes[5:30, 40:60] = blobs(seed, 25, 20, 17, block=5)
    codes[:20, :30] = NODATA
    path = write_map(folder / "changes.tif", codes, legend, **place)
    references = [write_classes(folder / f"{date}.tif", x) for date, x in zip("ba", land, strict=True)]
    return path, references, codes, land


def expected_scores(codes, land, valid):
    """Return what `ChangeMetrics` makes of all valid pixels at once."""
    metrics, changed = ChangeMetrics(5), land[0] != land[1]
    metrics.update(*from_to_classes(codes, 4), *(x * changed for x in land), valid=valid)
    return metrics.compute()


def without_intervals(**changes):
    return EvaluateOptions(resamples=0, **changes)


def values(report):
    return {name: getattr(report.scores, name).value for name in HEADLINES}


def test_three_pixels_are_scored_as_a_hand_does(tmp_path):
    legend = legend_of(names=("water", "ground", "grass", "house"))
    codes = np.array([[0, 2, 2, 0, NODATA]])  # 2: water to ground
    path = write_map(tmp_path / "changes.tif", codes, legend)
    before = write_classes(tmp_path / "before.tif", [[1, 1, 1, 0, 1]])
    after = write_classes(tmp_path / "after.tif", [[1, 2, 1, 2, 2]])
    found = evaluate_map(path, (before, after)).scores
    assert (found.counted_pixels, found.nodata_pixels, found.unlabelled_pixels) == (3, 1, 1)
    assert (found.iou_unchanged, found.iou_changed) == (1 / 2, 1 / 2)
    assert found.oa.value == pytest.approx(4 / 6, abs=1e-6)
    assert found.f_scd.value == pytest.approx(2 * 2 / (4 + 2), abs=1e-6)
    (row,) = found.transitions
    assert (row.name, row.code, row.pixels, row.map_pixels) == ("water to ground", 2, 1, 2)
    assert (row.precision, row.recall, row.iou) == (1 / 2, 1, 1 / 2)
    codes, matrix = found.confusion_matrix()
    assert codes == (0, 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_scores_are_those_of_all_valid_pixels(tmp_path):
    path, references, codes, land = world(tmp_path)
    report = evaluate_map(path, references, options=without_intervals())
    valid = codes != NODATA
    expected = expected_scores(codes, land, valid)
    assert values(report) == pytest.approx({name: expected[name] for name in HEADLINES}, abs=1e-6)
    assert [row.iou for row in report.scores.classes] == pytest.approx(
        [row["iou"] for row in expected["classes"]], abs=1e-6
    )
    assert report.scores.counted_pixels == valid.sum()
    assert report.scores.nodata_pixels == 600
    assert sum(cell.pixels for cell in report.scores.confusion) == valid.sum()
    assert report.scores.miou.low is None


@pytest.mark.parametrize("kind", ["codes", "changes"])
def test_a_map_against_itself_is_right_everywhere(tmp_path, kind):
    path, codes, _ = write_town(tmp_path)
    references, labels = [path], None
    if kind == "changes":
        known = codes != NODATA
        sides = from_to_classes(np.where(known, codes, 0), 4)
        references = [
            write_classes(tmp_path / f"{n}.tif", np.where(known, x, 9), nodata=9) for n, x in enumerate(sides)
        ]
        labels = "changes"
    found = evaluate_map(path, references, labels, EvaluateOptions(unit_px=30)).scores
    for name in HEADLINES:
        score = getattr(found, name)
        assert (score.value, score.low, score.high) == (1, 1, 1)
    assert found.boundary.f1 == 1
    assert {row.f1 for row in found.transitions} == {1}
    assert found.counted_pixels == (codes != NODATA).sum()


@pytest.mark.parametrize("offset", [(-5, -8), (20, 30), (-10, 40)])
def test_references_on_a_moved_grid_are_met_where_they_lie(tmp_path, offset):
    """Land cover is drawn on a larger ground, of which the map and the references see different parts."""
    path, _, codes, land = world(tmp_path)
    rows, cols = codes.shape
    ground = [np.zeros((300, 300), int) for _ in range(2)]
    for whole, part in zip(ground, land, strict=True):
        whole[100 : 100 + rows, 100 : 100 + cols] = part
    first_col, first_row = 100 + offset[0], 100 + offset[1]
    references = [
        write_classes(
            tmp_path / f"moved{n}.tif", x[first_row : first_row + 110, first_col : first_col + 80],
            transform=PLACE @ Affine.translation(*offset),
        )
        for n, x in enumerate(ground)
    ]  # fmt: skip
    under = np.zeros((300, 300), bool)
    under[first_row : first_row + 110, first_col : first_col + 80] = True
    under = under[100 : 100 + rows, 100 : 100 + cols]
    report = evaluate_map(path, references, options=without_intervals())
    expected = expected_scores(codes, land, under & (codes != NODATA))
    assert values(report) == pytest.approx({name: expected[name] for name in HEADLINES}, abs=1e-6)
    found = report.scores
    assert found.counted_pixels == (under & (codes != NODATA)).sum()
    assert found.outside_pixels == (~under).sum()
    counts = (found.counted_pixels, found.nodata_pixels, found.unlabelled_pixels, found.outside_pixels)
    assert sum(counts) == codes.size


def test_coarser_and_foreign_references_go_to_the_nearest_pixel(tmp_path):
    path, _, codes, _ = world(tmp_path)
    coarse = [blobs(n, 60, 45, 4, block=3) + 1 for n in (31, 32)]
    place = PLACE @ Affine.scale(2)
    references = [write_classes(tmp_path / f"c{n}.tif", x, transform=place) for n, x in enumerate(coarse)]
    fine = [x.repeat(2, 0).repeat(2, 1) for x in coarse]
    expected = expected_scores(codes, fine, codes != NODATA)
    found = evaluate_map(path, references, options=without_intervals())
    assert values(found) == pytest.approx({name: expected[name] for name in HEADLINES}, abs=1e-6)


def test_references_may_hold_colours(tmp_path):
    path, references, _, land = world(tmp_path)
    shades = np.array(legend_of().colors, np.uint8)
    colored = [
        write_raster(tmp_path / f"rgb{n}.tif", shades[x].transpose(2, 0, 1)) for n, x in enumerate(land)
    ]
    assert evaluate_map(path, colored).scores == evaluate_map(path, references).scores


@pytest.mark.parametrize("block_px", [16, 37, 64])
def test_scores_do_not_depend_on_how_the_map_is_cut(tmp_path, monkeypatch, block_px):
    path, references, _, _ = world(tmp_path)
    options = EvaluateOptions(unit_px=24)
    whole = evaluate_map(path, references, options=options)
    monkeypatch.setattr(stage, "BLOCK_PX", block_px)
    assert evaluate_map(path, references, options=options) == whole


def test_intervals_are_of_the_seed_and_hold_the_score(tmp_path):
    path, references, _, _ = world(tmp_path)
    first, again, other = (
        evaluate_map(path, references, options=EvaluateOptions(unit_px=15, seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.scores.miou != other.scores.miou
    for name in HEADLINES:
        score = getattr(first.scores, name)
        assert score.low < score.value < score.high
    assert (first.scores.unit_px, first.scores.units) == (15, 8 * 6 - 2)  # the corner without data holds two


def test_one_unit_has_no_interval_and_few_units_are_warned_of(tmp_path):
    path, references, _, _ = world(tmp_path)
    for unit_px, words in ((256, "are in one square of 256 pixels"), (60, "only 4 squares of 60")):
        observer = Observer()
        found = evaluate_map(path, references, options=EvaluateOptions(unit_px=unit_px), observer=observer)
        assert any(words in text for text in observer.notices)
        assert found.notices == tuple(observer.notices)
        assert (found.scores.oa.low is None) == (unit_px == 256)


def test_large_maps_have_larger_units(tmp_path, monkeypatch):
    path, references, _, _ = world(tmp_path)
    monkeypatch.setattr(stage, "MOST_UNITS", 10)
    found = evaluate_map(path, references, options=EvaluateOptions(unit_px=10)).scores
    assert (found.unit_px, found.units) == (40, 3 * 3)


def test_a_map_of_change_alone_takes_one_reference(tmp_path):
    legend = Legend(("unchanged", "changed"), ((255, 255, 255), (255, 0, 0)), semantic=False)
    codes = blobs(3, 50, 50, 2, block=5)
    path = write_map(tmp_path / "changes.tif", codes, legend)
    reference = write_classes(tmp_path / "reference.tif", codes * 255)
    found = evaluate_map(path, [reference]).scores
    assert found.miou.value == found.boundary.f1 == 1
    assert [(row.from_class, row.name) for row in found.transitions] == [(None, "changed")]
    with pytest.raises(OptionError, match="knows changed and unchanged only"):
        evaluate_map(path, [reference, reference])


def test_a_map_of_many_classes_is_scored_as_well(tmp_path):
    legend = large_legend(40)
    codes = blobs(6, 90, 120, legend.code_count, block=6)
    path = write_map(tmp_path / "changes.tif", codes, legend)
    found = evaluate_map(path, [path]).scores
    assert found.f_scd.value == 1
    assert len(found.confusion) == len(np.unique(codes))


def test_what_does_not_fit_is_said(tmp_path):
    path, references, codes, _ = world(tmp_path)
    strange = write_classes(tmp_path / "strange.tif", np.full(codes.shape, 9))
    with pytest.raises(InputError, match=r"strange.tif: the value 9 is none of the classes 0\.\.4"):
        evaluate_map(path, (references[0], strange))
    place = PLACE @ Affine.translation(5000, 0)
    far = write_classes(tmp_path / "far.tif", np.ones((9, 9)), transform=place)
    with pytest.raises(NoOverlapError, match=r"changes.tif and .*far.tif do not overlap"):
        evaluate_map(path, (references[0], far))
    blank = write_classes(tmp_path / "blank.tif", np.zeros(codes.shape))
    with pytest.raises(NoOverlapError, match=r"no pixel with data has a known label .*10,200 no label"):
        evaluate_map(path, (blank, blank))
    with pytest.raises(InputError, match="is no change map of lsafnet"):
        evaluate_map(references[0], references)
    other = write_map(tmp_path / "other.tif", codes, legend_of(names=("a", "b", "c", "d")))
    with pytest.raises(PairError, match=r"has the classes unchanged, a, b, c, d, and .* has unchanged, A, B"):
        evaluate_map(path, [other])
    percent = np.full(codes.shape, 50, np.uint8)
    write_map(tmp_path / "more.tif", codes, legend_of(), probability=percent)
    for words in (
        (tmp_path / "more.probability.tif", references),
        (path, [tmp_path / "more.probability.tif"]),
    ):
        with pytest.raises(InputError, match="probability of change"):
            evaluate_map(*words)


def test_references_without_a_crs_lie_in_that_of_the_map(tmp_path):
    path, _, _, land = world(tmp_path)
    observer = Observer()
    place = PLACE @ Affine.translation(0, 60)
    bare = [
        write_classes(tmp_path / f"bare{n}.tif", x[60:], crs=None, transform=place)
        for n, x in enumerate(land)
    ]
    cut = [write_classes(tmp_path / f"cut{n}.tif", x[60:], transform=place) for n, x in enumerate(land)]
    assert evaluate_map(path, bare, observer=observer).scores == evaluate_map(path, cut).scores
    assert sum("has no CRS" in text for text in observer.notices) == 2


def test_a_reference_without_georeference_must_have_the_maps_size(tmp_path):
    path, references, _, land = world(tmp_path)
    bare = [
        write_classes(tmp_path / f"bare{n}.tif", x, crs=None, transform=Affine.identity())
        for n, x in enumerate(land)
    ]
    assert evaluate_map(path, bare).scores == evaluate_map(path, references).scores
    small = write_classes(tmp_path / "small.tif", land[0][:50], crs=None, transform=Affine.identity())
    with pytest.raises(InputError, match="is 90x50 pixels and not georeferenced"):
        evaluate_map(path, (small, small))


def run(capsys, *words):
    """Run the command line and return its exit code, what it printed and what it said."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code, *capsys.readouterr()


def test_the_command_prints_tables_and_json(tmp_path, capsys):
    path, references, _, _ = world(tmp_path)
    code, shown, said = run(capsys, "evaluate", path, *references, "--unit", 15)
    assert (code, said) == (0, "")
    for words in ("mIoU", "boundary F1", "A to B", "600 without data in the map", "46 squares of 15 px"):
        assert words in shown
    code, text, said = run(capsys, "evaluate", path, *references, "--json", "-q")
    assert (code, said) == (0, "")
    assert json.loads(text) == json.loads(json.dumps(evaluate_map(path, references).as_dict()))
    quiet = run(capsys, "evaluate", path, *references, "-q", "--bootstrap", 0)
    assert " to 0" not in quiet[1].split("Classes")[0]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_confusion_of_transitions_is_drawn(tmp_path, capsys, ending):
    path, references, _, _ = world(tmp_path)
    picture = tmp_path / f"confusion.{ending}"
    assert run(capsys, "evaluate", path, *references, "-q", "--plot", picture)[0] == 0
    if ending == "svg":
        text = picture.read_text(encoding="utf-8")
        assert all(words in text for words in ("in the map", "in the reference", "unchanged", "A to B"))
    else:
        with rasterio.open(picture) as image:
            assert min(image.shape) > 500
    assert run(capsys, "evaluate", path, *references, "--plot", picture)[0] == 6


def test_the_rarest_of_many_transitions_are_put_together_in_the_picture(tmp_path):
    from lsafnet_cli.evaluation.confusion_plot import MOST_CODES, REST, shown_matrix

    legend = large_legend(9)
    codes = blobs(6, 90, 120, legend.code_count, block=6)
    path = write_map(tmp_path / "changes.tif", codes, legend)
    names, matrix = shown_matrix(evaluate_map(path, [path]).scores)
    assert len(names) == MOST_CODES
    assert names[-1] == REST
    assert matrix.sum() == codes.size
    assert matrix.trace() == codes.size


def test_errors_of_the_command_are_one_line_with_their_exit_code(tmp_path, capsys):
    path, references, codes, _ = world(tmp_path)
    strange = write_classes(tmp_path / "strange.tif", np.full(codes.shape, 9))
    place = PLACE @ Affine.translation(5000, 0)
    far = write_classes(tmp_path / "far.tif", np.ones((9, 9)), transform=place)
    before, after = references
    for code, words in [
        (2, []), (2, [path]), (2, [path, before, after, before]), (2, [path, before, "--labels", "changes"]),
        (2, [path, *references, "--labels", "colours"]), (2, [path, *references, "--boundary", "-1"]),
        (2, [path, *references, "--unit", "0"]), (2, [path, *references, "--bootstrap", "-1"]),
        (2, [path, *references, "--seed", "-1"]), (2, [path, *references, "--dataset", tmp_path]),
        (2, [path, *references, "--checkpoint", "a.safetensors"]), (2, [path, *references, "--tta"]),
        (2, [path, *references, "--plot", "a.pdf"]), (2, ["--dataset", tmp_path, "--labels", "changes"]),
        (3, [before, *references]), (3, [path, before, strange]), (3, [path, tmp_path / "none.tif"]),
        (3, ["--dataset", tmp_path / "none"]), (4, [path, far, far]), (7, [path, path, "--device", "cuda:99"]),
    ]:  # fmt: skip
        found, printed, said = run(capsys, "evaluate", *words)
        assert (found, printed, said.count("\n")) == (code, "", 1), (words, said)


@pytest.mark.parametrize("changed", [1, 255])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_binary_mask_scores_changes_of_a_map_of_classes(tmp_path, changed, bands):
    codes = np.array([[0, 2, 2, 0, 4, NODATA]])
    path = write_map(tmp_path / "changes.tif", codes, legend_of())
    truth = np.array([[0, 1, 0, 1, 1, 1]]) * changed
    mask = write_raster(tmp_path / "mask.tif", np.repeat(truth[None].astype(np.uint8), bands, axis=0))
    observer = Observer()
    for labels in ("binary", None):
        report = evaluate_map(path, [mask], labels, without_intervals(), observer=observer)
        assert report.labels == "binary"
        assert report.scores.counted_pixels == 5
        assert report.scores.iou_changed == 0.5
        (change,) = report.scores.transitions
        assert (change.precision, change.recall) == (round(2 / 3, 6), round(2 / 3, 6))
    assert sum("is a binary change map" in text for text in observer.notices) == 1


def test_a_mask_of_other_numbers_is_refused(tmp_path):
    path = write_map(tmp_path / "changes.tif", np.array([[0, 2, 2]]), legend_of())
    mask = write_classes(tmp_path / "mask.tif", [[0, 7, 255]])
    with pytest.raises(InputError, match="is none of 0, 1 and 255"):
        evaluate_map(path, [mask], "binary", without_intervals())


LAND_COVER = ("water", "ground", "vegetation", "building")


def test_worldcovers_classes_are_mapped_to_those_of_the_map(tmp_path):
    path = write_map(tmp_path / "changes.tif", np.array([[2, 0, 0, 15, 0]]), legend_of(names=LAND_COVER))
    before = write_classes(tmp_path / "b.tif", [[80, 10, 40, 50, 70]])  # water, tree, crops, built-up, snow
    after = write_classes(tmp_path / "a.tif", [[60, 30, 40, 10, 70]])  # bare, grass, crops, tree, snow
    report = evaluate_map(path, [before, after], None, without_intervals(), mapping="worldcover")
    assert (report.scores.counted_pixels, report.scores.unlabelled_pixels) == (4, 1)
    assert {one.name: one.f1 for one in report.scores.transitions} == {
        "water to ground": 1.0, "building to vegetation": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize("colored", [False, True])
def test_seconds_own_legend_is_mapped_by_name(tmp_path, colored):
    path = write_map(tmp_path / "changes.tif", np.array([[0, 3, 10]]), legend_of(names=LAND_COVER))
    numbers = np.array([[[0, 1, 4]], [[0, 3, 6]]])  # unchanged; water to low vegetation; tree to playground
    colors = np.array(
        [(255, 255, 255), (0, 0, 255), (128, 128, 128), (0, 128, 0), (0, 255, 0), (128, 0, 0), (255, 0, 0)],
        np.uint8,
    )
    pixels = [np.moveaxis(colors[n], -1, 0) if colored else n[None].astype(np.uint8) for n in numbers]
    references = [write_raster(tmp_path / f"{n}.tif", one) for n, one in enumerate(pixels)]
    report = evaluate_map(path, references, "changes", without_intervals(), mapping="second")
    assert {one.name for one in report.scores.transitions} == {"water to vegetation", "vegetation to ground"}
    assert values(report)["oa"] == 1


def test_a_file_maps_numbers_and_colours(tmp_path):
    path = write_map(tmp_path / "changes.tif", np.array([[2, 0, 0]]), legend_of(names=LAND_COVER))
    before, after = (
        write_classes(tmp_path / f"{n}.tif", row) for n, row in enumerate(([[7, 8, 9]], [[8, 8, 9]]))
    )
    table = tmp_path / "classes.json"
    table.write_text('{"7": "Water", "8": "ground", "9": null, "#00ff00": "vegetation"}')
    report = evaluate_map(path, [before, after], None, without_intervals(), mapping=str(table))
    assert (report.scores.counted_pixels, values(report)["oa"]) == (2, 1)
    for text, words in (
        ('{"7": "lake"}', "'lake' is no class of the map"), ('{"7": null}', "contains no class of the map"),
        ('{"x": "water"}', "neither a number nor a colour"), ("[]", "write"), ("{", "is no valid JSON"),
        ('{"7": "water"}', "the value 8 is not in the mapping"),
    ):  # fmt: skip
        table.write_text(text)
        with pytest.raises(InputError, match=words):
            evaluate_map(path, [before, after], None, without_intervals(), mapping=str(table))
    with pytest.raises(OptionError, match="name a JSON file, or one of second, landsat-scd, worldcover"):
        evaluate_map(path, [before, after], None, without_intervals(), mapping="mine")


def test_every_known_legend_names_classes_of_the_shipped_one():
    for name in ("second", "landsat-scd", "worldcover", "nlcd", "corine"):
        found = read_mapping(name, ("unchanged", *LAND_COVER))
        assert {1, 2, 3, 4} <= set(found.numbers.values()) or name == "landsat-scd"
    corine = read_mapping("corine", ("unchanged", *LAND_COVER)).numbers
    assert corine[111] == corine[1] == 4
    assert corine[311] == corine[23] == 3
    assert corine[523] == corine[44] == 1


@pytest.mark.parametrize("labels", ["changes", "land-cover", None])
def test_two_masks_of_changed_pixels_are_no_references_of_classes(tmp_path, labels):
    path = write_map(tmp_path / "map.tif", np.array([[0, 1], [2, 0]]), legend_of())
    masks = [write_classes(tmp_path / f"{name}.tif", [[0, 255], [255, 0]]) for name in ("one", "other")]
    with pytest.raises(
        OptionError, match=r"hold 0 and 255, changed or not, and no classes; .* `labels` binary"
    ):
        evaluate_map(path, masks, labels, without_intervals())
