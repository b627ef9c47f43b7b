"""What a batch can be told, and what that means for each of its scenes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.batch.shards import Shard
from lsafnet_cli.batch.worker_devices import AUTO, worker_devices
from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.fingerprints import Fingerprint, plain
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.options import POLYGON_ENDINGS, PredictOptions
from lsafnet_cli.scenes.stamps import file_stamp

ENDINGS = tuple(ending for ending in POLYGON_ENDINGS if ending != ".json")  # of the two for GeoJSON, one
LEAST_SPLIT_ROWS = 1024
PAGE = "report"  # among the outputs of --also
UNDECIDING: Mapping[str, tuple[str, ...]] = {  # options that decide no file, by the group they are in
    "read": ("threads", "aoi"),
    "tile": ("row_band_px",),
    "device": ("device", "batch_size", "memory_bytes", "compiled"),
    "output": ("polygons", "also", "overwrite", "resume", "scene"),
}


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Everything `run_batch` can be told; `predict` holds for every scene.

    devices: "auto", or devices by comma, or "4xcpu". formats: the endings of each scene's polygons. shard: only
    this part of the scenes. ray: "local" or the address of a Ray cluster. split_rows: on Ray, scenes of more rows
    are computed in bands of about so many by several workers. attempts: how often a scene is begun whose worker dies.
    report: a report page for each scene, and an index of them.
    """

    predict: PredictOptions = field(default_factory=PredictOptions)
    devices: str = "auto"
    formats: tuple[str, ...] = (".gpkg",)
    mosaic: bool = False
    fail_fast: bool = False
    shard: Shard | None = None
    ray: str | None = None
    split_rows: int | None = None
    attempts: int = 2
    report: bool = False

    def __post_init__(self) -> None:
        for ending in self.formats:
            if ending not in ENDINGS:
                raise OptionError(f"`formats` {ending}: choose from {', '.join(ENDINGS)}")
        if self.devices != AUTO:
            worker_devices(self.devices)
        if self.split_rows is not None and self.ray is None:
            raise OptionError(
                "`split_rows` shares a scene out among the workers of a cluster: give `ray` too"
            )
        if self.split_rows is not None and self.split_rows < LEAST_SPLIT_ROWS:
            raise OptionError(f"`split_rows` {self.split_rows}: a band has {LEAST_SPLIT_ROWS} rows or more")

    @property
    def pages(self) -> bool:
        """Whether scenes get report pages, asked for in one way or the other."""
        return self.report or PAGE in self.predict.output.also


def scene_options(spec: SceneSpec, folder: Path, options: BatchOptions) -> PredictOptions:
    """Return what `predict_change` is told for one scene: the one place where a scene's row counts."""
    predict, output = options.predict, folder / spec.output
    return replace(
        predict,
        read=replace(
            predict.read,
            aoi=spec.aoi or predict.read.aoi,
            cloud_masks=spec.cloud_masks or predict.read.cloud_masks,
        ),
        output=replace(
            predict.output,
            polygons=tuple(
                output.with_suffix(ending) for ending in dict.fromkeys((".gpkg", *options.formats))
            ),
            scene=spec.name,
            also=tuple(dict.fromkeys((*predict.output.also, *((PAGE,) if options.pages else ())))),
        ),
        polygons=replace(
            predict.polygons,
            before_date=spec.before_date or predict.polygons.before_date,
            after_date=spec.after_date or predict.polygons.after_date,
        ),
    )


def scene_files(spec: SceneSpec, folder: Path, options: PredictOptions) -> list[Path]:
    """Return all files that a scene gives, the map first and the report last."""
    return [*OutputPaths.of(folder / spec.output, options.output).all(), folder / spec.report]


OUTPUTS = "the choice of outputs"
GIVEN = ("the before image", "the after image", "the area of interest")  # what decides files besides options


def scene_fingerprint(spec: SceneSpec, folder: Path, options: PredictOptions, sha256: str) -> Fingerprint:
    """Return what decides the files of a scene, under the names that a user knows, without opening an image."""
    asked = asdict(options)
    for group, names in UNDECIDING.items():
        asked[group] = {name: value for name, value in asked[group].items() if name not in names}
    del asked["checkpoint"], asked["ensemble"]
    files = [path.relative_to(folder) for path in scene_files(spec, folder, options)]
    return {
        "the version of lsafnet": version("lsafnet"),
        "the before image": file_stamp(spec.before),
        "the after image": file_stamp(spec.after),
        "the area of interest": options.read.aoi and file_stamp(options.read.aoi),
        "a mask": [file_stamp(name) for name in (options.read.exclude, *options.read.cloud_masks) if name],
        "the image of the grid": options.grid.image and file_stamp(options.grid.image),
        "the checkpoint": sha256,
        OUTPUTS: sorted(map(str, files)),
        "the scene's name": spec.name,
        "an option": plain(asked),
    }
