"""What a series can be told."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.errors import OptionError
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.report_page.page import MAX_MB, PageOptions

FIRST, LAST = "first", "last"
LAND_COVER = ("before", "after")


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """Everything `map_series` can be told; `predict` holds for the map of every interval.

    dates: one for each image, as 2024-05-31, 2024-05 or 2024, in place of what tags and names tell. grid: "first",
    "last" or an image whose grid all maps take. cloud_masks: one for all images, or one for each. land_cover: keep
    the land cover of each map, where the network knows it. devices: as for a batch. page: write the page, of at most
    max_mb megabytes.
    """

    predict: PredictOptions = field(default_factory=PredictOptions)
    dates: tuple[str, ...] = ()
    grid: str | Path = FIRST
    cloud_masks: tuple[str | Path, ...] = ()
    land_cover: bool = True
    devices: str = "auto"
    page: bool = True
    max_mb: float = MAX_MB

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", str(self.grid))
        object.__setattr__(self, "cloud_masks", tuple(map(str, self.cloud_masks)))
        BatchOptions(devices=self.devices)  # checks them
        PageOptions(max_mb=self.max_mb)
        if self.predict.output.polygons:
            raise OptionError("`polygons`: a series names its files itself; leave them out")
        if self.predict.read.nodata is not None and len(set(self.predict.read.nodata)) > 1:
            raise OptionError("`nodata`: a series takes one number for all images")
        if self.predict.read.cloud_masks:
            raise OptionError("`cloud_masks` of a series are given to the series, not to its pairs")
        if self.predict.polygons.before_date or self.predict.polygons.after_date:
            raise OptionError("`before_date` and `after_date` belong to a pair; give a series `dates`")

    def of_maps(self, grid_image: str, semantic: bool) -> BatchOptions:
        """Return what the batch of the series' maps is told."""
        predict = self.predict
        also = (*predict.output.also, *(LAND_COVER if self.land_cover and semantic else ()))
        return BatchOptions(
            replace(
                predict,
                grid=replace(predict.grid, image=grid_image),
                output=replace(predict.output, also=tuple(dict.fromkeys(also))),
            ),
            devices=self.devices,
        )
