"""`lsafnet demo`, with nothing but what ships inside."""

import pytest

from lsafnet_cli.app import main


def test_the_demo_leaves_all_its_files_and_replaces_them_only_when_told(tmp_path, capsys):
    folder = tmp_path / "new" / "demo"
    with pytest.raises(SystemExit) as left:
        main(["demo", str(folder), "-q"])
    assert left.value.code == 0
    assert "What changed" in capsys.readouterr().out
    for name in (
        "before.tif",
        "after.tif",
        "changes.tif",
        "changes.gpkg",
        "changes.quicklook.png",
        "changes.report.html",
    ):
        assert (folder / name).stat().st_size > 0
    with pytest.raises(SystemExit) as left:
        main(["demo", str(folder), "-q"])
    assert left.value.code == 6


def test_a_demo_that_may_not_write_one_of_its_files_writes_none(tmp_path, capsys):
    (tmp_path / "changes.geojson").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["demo", str(tmp_path), "-q"])
    assert left.value.code == 6
    assert "changes.geojson" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["changes.geojson"]
