"""Which files pair, what is refused before anything starts, and where nothing may be written."""

from dataclasses import replace
from pathlib import Path

import pytest

from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.pairing import pair_folders, read_pairs
from lsafnet_cli.batch.plan import check_files
from lsafnet_cli.batch.scenes import SceneSpec, check_names
from lsafnet_cli.errors import InputError, OptionError


@pytest.fixture
def folders(tmp_path):
    """Return a function that fills the folders b and a with empty files."""

    def fill(before, after):
        for date, names in (("b", before), ("a", after)):
            for name in names:
                path = tmp_path / date / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return tmp_path / "b", tmp_path / "a"

    return fill


def table(tmp_path, text):
    path = tmp_path / "lists" / "pairs.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_equal_names_pair_in_sub_folders_too_whatever_the_ending(folders):
    found = pair_folders(
        *folders(("x.tif", "n/y.TIF", "only.tif", "notes.txt", ".x.tif"), ("x.jp2", "n/y.tif", "z.tif"))
    )
    assert [(spec.name, str(spec.output)) for spec in found.scenes] == [("n/y", "n/y.tif"), ("x", "x.tif")]
    assert [path.rsplit("/", 1)[1] for path in found.unpaired] == ["z.tif", "only.tif"]
    assert found.doubled == ()


def test_a_pattern_pairs_what_holds_the_same_key(folders):
    found = pair_folders(
        *folders(("2019_tile_7.tif", "2019_tile_8.tif", "odd.tif"), ("2024_tile_7_v2.tif",)),
        r"(?P<key>tile_\d+)",
    )
    (spec,) = found.scenes
    assert (spec.name, spec.before[-15:], spec.after[-18:]) == (
        "tile_7",
        "2019_tile_7.tif",
        "2024_tile_7_v2.tif",
    )
    assert {path.rsplit("/", 1)[1] for path in found.unpaired} == {"2019_tile_8.tif", "odd.tif"}


def test_what_pairs_twice_is_named_and_left_out(folders):
    found = pair_folders(*folders(("x.tif", "x.png", "y.tif"), ("x.tif", "y.tif")))
    assert [spec.name for spec in found.scenes] == ["y"]
    assert len(found.doubled) == 1
    assert "x.tif" in found.doubled[0]
    assert "x.png" in found.doubled[0]
    assert found.unpaired == ()


@pytest.mark.parametrize("match", ["(", "nothing_like_this"])
def test_a_pattern_that_is_none_or_pairs_nothing_is_refused(folders, match):
    with pytest.raises(OptionError, match="match"):
        pair_folders(*folders(("x.tif",), ("x.tif",)), match)


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        pair_folders(tmp_path / "b", tmp_path / "a")


def test_a_table_names_pairs_from_where_it_lies_and_keeps_its_own_columns(tmp_path):
    path = table(
        tmp_path,
        "\ufeffbefore, after,output,name,before_date,after_date,aoi,district\n"
        "../x.tif,https://example.org/y.tif,out/one.tif,first,2019-05-01,2024-05-01,area.gpkg,Mitte\n"
        '/vsizip/a.zip/x.tif,"y, new.tif",,,,,,\n',
    )
    first, second = read_pairs(path).scenes
    assert (first.before, first.after) == (f"{path.parent}/../x.tif", "https://example.org/y.tif")
    assert (first.name, str(first.output), first.aoi) == ("first", "out/one.tif", f"{path.parent}/area.gpkg")
    assert (str(first.before_date), str(first.after_date)) == ("2019-05-01", "2024-05-01")
    assert first.extra == {"district": "Mitte"}
    assert (second.before, second.after) == ("/vsizip/a.zip/x.tif", f"{path.parent}/y, new.tif")
    assert (second.name, str(second.output), second.aoi) == ("x", "x.tif", None)


def test_a_table_with_semicolons_is_read_as_well(tmp_path):
    (spec,) = read_pairs(table(tmp_path, "before;after\nx.tif;y.tif\n")).scenes
    assert spec.after.endswith("y.tif")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("before,output\nx,y\n", "has no column after"),
        ("before,after\n", "contains no pairs"),
        ("before,after\nx.tif,\n", "line 2: after is empty"),
        ("before,after\nx.tif,y.tif,z.tif\n", "line 2"),
        ("before,after,after_date\nx.tif,y.tif,May\n", "line 2: after_date May"),
        ("before,after,output\nx.tif,y.tif,../out.tif\n", "is not in the batch's folder"),
        ("before,after,output\nx.tif,y.tif,/etc/out.tif\n", "is not in the batch's folder"),
        ("before,after,output\nx.tif,y.tif,a/../../out.tif\n", "is not in the batch's folder"),
        ("before,after,output\nx.tif,y.tif,.batch/out.tif\n", "is not in the batch's folder"),
        ("before,after,name\nx.tif,y.tif,../out\n", "is not in the batch's folder"),
        ("before,after,output\nx.tif,y.tif,out.png\n", "its name must end in .tif"),
        ("before,after,output\nx.tif,y.tif,a.tif\nz.tif,y.tif,a.tif\n", "two scenes have the"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_as_a_whole(tmp_path, text, told):
    with pytest.raises(OptionError) as caught:
        read_pairs(table(tmp_path, text))
    assert told in str(caught.value)


def test_a_table_that_is_none_cannot_be_read(tmp_path):
    path = table(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="CSV"):
        read_pairs(path)


def specs(*outputs):
    return [SceneSpec(f"n{k}", f"b{k}.tif", f"a{k}.tif", output) for k, output in enumerate(outputs)]


def test_two_scenes_never_write_one_file(tmp_path):
    for names, told in (
        (("x.tif", "x.from.tif"), "x.from.tif"),
        (("changes.tif",), "the batch itself"),
        (("x.tif", "x.tiff"), "x.gpkg"),
    ):
        scenes = specs(*map(Path, names))
        check_names(scenes)
        options = BatchOptions()
        options = BatchOptions(predict=_also_from(options.predict))
        with pytest.raises(OptionError) as caught:
            check_files(scenes, tmp_path, options)
        assert told in str(caught.value)
    check_files(specs(Path("x.tif"), Path("y/x.tif")), tmp_path, BatchOptions())


def _also_from(predict):
    return replace(predict, output=replace(predict.output, also=("from",)))


def test_a_map_never_takes_the_place_of_an_image(tmp_path):
    (tmp_path / "x.tif").touch()
    scene = SceneSpec("x", str(tmp_path / "x.tif"), "y.tif", Path("x.tif"))
    with pytest.raises(OptionError, match="is also an input"):
        check_files([scene], tmp_path, BatchOptions())


def test_long_and_odd_outputs_have_keys_of_their_own(tmp_path):
    long = ["ä" * 60 + end for end in ("x", "y")]
    keys = {spec.key for spec in specs(*(Path(f"{name}/z.tif") for name in (*long, "a b", "a%20b")))}
    assert len(keys) == 4
    assert all(len(key) < 200 and "/" not in key for key in keys)
