"""Run the main job on the made pair with the shipped checkpoint: `make demo`."""

import os
from pathlib import Path

from lsafnet_cli import EvaluateOptions, evaluate_map
from lsafnet_cli.prediction.demonstration import run_demonstration
from lsafnet_cli.terminal.console import show_report
from lsafnet_cli.terminal.progress import make_observer

ROOT = Path(__file__).parents[1]
SAMPLE, DEMO = ROOT / "sample_data", Path(os.path.relpath(ROOT / "demo"))


def run_demo() -> None:
    """Predict the pair into demo/ and say how well the map agrees with the labels."""
    show_report(run_demonstration(DEMO, True, make_observer(quiet=False)), as_json=False)
    changes = DEMO / "changes.tif"
    scores = ", ".join(f"{name} {score:.3f}" for name, score in agreement(changes).items())
    print(f"against the labels of the pair: {scores}")


def agreement(changes: Path) -> dict[str, float]:
    """Return the main scores of a map of the made pair against its labels."""
    labels = [SAMPLE / f"label_{date}.tif" for date in ("before", "after")]
    scores = evaluate_map(changes, labels, options=EvaluateOptions(resamples=0)).scores
    found = {"f_scd": scores.f_scd, "miou": scores.miou, "oa": scores.oa, "sek": scores.sek}
    return {name: round(score.value, 4) for name, score in found.items()}


if __name__ == "__main__":
    run_demo()
