"""Names of options as the command line writes them.

The library names an option in backquotes, as Python does: "`overlap_px` -1: ...". Shown to someone who types
commands, it becomes the flag: "--overlap -1: ...". A test holds that every name in a message is listed here.
"""

import re

FLAGS = {
    "boundary_px": "boundary", "by": "strata", "cloud_masks": "cloud-mask", "crop_px": "crop", "ema_decay": "ema",
    "creation_options": "co", "expected": "expect", "groups": "group", "memory_bytes": "memory",
    "min_area_by_class": "min-area", "min_area_m2": "min-area", "outputs": "output",
    "overlap_px": "overlap", "owner": "grid", "rare_percent": "merge-rare", "resamples": "bootstrap",
    "resolution_m": "resolution", "simplify_m": "simplify", "size_px": "tile", "threads": "readers",
    "ignored": "ignore", "merged": "merge", "sieve_px": "sieve", "tile_px": "tile", "unit_px": "unit",
    "warmup_steps": "warmup",
}  # fmt: skip
SAME = (
    "accumulate", "after", "after_date", "allocation", "also", "aoi", "backbone_rate", "backbone_weights", "bands",
    "batch_size", "before", "before_date", "blend", "bounds", "cards", "class_weights", "classes", "clip",
    "coregister", "crops_per_epoch", "dataset", "dates", "device", "devices", "dissolve", "dst_crs", "epochs",
    "exclude", "exclude_values", "format",
    "formats", "labels", "layer", "learning_rate", "mapping", "match", "max_mb", "network", "nodata", "optimizer",
    "overwrite", "review_form", "same_class",
    "pairs", "patience", "per_stratum", "plot", "polygons", "precision", "ray", "recipe", "seconds", "seed", "scale",
    "shard", "shares", "smooth", "split_rows", "standard_error", "stretch", "tensorboard", "threshold", "total",
    "variety", "weight_decay", "workers", "zone_field", "zone_layer",
)  # fmt: skip


def flag_of(name: str) -> str | None:
    """Return the flag of an option, None for what is none."""
    if name in FLAGS:
        return f"--{FLAGS[name]}"
    return f"--{name.replace('_', '-')}" if name in SAME else None


def in_flags(text: str) -> str:
    """Return a message with its options as flags."""
    return re.sub(r"`(\w+)`", lambda found: flag_of(found[1]) or found[0], text)
