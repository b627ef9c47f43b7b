"""What a map found, in one sentence."""

from datetime import date

import pytest

from lsafnet_cli.maps.finding import balance_text, class_balances, dates_of_tags, finding_text
from lsafnet_cli.maps.table import ChangeTable, TransitionRow

EARLY, LATE = date(2019, 6, 15), date(2023, 9, 2)


def table_of(*rows, valid=1000, with_ground=True):
    """Return the table of (from, to, pixels), each pixel a hectare."""
    made = tuple(
        TransitionRow(
            code, old, new, f"{old} to {new}", pixels, pixels / valid, float(pixels) if with_ground else None
        )
        for code, (old, new, pixels) in enumerate(rows, start=1)
    )
    changed = sum(row.pixels for row in made)
    areas = (float(valid), 0.0, float(changed)) if with_ground else (None, None, None)
    return ChangeTable(made, valid, 0, changed, *areas)


@pytest.mark.parametrize(
    ("days", "end"),
    [
        ((EARLY, LATE), " between 15 June 2019 and 2 September 2023"),
        ((EARLY, None), " since 15 June 2019"),
        ((None, LATE), " until 2 September 2023"),
        ((None, None), ""),
    ],
)
def test_the_sentence_has_the_area_and_the_dates_that_are_known(days, end):
    table = table_of(("field", "road", 100))
    assert finding_text(table, *days) == f"100.00 ha of 1,000.00 ha changed (10.0%){end}"


def test_gains_and_losses_leave_out_changes_within_a_class_and_add_up_to_nothing():
    table = table_of(
        ("field", "road", 70), ("road", "field", 20), ("field", "field", 500), ("lake", "road", 5)
    )
    found = {one.name: (one.gain, one.loss, one.net) for one in class_balances(table)}
    assert found == {"road": (75.0, 20.0, 55.0), "field": (20.0, 70.0, -50.0), "lake": (0.0, 5.0, -5.0)}
    assert [one.name for one in class_balances(table)] == ["road", "field", "lake"]
    assert sum(one.net for one in class_balances(table)) == 0
    assert balance_text(table) == "road +55.00 ha, field -50.00 ha"


def test_without_ground_pixels_are_told_and_without_change_nothing():
    assert balance_text(table_of(("field", "road", 70), with_ground=False)) == "field -70 px, road +70 px"
    assert balance_text(table_of(("field", "road", 30), ("road", "field", 30))) == ""
    assert balance_text(table_of()) == ""


def test_dates_come_from_tags_and_what_is_no_date_is_none():
    tags = {"LSAFNET_BEFORE_DATE": "2019-06-15", "LSAFNET_AFTER_DATE": "some day"}
    assert dates_of_tags(tags) == (EARLY, None)
    assert dates_of_tags({}) == (None, None)
