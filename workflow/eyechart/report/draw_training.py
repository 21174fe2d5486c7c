"""Draw the training curves of the workflow's own models as SVG, PNG and the CSV of what is shown.

Reads:  results/training/<stage>/curve.parquet, in the order in which they are to be shown
Writes: training_curves.{svg,png,csv} beside --output, then --output, their manifest

    python -m eyechart.report.draw_training --curves results/training/contrastive/curve.parquet \
        --settings '{"curve_points": 400, "png_scale": 2}' \
        --output results/report/figures/training/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report.chart_style import draw
from eyechart.report.chart_training import read_curves, training
from eyechart.tables.files import describe, write_json


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", required=True, nargs="+", type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw the figure, then write its manifest."""
    args = parse_args(argv)
    chart = training(read_curves(args.curves, args.settings["curve_points"]))
    stem = args.output.parent / "training_curves"
    files = [
        {**describe(path), "path": path.name}
        for path in draw(stem, chart, args.settings["png_scale"])
    ]
    write_json(args.output, {"files": files})


if __name__ == "__main__":
    errors.run(main)
