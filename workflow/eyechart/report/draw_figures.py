"""Draw the figures of one model on one dataset, each as SVG, PNG and the CSV of what it shows.

Reads:  results/probes/<model>/<dataset>/<task>.parquet and <task>.predictions.parquet
Writes: {layer_curves,selectivity,confusion,rooms}.{svg,png,csv} beside --output, then --output,
        a manifest with path, bytes and sha256 of each

    python -m eyechart.report.draw_figures --model tiny_clip --dataset clevr \
        --probes results/probes/tiny_clip/clevr/objects.parquet \
        --predictions results/probes/tiny_clip/clevr/objects.predictions.parquet \
        --settings '{"alpha": 0.01, "png_scale": 2}' \
        --output results/report/figures/clevr/tiny_clip/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report.chart_curves import all_curves
from eyechart.report.chart_maps import all_selectivity, confusions
from eyechart.report.chart_rooms import rooms
from eyechart.report.chart_style import draw
from eyechart.report.results import read_results
from eyechart.tables.files import describe, write_json


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--probes", required=True, nargs="+", type=Path)
    parser.add_argument("--predictions", required=True, nargs="+", type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw all figures, then write their manifest."""
    args = parse_args(argv)
    results = read_results(args.probes, args.predictions)
    for result in results:
        if (result.model, result.dataset) != (args.model, args.dataset):
            raise errors.UserError(
                f"--probes: task {result.task!r} is of {result.model} on {result.dataset}, "
                f"expected {args.model} on {args.dataset}"
            )
    alpha, scale = args.settings["alpha"], args.settings["png_scale"]
    charts = {
        "layer_curves": all_curves(results),
        "selectivity": all_selectivity(results, alpha),
        "confusion": confusions(results),
        "rooms": rooms(results),
    }
    folder = args.output.parent
    paths = [p for name, chart in charts.items() for p in draw(folder / name, chart, scale)]
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"model": args.model, "dataset": args.dataset, "files": files})


if __name__ == "__main__":
    errors.run(main)
