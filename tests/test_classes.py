import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lsafnet_cli.legend.classes import Legend, hex_color, parse_color, transition_codes

from .maps import from_to_classes


def legend_of(count: int) -> Legend:
    names = ("unchanged", *(f"Klasse {n} übergroß 水" for n in range(1, count + 1)))
    return Legend(names, tuple((n, 2 * n % 256, 3 * n % 256) for n in range(count + 1)))


@given(st.integers(1, 30), st.data())
def test_a_code_names_its_two_classes_and_zero_means_unchanged(count, data):
    classes = st.lists(st.integers(1, count), min_size=6, max_size=6)
    before, after = (np.array(data.draw(classes), np.int32) for _ in range(2))
    changed = np.array(data.draw(st.lists(st.booleans(), min_size=6, max_size=6)))
    codes = transition_codes(before, after, changed, count)
    expected = np.where(changed, 1 + (before - 1) * count + (after - 1), 0)
    np.testing.assert_array_equal(codes, expected)
    from_class, to_class = from_to_classes(codes, count)
    np.testing.assert_array_equal(from_class, before * changed)
    np.testing.assert_array_equal(to_class, after * changed)


@given(st.integers(1, 40))
@settings(deadline=None)  # many colours take a while to choose
def test_every_code_fits_below_nodata(count):
    legend = legend_of(count)
    codes = [transition.code for transition in legend.transitions]
    assert codes == list(range(1, count * count + 1))
    assert codes[-1] < legend.nodata <= np.iinfo(legend.dtype).max


@given(st.integers(1, 20))
def test_a_legend_survives_its_own_text(count):
    legend = legend_of(count)
    assert Legend.from_json(legend.to_json()) == legend


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"semantic": true, "classes": [{"name": "a"}]}', "3"])
def test_other_text_is_no_legend(text):
    with pytest.raises(ValueError, match=r".+"):
        Legend.from_json(text)


def test_a_legend_without_land_cover_has_one_transition():
    legend = Legend(("unchanged", "changed"), ((255, 255, 255), (255, 0, 0)), semantic=False)
    assert [(t.code, t.name) for t in legend.transitions] == [(1, "changed")]


SECOND = ("#ffffff", "#0000ff", "#808080", "#008000", "#00ff00", "#800000", "#ff0000")
LANDSAT_SCD = ("#ffffff", "#009b00", "#ffa500", "#e61e64", "#00aaf0")


@pytest.mark.parametrize("colors", [SECOND, LANDSAT_SCD, SECOND[:4] + SECOND[5:6]])
def test_transitions_can_be_told_apart_by_colour(colors):
    legend = Legend(tuple(map(str, range(len(colors)))), tuple(map(parse_color, colors)))
    assert len(set(legend.palette.values())) == len(legend.transitions) + 1


def test_colours_are_written_as_they_are_read():
    assert hex_color(parse_color("#0aFF09")) == "#0aff09"
    for wrong in ("red", "#12345", "#12345g", "1234567"):
        with pytest.raises(ValueError, match=r".+"):
            parse_color(wrong)


def test_a_legend_has_no_more_classes_than_its_layers_can_hold():
    names = tuple(f"class {number}" for number in range(256))
    colors = tuple((number, number, number) for number in range(256))
    legend = Legend(names[:255], colors[:255])
    assert (legend.class_count, legend.code_count - 1, legend.nodata) == (254, 254**2, 65535)
    with pytest.raises(ValueError, match="at most 254 land-cover classes, not 255"):
        Legend(names, colors)
