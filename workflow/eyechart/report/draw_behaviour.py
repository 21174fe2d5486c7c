"""Draw what one model says about one dataset, each figure as SVG, PNG and the CSV of what it shows.

Reads:  results/scores/<model>/<dataset>.parquet and <dataset>.distributions.parquet
Writes: {accuracy,answers}.{svg,png,csv} beside --output, then --output, a manifest with path,
        bytes and sha256 of each

    python -m eyechart.report.draw_behaviour --model tiny_llava --dataset mmvp \
        --scores results/scores/tiny_llava/mmvp.parquet \
        --distributions results/scores/tiny_llava/mmvp.distributions.parquet \
        --settings '{"png_scale": 2}' \
        --output results/report/figures/behaviour/mmvp/tiny_llava/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report.behaviour import read_behaviour
from eyechart.report.chart_behaviour import accuracies, all_answers
from eyechart.report.chart_style import draw
from eyechart.tables.files import describe, write_json


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--scores", required=True, type=Path)
    parser.add_argument("--distributions", required=True, type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw both figures, then write their manifest."""
    args = parse_args(argv)
    (behaviour,) = read_behaviour([args.scores], [args.distributions], [], [])
    if (behaviour.model, behaviour.dataset) != (args.model, args.dataset):
        raise errors.UserError(
            f"--scores: {args.scores} is of {behaviour.model} on {behaviour.dataset}, "
            f"expected {args.model} on {args.dataset}"
        )
    charts = {"accuracy": accuracies(behaviour), "answers": all_answers(behaviour)}
    folder, scale = args.output.parent, args.settings["png_scale"]
    paths = [p for name, chart in charts.items() for p in draw(folder / name, chart, scale)]
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"model": args.model, "dataset": args.dataset, "files": files})


if __name__ == "__main__":
    errors.run(main)
