"""Cells of CSV tables, which spreadsheets open."""

from lsafnet_cli.errors import printable

FORMULA_SIGNS = ("=", "+", "-", "@")


def spreadsheet_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows as it is.

    A text that it would compute gets an apostrophe before it; what cannot be shown stands as an escape.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
