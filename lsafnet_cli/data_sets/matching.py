"""The files of a data set, matched by their names: images with each other and with their labels."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lsafnet.checkpoint.info import ClassEntry
from lsafnet_cli.data_sets.description import LabelMeanings
from lsafnet_cli.data_sets.labels import LabelRaster
from lsafnet_cli.data_sets.layouts import UNCHANGED, Layout, images_in, polygons_beside
from lsafnet_cli.data_sets.pair_labels import DateLabels, DateRaster, PairLabels, TransitionLabels
from lsafnet_cli.data_sets.pairs import LabelledImage, LabelledPair, PixelRules, UnchangedPlace
from lsafnet_cli.data_sets.polygon_labels import VECTOR_ENDINGS, PolygonLabels
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.sources import IMAGE_ENDINGS

Item = LabelledPair | LabelledImage | UnchangedPlace


class Matcher:
    """Matches the files of a data set."""

    def __init__(
        self,
        layout: Layout,
        classes: tuple[ClassEntry, ...],
        changes_only: bool,
        rules: PixelRules,
        meanings: LabelMeanings,
    ) -> None:
        self.layout, self.classes, self._changes_only, self._rules = layout, classes, changes_only, rules
        self._meanings = meanings

    def open_all(self, root: Path) -> tuple[Item, ...]:
        """Return all that lies in the layout's folders under `root`, by name."""
        found = self._index(root)
        if self.layout is UNCHANGED:
            return self._places(root, found["images"])
        names = sorted(found[self.layout.images[0]])
        if not names:
            raise InputError(
                f"{root / self.layout.images[0]}: contains no image ({', '.join(IMAGE_ENDINGS)})"
            )
        return tuple(self._open(name, root, found) for name in names)

    def open_listed(self, root: Path, listing: Path) -> tuple[Item, ...]:
        """Return what a list of file names holds, one a line, in its order."""
        found = self._index(root)
        lines = listing.read_text(encoding="utf-8").splitlines()
        first = self.layout.images[0]
        names = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            name = _listed_name(line, found[first])
            if name is None:
                raise InputError(f"{listing}: line {number} names {line.strip()}, which is not in {first}")
            names.append(name)
        if not names:
            raise InputError(f"{listing}: is empty")
        return tuple(self._open(name, root, found) for name in names)

    def _index(self, root: Path) -> dict[str, dict[str, Path]]:
        found = {name: dict(images_in(root / name)) for name in self.layout.images}
        for name in self.layout.labels:
            file = polygons_beside(root, name)
            found[name] = (
                dict(images_in(root / name, IMAGE_ENDINGS + VECTOR_ENDINGS))
                if file is None
                else dict.fromkeys(found[self.layout.images[0]], file)
            )
        return found

    def _places(self, root: Path, images: Mapping[str, Path]) -> tuple[Item, ...]:
        """Return the places of which there are two dates or more: images named PLACE_DATE are one place's."""
        labels = dict(images_in(root / "labels")) if (root / "labels").is_dir() else {}
        dates: dict[str, list[LabelledImage]] = {}
        for name, path in images.items():
            label = self._label(labels[name]) if name in labels else None
            place = dates.setdefault(name.rpartition("_")[0] or name, [])
            place.append(LabelledImage(name, path, label, self._rules))
        found = tuple(UnchangedPlace(name, images) for name, images in dates.items() if len(images) > 1)
        if not found:
            raise InputError(
                f"{root / 'images'}: contains no two images of the same place; name them PLACE_DATE"
            )
        return found

    def _open(self, name: str, root: Path, found: Mapping[str, Mapping[str, Path]]) -> Item:
        for folder in self.layout.folders:
            if name not in found[folder]:
                raise InputError(f"{root / folder}: lacks {name}, which {self.layout.images[0]} holds")
        images = [found[folder][name] for folder in self.layout.images]
        labels = [found[folder][name] for folder in self.layout.labels]
        if len(images) == 1:
            return LabelledImage(name, images[0], self._label(labels[0]), self._rules)
        return LabelledPair(name, images[0], images[1], self._labels(labels), self._rules)

    def _labels(self, files: list[Path]) -> PairLabels:
        if len(files) == 1:
            return TransitionLabels(str(files[0]), len(self.classes))
        before, after = (self._label(file, self._changes_only) for file in files)
        return DateLabels(before, after, self._changes_only, self._meanings.sets)

    def _label(self, file: Path, changes_only: bool = False) -> DateRaster:
        if file.suffix.lower() in VECTOR_ENDINGS:
            return PolygonLabels(str(file), self._meanings.texts)
        return LabelRaster(str(file), self.classes, self._meanings.numbers, changes_only)


def _listed_name(line: str, known: Mapping[str, Path]) -> str | None:
    """Return the name that a line of a list means: all of it, else its first word, with or without an ending."""
    for text in (line.strip(), line.split()[0]):
        file = PurePosixPath(text.replace("\\", "/"))
        plain = file.stem if file.suffix.lower() in IMAGE_ENDINGS else file.name
        if plain in known:
            return plain
    return None
