"""Run the main job on the made pair with the shipped checkpoint: `make demo`."""

import shlex
from pathlib import Path

from lsafnet_cli import EvaluateOptions, evaluate_map
from lsafnet_cli.app import main

HERE = Path(__file__).parent
DEMO = HERE.parent / "demo"


def run_demo() -> None:
    """Predict the pair into demo/ and say how well the map agrees with the labels."""
    DEMO.mkdir(exist_ok=True)
    changes = DEMO / "changes.tif"
    arguments = [
        "predict", HERE / "before.tif", HERE / "after.tif", "-o", changes, "--overwrite",
        "--polygons", DEMO / "changes.gpkg", "--polygons", DEMO / "changes.geojson",
        "--also", "from,to,before,after,probability,quicklook",
    ]  # fmt: skip
    words = [_from_here(argument) for argument in arguments]
    print(f"$ lsafnet {shlex.join(words)}", flush=True)
    try:
        main(words)
    except SystemExit as left:
        if left.code:
            raise
    scores = ", ".join(f"{name} {score:.3f}" for name, score in agreement(changes).items())
    print(f"against the labels of the pair: {scores}")


def _from_here(argument: object) -> str:
    path = Path(str(argument))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(argument)


def agreement(changes: Path) -> dict[str, float]:
    """Return the main scores of a map of the made pair against its labels."""
    labels = [HERE / f"label_{date}.tif" for date in ("before", "after")]
    scores = evaluate_map(changes, labels, options=EvaluateOptions(resamples=0)).scores
    found = {"f_scd": scores.f_scd, "miou": scores.miou, "oa": scores.oa, "sek": scores.sek}
    return {name: round(score.value, 4) for name, score in found.items()}


if __name__ == "__main__":
    run_demo()
