"""Layouts of data sets: which folders there are, and the files in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.data_sets.description import UNCHANGED_PAIRS
from lsafnet_cli.data_sets.polygon_labels import VECTOR_ENDINGS
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.sources import IMAGE_ENDINGS

SPLITS = ("train", "val", "test")
WHOLE = "all"
TRANSITIONS_LABEL = "label"


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of the folders a data set consists of, and the data set whose classes it usually has."""

    name: str
    images: tuple[str, ...]
    labels: tuple[str, ...]
    known: str | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        """All its folders."""
        return self.images + self.labels


LAYOUTS = (
    Layout("second", ("im1", "im2"), ("label1", "label2"), "second"),
    Layout("landsat-scd", ("A", "B"), ("labelA", "labelB"), "landsat-scd"),
    Layout("two dates", ("before", "after"), ("label_before", "label_after")),
    Layout("transitions", ("before", "after"), (TRANSITIONS_LABEL,)),
    Layout("one date", ("images",), ("labels",)),
)
"""In the order in which they are looked for."""
UNCHANGED = Layout(UNCHANGED_PAIRS, ("images",), ())


def find_layout(folder: Path, kind: str | None) -> tuple[Layout, dict[str, Path]]:
    """Return the layout of a folder, and its split folders where it has such."""
    splits = {name: folder / name for name in SPLITS if (folder / name).is_dir()}
    for layout in (UNCHANGED,) if kind == UNCHANGED_PAIRS else LAYOUTS:
        having = {name: root for name, root in splits.items() if _has(root, layout)}
        if having:
            return layout, having
        if _has(folder, layout):
            return layout, {}
    wanted = "; ".join(", ".join(layout.folders) for layout in LAYOUTS)
    raise InputError(
        f"{folder}: has no known layout; it, or its folders train, val, test, must contain one of: {wanted}"
    )


def _has(folder: Path, layout: Layout) -> bool:
    """Whether a folder holds all those of a layout; polygons may stand in place of the labels of a date."""
    labelled = all(
        (folder / name).is_dir() or (name != TRANSITIONS_LABEL and polygons_beside(folder, name))
        for name in layout.labels
    )
    return labelled and all((folder / name).is_dir() for name in layout.images)


def images_in(folder: Path, endings: tuple[str, ...] = IMAGE_ENDINGS) -> Iterator[tuple[str, Path]]:
    """Yield the images of a folder by their names without endings. Raises InputError for two of one name."""
    seen: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and not path.name.startswith("."):
            if (other := seen.setdefault(path.stem, path)) is not path:
                raise InputError(
                    f"{folder}: {other.name} and {path.name} have the same name; remove one of them"
                )
            yield path.stem, path


def polygons_beside(root: Path, name: str) -> Path | None:
    """Return the vector file that stands in place of a folder of labels, None where there is none."""
    found = (root / f"{name}{ending}" for ending in VECTOR_ENDINGS)
    return None if (root / name).is_dir() else next((path for path in found if path.is_file()), None)
