"""Options of `predict_change`: tiles, device, decision, and all others within them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from lsafnet_cli.errors import OptionError
from lsafnet_cli.options.output import OutputOptions
from lsafnet_cli.options.polygons import PolygonOptions
from lsafnet_cli.options.reading import GridOptions, ReadOptions

DIFFER, KEEP = "differ", "keep"
SAME_CLASS = (DIFFER, KEEP)
SCALES = 0.125, 8.0
TILE_MULTIPLE_PX = 32
LEAST_MEMORY_BYTES = 256 << 20
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How a scene is cut into tiles and their results are blended. None takes the checkpoint's own value.

    `row_band_px` is how many rows are finished and written at once; it never changes the map. scale: by how much
    the network sees the images enlarged (above 1) or reduced; sizes of tiles are those of the images themselves.
    """

    size_px: int | None = None
    overlap_px: int | None = None
    blend: str = "taper"
    row_band_px: int = 512
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not SCALES[0] <= self.scale <= SCALES[1]:
            raise OptionError(f"`scale` {self.scale:g}: give a number from {SCALES[0]:g} to {SCALES[1]:g}")
        if self.size_px is not None and (self.size_px < TILE_MULTIPLE_PX or self.size_px % TILE_MULTIPLE_PX):
            raise OptionError(
                f"`size_px` {self.size_px}: the tile size must be a multiple of {TILE_MULTIPLE_PX} pixels"
            )
        if self.overlap_px is not None and self.overlap_px < 0:
            raise OptionError(f"`overlap_px` {self.overlap_px}: the overlap must be 0 pixels or more")
        if self.blend not in ("taper", "crop"):
            raise OptionError(f"`blend` {self.blend}: choose taper or crop")
        if self.row_band_px < 1:
            raise OptionError(f"a row band must have 1 row or more, not {self.row_band_px}")


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """Where and how the network runs. A batch size of None means the fastest one, found by measuring.

    `memory_bytes` is what the host may use beyond the network and the libraries themselves.
    """

    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    compiled: bool = False
    memory_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise OptionError(f"`precision` {self.precision}: choose auto, fp32, bf16 or fp16")
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"`batch_size` {self.batch_size}: the batch size must be 1 tile or more")
        if self.memory_bytes < LEAST_MEMORY_BYTES:
            raise OptionError(
                f"`memory_bytes`: {self.memory_bytes:,} bytes are not enough; give 256M or more"
            )


def parse_bytes(text: str) -> int:
    """Read "2G", "512M" or a number of bytes. Raises OptionError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", text.strip().upper())
    if match is None:
        raise OptionError(f"`memory_bytes` {text}: write a size such as 512M or 2G")
    return int(float(match[1]) * UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """All options of `predict_change`. A checkpoint of None is $LSAFNET_CHECKPOINT or the shipped one.

    ensemble: further checkpoints, whose probabilities are averaged with the first one's. tta: test-time
    augmentation: average the results of each tile and its three flips; takes four times as long. threshold:
    None takes that of the checkpoint. sieve_px: connected components of fewer pixels go to their neighbours,
    in the map itself. same_class: "differ" takes, where something has changed, the most probable pair of
    different classes; "keep" the most probable class of each date by itself.
    """

    checkpoint: str | Path | None = None
    ensemble: tuple[str | Path, ...] = ()
    tta: bool = False
    threshold: float | None = None
    same_class: str = DIFFER
    sieve_px: int = 0
    read: ReadOptions = field(default_factory=ReadOptions)
    grid: GridOptions = field(default_factory=GridOptions)
    tile: TileOptions = TileOptions()
    device: DeviceOptions = DeviceOptions()
    output: OutputOptions = field(default_factory=OutputOptions)
    polygons: PolygonOptions = field(default_factory=PolygonOptions)

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise OptionError(f"`threshold` {self.threshold}: give a probability between 0 and 1")
        if self.sieve_px < 0:
            raise OptionError(f"`sieve_px` {self.sieve_px}: give 0 pixels or more")
        if self.same_class not in SAME_CLASS:
            raise OptionError(f"`same_class` {self.same_class}: choose {' or '.join(SAME_CLASS)}")
        if self.checkpoint is not None:
            object.__setattr__(self, "checkpoint", Path(self.checkpoint))
        object.__setattr__(self, "ensemble", tuple(map(Path, self.ensemble)))
        if self.ensemble and self.checkpoint is None:
            raise OptionError("an ensemble needs its first checkpoint too; give checkpoint")
