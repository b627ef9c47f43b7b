"""Seconds, size and memory of report pages: the sample pair and its map, repeated to large squares.

    python benchmarks/report_page.py [--sides 5000,10000] [--folder FOLDER]

The images have no overviews. Each page is a process of its own, imports included; `cpu` is what the process itself
used, which other work on the machine does not change.
"""

import argparse
import tempfile
from pathlib import Path

from measuring import measure_command
from scenes import make_map, make_pair


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", default="5000,10000")
    parser.add_argument(
        "--folder", type=Path, help="Where scenes are kept. Default: a folder that is removed."
    )
    arguments = parser.parse_args()
    print("| pair | seconds | cpu seconds | page MB | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name)
        for side in map(int, arguments.sides.split(",")):
            before, after = make_pair(folder, side)
            page = Path(name) / f"{side}.html"
            words = ("report", make_map(folder, side), "--before", before, "--after", after, "-o", page)
            seconds, cpu, peak = measure_command(words)
            size = page.stat().st_size / 1e6
            print(f"| {side} px | {seconds:.1f} | {cpu:.1f} | {size:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
