"""Options of all commands as values that are checked when created; files may be given as str or Path."""

from lsafnet_cli.options.labels import (
    KINDS_OF_DATE as KINDS_OF_DATE,
    KINDS_OF_ONE as KINDS_OF_ONE,
    KINDS_OF_TWO as KINDS_OF_TWO,
    KindOfLabels as KindOfLabels,
)
from lsafnet_cli.options.output import (
    LAYERS as LAYERS,
    OutputOptions as OutputOptions,
    parse_creation_options as parse_creation_options,
)
from lsafnet_cli.options.polygons import (
    PARQUET as PARQUET,
    POLYGON_ENDINGS as POLYGON_ENDINGS,
    POLYGON_FORMATS as POLYGON_FORMATS,
    POLYGON_SIEVE_PX as POLYGON_SIEVE_PX,
    PolygonOptions as PolygonOptions,
    check_polygon_files as check_polygon_files,
    check_polygon_name as check_polygon_name,
    parse_date as parse_date,
    parse_min_area as parse_min_area,
    refuse_unwritable as refuse_unwritable,
)
from lsafnet_cli.options.prediction import (
    DIFFER as DIFFER,
    KEEP as KEEP,
    SAME_CLASS as SAME_CLASS,
    TILE_MULTIPLE_PX as TILE_MULTIPLE_PX,
    DeviceOptions as DeviceOptions,
    PredictOptions as PredictOptions,
    TileOptions as TileOptions,
    parse_bytes as parse_bytes,
)
from lsafnet_cli.options.reading import (
    Bounds as Bounds,
    GridOptions as GridOptions,
    ReadOptions as ReadOptions,
    StretchRule as StretchRule,
    parse_nodata as parse_nodata,
)
