"""What a map says of its making: its provenance, from the plan of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.files.provenance import Provenance
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.inputs import input_hashes
from lsafnet_cli.prediction.placing import ShiftPx
from lsafnet_cli.prediction.tile import overlap_of
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.stretch import Stretch
from lsafnet_cli.system.devices import Device


def describe_run(
    pair: AlignedPair,
    checkpoint: NamedCheckpoint,
    options: PredictOptions,
    decision: Decision,
    device: Device,
    stretches: tuple[Stretch | None, Stretch | None],
    shift_px: ShiftPx,
    outside: tuple[str, ...],
    stamps: Mapping[str, Any],
    tiles: tuple[int, Sequence[float]],
) -> Provenance:
    """Return the provenance of the map; the options are those that determine its pixels.

    tiles: their size in pixels, and the scale at which each network sees them.
    """
    before, after = pair.before.scene, pair.after.scene
    return Provenance(
        legend=checkpoint.legend,
        version=version("lsafnet"),
        checkpoint=checkpoint.names,
        checkpoint_sha256=checkpoint.fingerprints,
        before=before.path,
        after=after.path,
        before_date=options.polygons.before_date or before.day,
        after_date=options.polygons.after_date or after.day,
        options={
            **_decided_by(options, decision, *tiles),
            **_read_by(options, pair),
            "shift_px": shift_px,
            **_stretched_by(options, stretches),
            **_dated_by(options, pair),
            "precision": device.precision,
            "tta": options.tta,
            **_limited_by(options),
        },
        outside=outside,
        reliability=checkpoint.reliability,
        inputs=input_hashes(pair, options.grid, stamps),
    )


def _decided_by(
    options: PredictOptions, decision: Decision, tile_px: int, scales: Sequence[float]
) -> dict[str, Any]:
    return {
        "threshold": decision.threshold,
        "same_class": decision.same_class,
        "sieve_px": options.sieve_px,
        "tile_px": tile_px,
        "overlap_px": overlap_of(tile_px, options.tile),
        **({} if options.tile.scale is None else {"scale": options.tile.scale}),
        **({"scales": list(scales)} if any(scale != 1 for scale in scales) else {}),
        "blend": options.tile.blend,
    }


def _read_by(options: PredictOptions, pair: AlignedPair) -> dict[str, Any]:
    return {
        **({"nodata": list(options.read.nodata)} if options.read.nodata else {}),
        "bands": list(pair.before.scene.bands),
        "bands_after": list(pair.after.scene.bands),
        **({"bands_asked": list(options.read.bands)} if options.read.bands else {}),
        "grid": options.grid.image or options.grid.owner,
        "resolution_m": options.grid.resolution_m,
    }


def _stretched_by(
    options: PredictOptions, stretches: tuple[Stretch | None, Stretch | None]
) -> dict[str, Any]:
    return {
        "stretch": {
            name: stretch and asdict(stretch)
            for name, stretch in zip(("before", "after"), stretches, strict=True)
        },
        "stretch_rule": str(options.read.stretch),
        "coregister": options.grid.coregister,
    }


def _limited_by(options: PredictOptions) -> dict[str, Any]:
    """Return the limits of the map that were given; {} without any."""
    given = {
        "dst_crs": options.grid.dst_crs,
        "bounds": options.grid.bounds and list(options.grid.bounds),
        "aoi": options.read.aoi,
        "exclude": options.read.exclude,
        "exclude_values": options.read.exclude_values,
        "cloud_masks": options.read.cloud_masks,
    }
    return {name: value for name, value in given.items() if value}


def _dated_by(options: PredictOptions, pair: AlignedPair) -> dict[str, dict[str, str]]:
    """Return the source of each known date, years included; {} if none is known."""
    given = {"before": options.polygons.before_date, "after": options.polygons.after_date}
    found = {"before": pair.before.scene.acquired, "after": pair.after.scene.acquired}
    told = {
        name: f"{acquired.source}: {acquired.text}" if acquired is not None and not given[name] else "option"
        for name, acquired in found.items()
        if given[name] or acquired is not None
    }
    return {"dated_by": told} if told else {}
