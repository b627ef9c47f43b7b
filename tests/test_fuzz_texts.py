"""JSON of strangers whose values are odd, gone or doubled, and odd numbers in headers: right, or one kind of error.

`LSAFNET_FUZZ_EXAMPLES=5000 pytest tests/test_fuzz_texts.py` looks further than CI does.
"""

import json
import math
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rasterio.crs import CRS

from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo
from lsafnet.texts import is_legible
from lsafnet_cli.batch.collect import collect_batch
from lsafnet_cli.batch.folder import SceneState, read_state
from lsafnet_cli.batch.records import DONE, SceneRecord
from lsafnet_cli.checkpoints.importing import read_data_set
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.errors import InputError, LsafnetError, OptionError
from lsafnet_cli.files.publishing import NAMING, Naming, WorkFolder
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.zones import ZoneRequest, read_zones
from lsafnet_cli.options import PolygonOptions, StretchRule, TileOptions, parse_bytes
from lsafnet_cli.scenes.outline import read_outline
from lsafnet_cli.scenes.read import read_scene

from .bad_inputs import vrt
from .change_maps import LAND
from .conftest import PLACE, UTM, noise, reading_checkpoint, write_raster
from .training_sets import write_pairs

EXAMPLES = int(os.environ.get("LSAFNET_FUZZ_EXAMPLES", "0")) or 60
MANY = settings(
    deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 60, max_examples=EXAMPLES
)
DEEP = "a list of a list of a list"
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 7, 255, 300, 10**400, 1.5, math.nan, math.inf, "", " ", "weird", "#-1-1-1", "x" * 300, "1",
    "a\x1b[31m", "a\ud800", "a\u202e", "a\x00", "..", "/", [], {}, [[]], [None], {"a": {}}, DEEP,
)  # fmt: skip
changes = st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["odd", "gone", "twice"]), st.sampled_from(ODD)),
                   min_size=1, max_size=3)  # fmt: skip
RING = [[600010, 5334990], [600020, 5334990], [600020, 5334980], [600010, 5334990]]
FEATURE = {"type": "Feature", "properties": {"name": "a"},
           "geometry": {"type": "MultiPolygon", "coordinates": [[RING], [RING]]}}  # fmt: skip
ZONES = {"type": "FeatureCollection", "features": [FEATURE],
         "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}}  # fmt: skip
RECORD = SceneRecord(
    "x", DONE, "b.tif", "a.tif", "x.tif", 1.0, 9, 9, 4, 1.5, 3, 0, extra={"note": "fine"}
).as_dict()


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places in a JSON value, as keys and indices from the top."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, one in inner for place in places(one, (*above, key)))]


def hurt(value: Any, changes: list[tuple[int, str, Any]]) -> str:
    """Return the text of a JSON value of which some places are odd, gone or doubled."""
    value = json.loads(json.dumps(value))
    for number, kind, shared in changes:
        odd = deepcopy(shared)
        known = places(value)
        *way, last = known[number % len(known)] or (None,)
        if last is None:
            value = odd
            continue
        inner = value
        for key in way:
            inner = inner[key]
        if kind == "odd":
            inner[last] = odd
        elif kind == "gone":
            del inner[last]
        elif isinstance(inner, list):
            inner.append(deepcopy(inner[last]))
    return json.dumps(value).replace(f'"{DEEP}"', "[" * 50_000)


@settings(MANY)
@given(changes)
def test_an_odd_legend_is_right_or_a_value_error(changes):
    try:
        legend = Legend.from_json(hurt(json.loads(LAND.to_json()), changes))
    except ValueError:
        return
    assert all(map(is_legible, legend.names))
    assert all(0 <= part <= 255 for color in legend.colors for part in color)


@settings(MANY)
@given(changes)
def test_odd_metadata_of_a_checkpoint_is_right_or_a_checkpoint_error(changes):
    try:
        info = CheckpointInfo.from_json(hurt(json.loads(reading_checkpoint(4, 3).info.to_json()), changes))
    except CheckpointError:
        return
    assert all(is_legible(entry.name) for entry in info.classes)
    json.dumps(json.loads(info.to_json()), allow_nan=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("texts")


@settings(MANY)
@given(changes)
def test_an_odd_table_of_a_batch_is_collected_or_an_input_error(folder, changes):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    table = {"version": "0", "pages": False, "scenes": [{**RECORD, "status": "failed"}], "all_scenes": ["x"]}
    (out / "batch.json").unlink(missing_ok=True)
    (out / "batch.1-of-1.json").write_text(hurt(table, changes), encoding="utf-8")
    try:
        collect_batch(out, False, lambda _: None)
    except InputError:
        return
    json.loads((out / "batch.json").read_text(encoding="utf-8"))


@settings(MANY)
@given(changes)
def test_an_odd_state_is_right_or_none(folder, changes):
    state = {
        "record": RECORD,
        "fingerprint": {"the choice of outputs": ["x.tif"]},
        "ours": True,
        "outputs": {"x.tif": 5},
    }
    (folder / "state.json").write_text(hurt(state, changes), encoding="utf-8")
    found = read_state(folder / "state.json")
    assert found is None or isinstance(found, SceneState)
    store = WorkFolder(folder / "c.tif")
    store.create()
    naming = {"pairs": [["a", "b"]], "gone": [["a", "b"]], "overwrite": False, "asked": {}, "report": {}}
    store.path(NAMING).write_text(hurt(naming, changes), encoding="utf-8")
    known = Naming.read(store)
    assert known is None or all(
        isinstance(name, str) for pair in (*known.pairs, *known.gone) for name in pair
    )


@settings(MANY)
@given(changes)
def test_an_odd_description_of_a_data_set_is_right_or_one_error(folder, changes):
    place = folder / "set"
    if not place.exists():
        write_pairs(place, side=16, train=1, val=1)
    usual = {"mean": [1, 2, 3], "std": [1, 2, 3]}
    classes = [{"name": name, "color": "#010203"} for name in ("unchanged", "a", "b", "c", "d")]
    described = {"classes": classes, "value_range": [0, 255], "use_bands": [1, 2, 3], "labels": "land-cover",
                 "tile_px": 64, "trained_on": "x", "license": "y",
                 "normalization": {"before": usual, "after": usual}}  # fmt: skip
    (place / "classes.json").write_text(hurt(described, changes), encoding="utf-8")
    for read in (open_data_set, lambda _: read_data_set(str(place / "classes.json"))):
        try:
            read(place)
        except (InputError, OptionError) as error:
            assert "classes.json" in str(error) or str(place) in str(error)  # noqa: PT017


@settings(MANY)
@given(changes)
def test_odd_polygons_are_read_or_one_error(folder, changes):
    path = folder / "zones.geojson"
    path.write_text(hurt(ZONES, changes), encoding="utf-8")
    grid = Grid(CRS.from_string(UTM), PLACE, 80, 80)
    for read in (read_outline, lambda name: read_zones(ZoneRequest(name), grid)):
        try:
            read(str(path))
        except LsafnetError as error:
            assert "zones.geojson" in str(error)  # noqa: PT017


numbers = st.sampled_from(
    ["nan", "inf", "-inf", "0", "1e400", "1e-400", "-1", "0.5", "x", "", "1e300"]
) | st.floats().map(str)


@settings(MANY)
@given(st.tuples(*[numbers] * 6))
def test_an_image_with_odd_numbers_in_its_transform_is_read_or_an_input_error(folder, numbers):
    if not (folder / "a.tif").exists():
        write_raster(folder / "a.tif", noise(1, 20, 20))
    text = vrt(20, 20, source="a.tif").replace(
        "<VRTR", f"<GeoTransform>{', '.join(numbers)}</GeoTransform><VRTR", 1
    )
    (folder / "odd.vrt").write_text(text, encoding="utf-8")
    try:
        scene = read_scene(str(folder / "odd.vrt"), None, 3)
    except InputError:
        return
    assert np.isfinite(scene.grid.to_pixels(0, 0)).all()


@settings(MANY)
@given(numbers, numbers, st.text(max_size=8))
def test_odd_numbers_in_options_are_used_or_an_option_error(low, high, text):
    attempts = (
        lambda: StretchRule.parse(f"range:{low},{high}"), lambda: StretchRule.parse(text),
        lambda: parse_bytes(low), lambda: parse_bytes(f"{'9' * 400}{text}"),
        lambda: PolygonOptions(min_area_m2=float(low)), lambda: TileOptions(overlap_px=int(float(high))),
    )  # fmt: skip
    for attempt in attempts:
        try:
            found = attempt()
        except OptionError:
            continue
        except (ValueError, OverflowError) as error:  # of float() and int() above
            assert "convert" in str(error)  # noqa: PT017
            continue
        assert not isinstance(found, StretchRule) or math.isfinite(found.low + found.high)
