"""The examples in docstrings of array code show what that code returns."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "lsafnet_cli.geometry.runs",
        "lsafnet_cli.polygons.arcs",
        "lsafnet_cli.polygons.components",
        "lsafnet_cli.polygons.lattice",
        "lsafnet_cli.polygons.redraw",
        "lsafnet_cli.polygons.sieve",
    ],
)
def test_examples_in_docstrings_hold(module):
    failed, tried = doctest.testmod(import_module(module))
    assert failed == 0
    assert tried > 0
