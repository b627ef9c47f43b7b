"""The plan of a batch: its scenes, their sizes, which of them must be computed, and why."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsafnet_cli.batch.folder import OWN_NAMES, BatchFolder, SceneState
from lsafnet_cli.batch.options import BatchOptions, scene_files, scene_fingerprint, scene_options
from lsafnet_cli.batch.scenes import SceneSpec, check_names
from lsafnet_cli.batch.shards import choose_shard
from lsafnet_cli.checkpoints.choose import chosen_checkpoint, read_info, sha256_of
from lsafnet_cli.errors import LsafnetError, OptionError, OutputError
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.replacing import output_errors
from lsafnet_cli.geometry.grid import Grid

HEADERS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SceneSize:
    """The grid of the before image, None where not known, and the bytes of both files."""

    grid: Grid | None = None
    file_bytes: int = 0

    @property
    def width(self) -> int:
        """Its columns, 0 where not known."""
        return 0 if self.grid is None else self.grid.width

    @property
    def height(self) -> int:
        """Its rows, 0 where not known."""
        return 0 if self.grid is None else self.grid.height

    @property
    def pixels(self) -> int:
        """width * height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene with its size, what is known of it, and why it is to be done: `reasons` is empty where it is done.

    `changed_wishes` names options other than those that it is done with; `only_more` says that its map stays.
    """

    spec: SceneSpec
    size: SceneSize
    state: SceneState | None
    reasons: tuple[str, ...]
    changed_wishes: tuple[str, ...] = ()
    only_more: bool = False


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch would do. `scenes` are this shard's, `all_names` those of every shard."""

    scenes: tuple[PlannedScene, ...]
    all_names: tuple[str, ...]
    sha256: str

    @property
    def todo(self) -> list[PlannedScene]:
        """The scenes that are to be done."""
        return [scene for scene in self.scenes if scene.reasons]

    @property
    def pixels(self) -> int:
        """Pixels of the scenes that are to be done."""
        return sum(scene.size.pixels for scene in self.todo)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        return {
            "scenes": [
                {
                    "name": scene.spec.name, "before": scene.spec.before, "after": scene.spec.after,
                    "output": scene.spec.output.as_posix(), "width": scene.size.width,
                    "height": scene.size.height, "bytes": scene.size.file_bytes, "to_do": list(scene.reasons),
                }
                for scene in self.scenes
            ],
            "to_do": len(self.todo),
            "pixels_to_do": self.pixels,
        }  # fmt: skip


def plan_batch(specs: Sequence[SceneSpec], path: Path, options: BatchOptions) -> BatchPlan:
    """Plan a batch in a folder, which need not exist. Nothing is written.

    Raises OptionError where two scenes would write one file, or one would write over an input;
    CheckpointFileError; OutputError for a folder that is a file, or whose name cannot be looked up.
    """
    with output_errors(path):  # a name that is too long, a folder on the way that may not be read
        is_file = path.exists() and not path.is_dir()
    if is_file:
        raise OutputError(f"{path}: is a file; name a folder for the batch")
    check_names(specs)
    check_files(specs, path, options)
    checkpoints = (chosen_checkpoint(options.predict.checkpoint), *map(Path, options.predict.ensemble))
    for checkpoint in checkpoints:
        read_info(checkpoint)
    sha256 = " + ".join(map(sha256_of, checkpoints))
    sizes = measure_scenes(specs)
    names = tuple(spec.name for spec in specs)
    if options.shard is not None:
        specs = choose_shard(specs, {name: size.pixels for name, size in sizes.items()}, options.shard)
    folder = BatchFolder(path)

    def planned(spec: SceneSpec) -> PlannedScene:
        state = folder.state(spec)
        asked = scene_options(spec, path, options)
        fingerprint = scene_fingerprint(spec, path, asked, sha256)
        reasons, changed = folder.reasons(state, fingerprint), folder.changed_wishes(state, fingerprint)
        more = folder.added(state, fingerprint)
        return PlannedScene(spec, sizes[spec.name], state, tuple(reasons), tuple(changed), bool(more))

    return BatchPlan(tuple(map(planned, specs)), names, sha256)


def check_files(specs: Sequence[SceneSpec], path: Path, options: BatchOptions) -> None:
    """Raise OptionError where a file would be written twice, or is an input or the batch's own."""
    owners = {path / name: "the batch itself" for name in OWN_NAMES}
    inputs = {real for spec in specs for name in (spec.before, spec.after) if (real := _real(name))}
    for spec in specs:
        for file in scene_files(spec, path, scene_options(spec, path, options)):
            if file in owners:
                raise OptionError(
                    f"scene {spec.name}: its file {file.relative_to(path)} also belongs to {owners[file]}; "
                    "give it another name or output"
                )
            if _real(str(file)) in inputs:
                raise OptionError(f"{file}: is also an input; choose another folder for the batch")
            owners[file] = f"scene {spec.name}"


def _real(name: str) -> Path | None:
    try:
        return Path(name).resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def measure_scenes(specs: Sequence[SceneSpec]) -> Mapping[str, SceneSize]:
    """Return the size of each scene by its name, from the headers alone."""
    with ThreadPoolExecutor(HEADERS_AT_ONCE, thread_name_prefix="headers") as pool:
        return dict(zip((spec.name for spec in specs), pool.map(_measure, specs), strict=True))


def _measure(spec: SceneSpec) -> SceneSize:
    try:
        with open_raster(spec.before) as dataset:
            return SceneSize(grid_of(dataset), sum(_file_bytes((spec.before, spec.after))))
    except LsafnetError:  # told when its turn comes
        return SceneSize()


def _file_bytes(names: tuple[str, ...]) -> Iterator[int]:
    for name in names:
        try:
            yield Path(name).stat().st_size
        except OSError:
            yield 0
