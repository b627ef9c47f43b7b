"""Verdicts from whatever holds them: polygons with a status, or what was saved on a report page."""

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.review.page_verdicts import read_page_file, verdicts_of_page
from lsafnet_cli.review.verdicts import Verdicts, verdicts_of_layer


def read_verdicts(path: str, change_map: str, legend: Legend, grid: Grid) -> Verdicts:
    """Read the verdicts on a map's changes. Raises InputError for fields and names that are missing or wrong."""
    page = read_page_file(path)
    if page is not None:
        return verdicts_of_page(page, path, change_map, legend, grid)
    return verdicts_of_layer(path, legend, grid)
