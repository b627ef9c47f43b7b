"""Where the files of a run go, and whether they may be written there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.errors import OptionError, OutputError
from lsafnet_cli.polygon_names import side_files
from lsafnet_cli.types import LAYERS, OutputOptions

MAP_ENDINGS = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The final names of everything a run writes, beside each other but for the polygons."""

    map: Path
    layers: Mapping[str, Path]
    polygons: tuple[Path, ...]
    quicklook: Path | None
    stac: Path | None = None

    @classmethod
    def of(cls, output: Path, options: OutputOptions) -> "OutputPaths":
        """Name the files that the options ask for. Raises OptionError for a map that is no .tif."""
        if output.suffix.lower() not in MAP_ENDINGS:
            raise OptionError(f"{output}: a change map is a GeoTIFF; end its name in .tif")
        layers = {layer: layer_path(output, layer) for layer in LAYERS if layer in options.also}
        picture = output.with_name(f"{output.stem}.quicklook.png")
        item = output.with_name(f"{output.stem}.stac.json")
        return cls(
            map=output,
            layers=layers,
            polygons=options.polygons,
            quicklook=picture if "quicklook" in options.also else None,
            stac=item if "stac" in options.also else None,
        )

    def named(self) -> Iterator[tuple[str, Path]]:
        """Yield each file with the name it has in a report."""
        yield "map", self.map
        yield from self.layers.items()
        for path in self.polygons:
            yield f"polygons ({path.suffix.removeprefix('.')})", path
        if self.quicklook:
            yield "quicklook", self.quicklook
        if self.stac:
            yield "stac", self.stac

    def check(self, inputs: tuple[str, ...], overwrite: bool) -> None:
        """Raise OutputError, before anything is computed, where a file may not be written."""
        paths = [path for _, path in self.named()]
        if len({path.name for path in paths}) < len(paths):
            raise OptionError(f"{self.map}: two outputs have one name")
        for path in paths:
            check_path(path, inputs, overwrite)


def layer_path(output: Path, layer: str) -> Path:
    """Return the file of a layer beside the map: `changes.from.tif` and so on."""
    return output.with_name(f"{output.stem}.{layer}{output.suffix}")


def check_path(path: Path, inputs: tuple[str, ...], overwrite: bool) -> None:
    """Raise OutputError where a file may not be written."""
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if any(_same_file(path, Path(name)) for name in inputs):
        raise OutputError(f"{path}: is an input as well; choose another name for the output")
    for there in (path, *side_files(path)):
        if there.exists() and not overwrite:
            raise OutputError(f"{there}: exists already; add --overwrite to replace it")


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.resolve() == other.resolve() or path.samefile(other)
    except (OSError, RuntimeError):  # one of them does not exist, or a link leads to itself
        return False
