"""Draw what can be read of one model on one dataset, as SVG, PNG and the CSV of what it shows.

Reads:  results/readouts/<model>/<dataset>.parquet, and results/scores/<model>/<dataset>.parquet
        (none, of a model that does not answer)
Writes: readouts.{svg,png,csv} beside --output, then --output, a manifest with path, bytes and
        sha256 of each

    python -m eyechart.report.draw_readouts --model tiny_llava --dataset blink \
        --readouts results/readouts/tiny_llava/blink.parquet \
        --scores results/scores/tiny_llava/blink.parquet \
        --settings '{"png_scale": 2}' \
        --output results/report/figures/readouts/blink/tiny_llava/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report.chart_readouts import readouts
from eyechart.report.chart_style import draw
from eyechart.report.readouts import read_readouts
from eyechart.tables.files import describe, write_json


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--readouts", required=True, type=Path)
    parser.add_argument("--scores", required=True, type=Path, nargs="*")
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw the figure, then write its manifest."""
    args = parse_args(argv)
    for path in (args.readouts, *args.scores):
        if (path.parent.name, path.stem) != (args.model, args.dataset):
            raise errors.UserError(
                f"{path}: is of {path.parent.name} on {path.stem}, expected {args.model} on "
                f"{args.dataset}"
            )
    (found,) = read_readouts([args.readouts], args.scores)
    folder, scale = args.output.parent, args.settings["png_scale"]
    paths = draw(folder / "readouts", readouts(found), scale)
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"model": args.model, "dataset": args.dataset, "files": files})


if __name__ == "__main__":
    errors.run(main)
