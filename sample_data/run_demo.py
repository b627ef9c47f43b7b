"""Run the main job on the made pair with the shipped checkpoint: `make demo`."""

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from lsafnet_cli.console import make_observer, show_report
from lsafnet_cli.demonstration import run_demonstration

HERE = Path(__file__).parent
DEMO = HERE.parent / "demo"


def run_demo() -> None:
    """Predict the pair into demo/ and say how well the map agrees with the labels."""
    show_report(run_demonstration(DEMO, True, make_observer(quiet=False)), as_json=False)
    changes = DEMO / "changes.tif"
    scores = ", ".join(f"{name} {score:.3f}" for name, score in agreement(changes).items())
    print(f"against the labels of the pair: {scores}")


def agreement(changes: Path) -> dict[str, float]:
    """Return F_scd and mIoU of a map of the made pair against its labels, over pixels with data in both dates."""
    import torch

    from lsafnet import ChangeMetrics

    maps = [_read(changes.with_name(f"changes.{date}.tif")) for date in ("from", "to")]
    labels = [_read(HERE / f"label_{date}.tif") for date in ("before", "after")]
    valid = (_read(changes) != 255) & (labels[0] > 0)
    changed = labels[0] != labels[1]
    metrics = ChangeMetrics(num_classes=5)
    metrics.update(
        *(torch.from_numpy(found[valid].astype("int64")) for found in maps),
        *(torch.from_numpy((label * changed)[valid].astype("int64")) for label in labels),
    )
    scores = metrics.compute()
    return {name: round(float(scores[name]), 4) for name in ("f_scd", "miou", "oa", "sek")}


def _read(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(1))


if __name__ == "__main__":
    run_demo()
