"""Colours of transitions: what is promised in docs/colours.md."""

import colour
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lsafnet_cli.legend.palettes import (
    GREY_CHROMA,
    MOST_CLASSES_SPREAD,
    UNCHANGED_COLOR,
    VISIONS,
    linear,
    oklab,
    seen_colors,
    transition_colors,
)

from .maps import CORINE, SAMPLE, SECOND, colors_of

LANDSAT_SCD = ("#009b00", "#ffa500", "#e61e64", "#00aaf0")
NOTICED = 0.02  # the least distance in OKLab that an eye notices


def distances(texts):
    """Return (visions, colours, colours) between all transitions' colours and, last, that of "unchanged"."""
    colors = np.array(transition_colors(colors_of(texts))).reshape(-1, 3)
    seen = seen_colors([*colors, UNCHANGED_COLOR])
    found = np.linalg.norm(seen[:, :, None] - seen[:, None], axis=3)
    found[:, np.arange(len(colors) + 1), np.arange(len(colors) + 1)] = np.inf
    return found


@pytest.mark.parametrize(("texts", "least"), [(SAMPLE, 0.055), (LANDSAT_SCD, 0.07), (SECOND, 0.038)])
def test_any_two_of_few_transitions_can_be_told_apart_in_every_vision(texts, least):
    found = distances(texts)
    for number, vision in enumerate(VISIONS):
        assert found[number].min() > least, vision


def test_of_fifteen_classes_transitions_that_share_a_class_can_be_told_apart_in_every_vision():
    found = distances(CORINE).min(axis=0)
    source, target = np.divmod(np.arange(225), 15)
    related = (source[:, None] == source) | (target[:, None] == target)
    between = found[:-1, :-1]
    assert between[related].min() > 0.018
    assert found[-1].min() > 0.03  # "unchanged" looks like none of them
    assert between.min() > 0.004
    assert (between < NOTICED).sum() / (225 * 224) < 0.011


@pytest.mark.parametrize("texts", [SAMPLE, LANDSAT_SCD, SECOND, CORINE, CORINE + SECOND[:3]])
def test_a_transition_has_the_hue_of_its_target(texts):
    targets = oklab(linear(colors_of(texts)))
    for row in transition_colors(colors_of(texts)):
        for target, color in zip(targets, oklab(linear(row)), strict=True):
            if np.hypot(*target[1:]) < GREY_CHROMA:
                assert np.hypot(*color[1:]) < 0.04
            elif np.hypot(*color[1:]) > 0.03:  # too dark or light a colour has hardly a hue
                turn = np.angle(complex(*color[1:]) / complex(*target[1:]), deg=True)
                assert abs(turn) < 21


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_any_legend_gets_a_colour_for_each_transition(classes):
    colors = transition_colors(tuple(classes))
    assert len(colors) == len(classes)
    assert {len(row) for row in colors} == {len(classes)}
    assert all(0 <= value <= 255 for row in colors for color in row for value in color)


def test_even_classes_of_one_colour_give_transitions_of_many():
    colors = transition_colors(((200, 30, 40),) * 5)
    assert len({color for row in colors for color in row}) == 25


def test_more_classes_than_can_be_spread_still_differ_by_source():
    texts = CORINE + SECOND
    assert len(texts) > MOST_CLASSES_SPREAD
    for column in zip(*transition_colors(colors_of(texts)), strict=True):
        assert len(set(column)) == len(texts)


class TestIndependently:
    """The same by another library's colour science."""

    def test_simulated_visions_are_those_of_machado_2009(self):
        names = {"protanopia": "Protanomaly", "deuteranopia": "Deuteranomaly", "tritanopia": "Tritanomaly"}
        for vision, name in names.items():
            expected = colour.blindness.CVD_MATRICES_MACHADO2010[name][1.0]
            np.testing.assert_allclose(VISIONS[vision], expected, atol=1e-6)

    def test_oklab_is_oklab(self):
        colors = np.random.default_rng(0).integers(0, 256, (50, 3))
        expected = colour.XYZ_to_Oklab(colour.sRGB_to_XYZ(colors / 255))
        np.testing.assert_allclose(oklab(linear(colors)), expected, atol=2e-4)

    @pytest.mark.parametrize(("texts", "least"), [(SAMPLE, 6), (SECOND, 4)])
    def test_ciede2000_finds_the_colours_apart_too(self, texts, least):
        colors = np.array(transition_colors(colors_of(texts))).reshape(-1, 3)
        light = linear([*colors, UNCHANGED_COLOR])
        for vision, matrix in VISIONS.items():
            seen = np.clip(light @ matrix.T, 0, 1)
            lab = colour.XYZ_to_Lab(colour.RGB_to_XYZ(seen, "sRGB", apply_cctf_decoding=False))
            first, second = np.triu_indices(len(lab), 1)
            assert colour.delta_E(lab[first], lab[second], method="CIE 2000").min() > least, vision
