"""`lsafnet demo`, with nothing but what ships inside."""

import pytest

from lsafnet_cli.app import main


def test_the_demo_leaves_map_polygons_and_picture_and_replaces_them_only_when_told(tmp_path, capsys):
    folder = tmp_path / "new" / "demo"
    with pytest.raises(SystemExit) as left:
        main(["demo", str(folder), "-q"])
    assert left.value.code == 0
    assert "What changed" in capsys.readouterr().out
    for name in ("before.tif", "after.tif", "changes.tif", "changes.gpkg", "changes.quicklook.png"):
        assert (folder / name).stat().st_size > 0
    with pytest.raises(SystemExit) as left:
        main(["demo", str(folder), "-q"])
    assert left.value.code == 6
