"""Cells of CSV tables that are safe to open in spreadsheets."""

from lsafnet_cli.errors import printable

FORMULA_SIGNS = ("=", "+", "-", "@")


def spreadsheet_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows unchanged. Text that it would take for a formula gets an
    apostrophe; unprintable characters are escaped.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
